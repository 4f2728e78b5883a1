"""The table behind the firewall finds exactly what was put in, however it is packed."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.firewall.index import ITEM_BITS, MAX_ITEMS, Index
from training.firewall.keys import WINDOW, winnowed

hashes = st.integers(0, 30).map(lambda number: number * 0x9E3779B97F4A7C15 % 2**64 & ~(MAX_ITEMS - 1))
entries = st.lists(st.tuples(hashes, st.integers(0, 40)), max_size=120)


def made(pairs: list[tuple[int, int]], most: int) -> Index:
    index = Index()
    for chunk in (pairs[::2], pairs[1::2]):
        index.add(
            np.array([key for key, _ in chunk], dtype=np.uint64), np.array([item for _, item in chunk], dtype=int)
        )
    index.finish(most)
    return index


@settings(max_examples=60, deadline=None)
@given(entries, st.lists(hashes, max_size=20), st.integers(1, 5))
def test_every_entry_is_found_but_those_of_hashes_that_too_many_items_have(pairs, asked, most):
    index = made(pairs, most)
    found = index.find(np.array(asked, dtype=np.uint64))
    counts = Counter(key for key, _ in set(pairs))
    expected = [(place, item) for place, key in enumerate(asked) for other, item in set(pairs) if key == other]
    kept = [(place, item) for place, item in expected if counts[asked[place]] <= most]
    assert sorted(zip(*(part.tolist() for part in found), strict=True)) == sorted(kept)
    assert len(index) == sum(1 for key, _ in set(pairs) if counts[key] <= most)


def test_many_entries_are_found_and_few_others():
    numbers = np.random.default_rng(1).integers(0, 2**63, 200_000).astype(np.uint64) << np.uint64(1)
    index = Index()
    index.add(numbers, np.arange(len(numbers)))
    index.finish(3)
    places, items = index.find(numbers)
    assert sorted(zip(places.tolist(), items.tolist(), strict=True)) == [(at, at) for at in range(len(numbers))]
    others = numbers + np.uint64(1 << ITEM_BITS)
    assert len(index.find(others)[0]) < 10


@settings(max_examples=60)
@given(st.lists(st.integers(0, 50), max_size=60), st.integers(0, 50))
def test_every_window_of_a_text_keeps_one_n_gram_that_depends_on_the_window_alone(numbers, cut):
    grams, texts = np.array(numbers, dtype=np.uint64), (np.arange(len(numbers)) >= cut).astype(int)
    kept = set(winnowed(grams, texts).tolist())
    for start in range(len(numbers)):
        window = range(start, start + WINDOW)
        if window[-1] < len(numbers) and texts[start] == texts[window[-1]]:
            assert min(window, key=lambda at: (numbers[at], at)) in kept
    for text in (0, 1):
        places = np.flatnonzero(texts == text).tolist()
        if len(places) < WINDOW:
            assert kept.issuperset(places)
