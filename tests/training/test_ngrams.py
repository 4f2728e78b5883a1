import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.ngrams import BLOCK, LAST, NUMBER, QUIET, QUIETS, TABLE, folded, hash_words, spoken_words, words_of

TRICKY = (
    "aZ09.,_-$ \n\t\x1c\x85\xa0ß\u0130ﬁ½²Ǆ\u0301\u0327é\u1100\u1161\u11a8가"
    "٣३\u2019×→−Ⅷ０，漢\U0001d7d8\U0001f600\ud800\0"
)
anything = st.characters(exclude_categories=())
texts = st.text(st.one_of(st.sampled_from(TRICKY), st.sampled_from("ab1.,"), anything), max_size=40)


def hashes_of(chunk: list[str]) -> list[list[int]]:
    words = hash_words(chunk)
    return [words.hashes[start:end].tolist() for start, end in zip(words.offsets, words.offsets[1:], strict=False)]


@settings(max_examples=400)
@given(st.lists(texts, max_size=6))
def test_hashes_are_equal_exactly_when_the_words_are(chunk):
    found = hashes_of(chunk)
    assert [len(one) for one in found] == [len(words_of(text)) for text in chunk]
    pairs = {pair for text, one in zip(chunk, found, strict=True) for pair in zip(words_of(text), one, strict=True)}
    assert len(pairs) == len({word for word, _ in pairs}) == len({number for _, number in pairs})


@given(texts)
def test_a_text_has_the_same_hashes_alone_and_among_others(text):
    assert hashes_of([text])[0] == hashes_of(["x 1.", text, "2 ß\u0301 y"])[1]
    assert hashes_of(["a " * BLOCK, text])[1] == hashes_of([text])[0]


def test_every_character_is_folded_as_the_words_are():
    characters = [chr(code) for code in (*range(TABLE), *range(TABLE, LAST, 17))]
    words = hash_words(characters)
    assert words.counts().tolist() == [len(words_of(character)) for character in characters]
    assert (words.hashes == hash_words([folded(character) for character in characters]).hashes).all()


def test_only_marks_and_hangul_letters_ever_compose_with_a_character_before_them():
    """What the table of folds rests on."""
    for code in range(LAST + 1):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            assert unicodedata.category(chr(int(parts[1], 16)))[0] == "M"


def test_numbers_and_quiet_signs_are_told_apart():
    words = hash_words(["It costs $1,250.75, or 3x; v2.5!"])
    assert words_of("It costs $1,250.75, or 3x; v2.5!") == [
        *("it", "costs", "$", "1,250.75", ",", "or", "3", "x", ";"),
        *("v2", ".", "5", "!"),
    ]
    assert np.flatnonzero(words.kinds == NUMBER).tolist() == [3, 6, 11]
    assert np.flatnonzero(words.kinds == QUIET).tolist() == [8, 12]
    assert len(words.spoken().hashes) == len(words.hashes) - 4  # the comma and the point as well
    assert words.spoken().hashes.tolist() == hash_words(["it costs $ 1,250.75 or 3 x v2 5"]).hashes.tolist()


@given(st.lists(st.text(st.sampled_from(TRICKY + QUIETS)), max_size=5))
def test_spoken_words_are_the_same_in_both_ways(chunk):
    words = hash_words(chunk).spoken()
    assert words.hashes.tolist() == hash_words([" ".join(spoken_words(text)) for text in chunk]).hashes.tolist()
    assert words.counts().tolist() == [len(spoken_words(text)) for text in chunk]


@settings(max_examples=60)
@given(st.lists(texts, max_size=5), st.integers(1, 9))
def test_n_grams_are_equal_exactly_when_their_words_are_and_never_cross_texts(chunk, n):
    hashes, firsts = hash_words(chunk).grams(n)
    grams = [gram for text in chunk for gram in zip(*(words_of(text)[i:] for i in range(n)), strict=False)]
    assert len(hashes) == len(grams) == len(firsts)
    pairs = set(zip(grams, hashes.tolist(), strict=True))
    assert len(pairs) == len({gram for gram, _ in pairs}) == len({number for _, number in pairs})


@settings(max_examples=60)
@given(st.lists(st.text("ab 1.", max_size=9), max_size=6))
def test_bags_are_equal_exactly_when_the_words_are_in_whatever_order(chunk):
    bags = hash_words(chunk).bags().tolist()
    words = [frozenset(Counter(words_of(text)).items()) for text in chunk]
    assert len(bags) == len(chunk)
    assert len(set(zip(words, bags, strict=True))) == len(set(words)) == len(set(bags))


@pytest.mark.parametrize(
    "text", ["a" * 300_000, "1," * 200_000, " " * 10**6, "ab " * 100_000, "é" * 200_000, "\u0301" * 9000]
)
def test_long_texts_of_little_variety_are_read_in_a_moment(text):
    assert len(hash_words([text, "x"]).hashes) == len(words_of(text)) + 1


def test_hashes_stay_what_they_are():
    """They are written nowhere, but splits that are drawn from them must be drawn again in years."""
    assert [f"{number:016x}" for number in hash_words(["Add 12."]).hashes] == [
        *("117a965ffaed7c5d", "439da49625eedbbd", "98732af96eb6794e")
    ]
