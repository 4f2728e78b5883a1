"""Which rows share a split: near-twins do, templated rows do not, whatever the order in which they come."""

import random
from datetime import UTC, datetime, timedelta
from itertools import combinations
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.canonical import canonical_json, sha256_hex
from training.groups import Groups, Resolved, age_of
from training.groups.grouping import EPOCH
from training.ngrams import hash_words
from training.problems import generate_traces
from training.splits import SPLITS, group_of, split_of

NUMBERED = "On her way to the market Ada met {} farmers, each with two sacks of grain and a small dog. How many sacks were carried to the market by the farmers that Ada met on her way there, if nobody lost one?"  # noqa: E501
WORDS = [f"word{number}" for number in range(3000)]


def resolve(prompts: list[str], *, ages: list[int] | None = None, chunk: int = 500, metas=None) -> Resolved:
    """The groups of prompts, the first being the oldest unless `ages` says otherwise."""
    ages = list(range(len(prompts))) if ages is None else ages
    groups = Groups()
    for first in range(0, len(prompts), chunk):
        part = range(first, min(first + chunk, len(prompts)))
        payloads = [{"prompt": prompts[index], "meta": metas[index] if metas else None} for index in part]
        groups.add(payloads, [age(ages[index]) for index in part])
    return groups.resolve(lambda positions: [prompts[position] for position in positions])


def age(number: int) -> bytes:
    return age_of(EPOCH + timedelta(seconds=number), UUID(int=number))


def together(prompts: list[str], **options) -> set[frozenset[str]]:
    """The prompts by group."""
    oldest = resolve(prompts, **options).oldest.tolist()
    return {
        frozenset(prompt for prompt, leader in zip(prompts, oldest, strict=True) if leader == one)
        for one in set(oldest)
    }


def sentence(rng: random.Random, count: int = 40) -> list[str]:
    return rng.choices(WORDS, k=count)


def changed(rng: random.Random, words: list[str], count: int = 1) -> list[str]:
    words = words.copy()
    for place in rng.sample(range(len(words)), count):
        words[place] = f"other{rng.randrange(10**6)}"
    return words


def test_prompts_with_nothing_in_common_are_groups_of_their_own_and_named_by_themselves():
    prompts = ["What is 2?", "Who was Ada Lovelace?", "Ω"]
    resolved = resolve(prompts)
    assert resolved.oldest.tolist() == [0, 1, 2]
    assert [resolved.digest(index) for index in range(3)] == [sha256_hex(group_of({"prompt": one})) for one in prompts]
    assert resolved.joined == 0


@pytest.mark.parametrize(
    "twin",
    [
        "  on HER way to the market ada met 12 farmers, each with 30 sacks\nof grain and a small dog. How many?",
        "On her way to the market Ada met 30 farmers, each with 12 sacks of grain and a small dog. How many?",
        "How many? On her way to the market Ada met 12 farmers, each with 30 sacks of grain and a small dog.",
    ],
)
def test_case_spacing_and_order_make_no_difference(twin):
    prompt = "On her way to the market Ada met 12 farmers, each with 30 sacks of grain and a small dog. How many?"
    resolved = resolve([twin, "Something else.", prompt], ages=[5, 1, 3])
    assert resolved.oldest.tolist() == [2, 1, 2]
    assert resolved.digest(0) == resolved.digest(2) == sha256_hex(group_of({"prompt": prompt}))


@pytest.mark.parametrize("seed", range(3))
def test_one_changed_word_among_forty_joins(seed):
    rng = random.Random(seed)
    originals = [sentence(rng) for _ in range(300)]
    copies = [changed(rng, words) for words in originals]
    resolved = resolve([" ".join(words) for words in (*originals, *copies)])
    assert resolved.oldest.tolist() == [*range(300), *range(300)]
    assert resolved.joined == 300
    assert resolved.report()["with_twins"] == 300


def test_generated_additions_stay_apart_where_character_n_grams_join_them_all():
    traces = list(generate_traces("addition", count=1500, seed=3))
    assert len(set(resolve([trace["prompt"] for trace in traces]).oldest.tolist())) > 1480
    assert _groups_by_characters([canonical_json(trace) for trace in traces]) == 1


def _groups_by_characters(texts: list[str]) -> int:
    """How many groups plain character-5-gram Jaccard ≥ 0.5 leaves."""
    grams = [frozenset(text[i : i + 5] for i in range(len(text) - 4)) for text in texts]
    left, groups = set(range(len(texts))), 0
    while left:
        groups += 1
        seen = [left.pop()]
        while seen:
            one = grams[seen.pop()]
            near = {i for i in left if 3 * len(one & grams[i]) >= len(one) + len(grams[i])}  # Jaccard ≥ 0.5
            left -= near
            seen += near
    return groups


@pytest.mark.parametrize("count", [200, 1500])
def test_a_long_template_with_one_number_does_not_collapse(count):
    prompts = [NUMBERED.format(number) for number in range(count)]
    assert len(set(resolve(prompts).oldest.tolist())) == count


def test_a_few_of_a_template_are_near_twins():
    assert len(together([NUMBERED.format(number) for number in range(5)])) == 1


def test_an_instruction_before_every_question_neither_joins_nor_hides_twins():
    rng = random.Random(1)
    instruction = " ".join(sentence(rng, 60))
    questions = [sentence(rng, 30) for _ in range(400)]
    twin = changed(rng, questions[7])
    resolved = resolve([f"{instruction} {' '.join(words)}" for words in (*questions, twin)])
    assert resolved.oldest.tolist() == [*range(400), 7]


def test_a_problems_own_key_overrides_text():
    traces = list(generate_traces("word_problems", count=300, seed=5))
    prompts, metas = [trace["prompt"] for trace in traces], [trace["meta"] for trace in traces]
    resolved = resolve(prompts * 2, metas=[*metas, *[None] * 300])
    names = [sha256_hex(group_of(trace)) for trace in traces]
    assert [resolved.digest(index) for index in range(300)] == names
    assert set(resolved.oldest[:300]).isdisjoint(resolved.oldest[300:])  # the same text without a key
    one = resolve(["Add 12 + 34.", "Add 34 + 12."], metas=[{"problem": "addition"}] * 2, ages=[2, 1])
    assert one.oldest.tolist() == [1, 1]
    assert one.joined == 0


def test_chains_of_small_changes_are_cut():
    rng = random.Random(4)
    chain = [sentence(rng, 60)]
    for place in range(59):
        chain.append([*chain[-1][:place], f"other{place}", *chain[-1][place + 1 :]])
    groups = together([" ".join(words) for words in chain])
    assert len(groups) > 2
    assert max(map(len, groups)) < 30


def test_a_twin_of_a_twin_joins_while_it_is_half_like_the_oldest():
    rng = random.Random(4)
    one = sentence(rng, 60)
    two = [*one[:20], "other", *one[21:40], "another", *one[41:]]  # 6 of 58 n-grams
    three = [*two[:10], "third", *two[11:50], "fourth", *two[51:]]
    oldest, twin, twins_twin = (" ".join(words) for words in (one, two, three))
    assert resolve([oldest, twins_twin]).oldest.tolist() == [0, 1]
    assert resolve([oldest, twin, twins_twin]).oldest.tolist() == [0, 0, 0]
    assert resolve([oldest, twin, twins_twin], ages=[3, 2, 1]).oldest.tolist() == [2, 2, 2]


def family(rng: random.Random) -> list[str]:
    """Some prompts, copies with few words changed, reordered ones and equal ones."""
    prompts = []
    for _ in range(6):
        words = sentence(rng, rng.choice((3, 12, 40)))
        prompts += [" ".join(changed(rng, words, rng.randrange(3))) for _ in range(rng.randrange(1, 6))]
        prompts += [" ".join(rng.sample(words, len(words))), " ".join(words).upper()]
    return prompts


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 9))
def test_groups_depend_neither_on_order_nor_on_chunks(rng, chunk):
    prompts = family(rng)
    before = resolve(prompts)
    order = rng.sample(range(len(prompts)), len(prompts))
    after = resolve([prompts[index] for index in order], ages=order, chunk=chunk)
    assert [order[oldest] for oldest in after.oldest] == before.oldest[order].tolist()
    assert (after.digests == before.digests[order]).all()


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_new_youngest_row_changes_no_other(rng):
    prompts = family(rng)
    assert resolve(prompts).oldest[:-1].tolist() == resolve(prompts[:-1]).oldest.tolist()


def test_splits_are_those_of_the_groups_names():
    prompts = [f"What is {number}?" for number in range(300)]
    splits = [SPLITS[place] for place in resolve(prompts).splits()]
    assert splits == [split_of(group_of({"prompt": prompt})) for prompt in prompts]


def test_a_report_counts_groups_by_size():
    prompts = ["a b c"] * 5 + ["d e f"] * 2 + ["g", "h"]
    assert resolve(prompts).report() == {
        "groups": 4,
        "with_twins": 2,
        "joined": 0,
        "sizes": [{"up_to": 1, "groups": 2}, {"up_to": 2, "groups": 1}, {"up_to": 8, "groups": 1}],
        "largest": [{"oldest": 0, "rows": 5}, {"oldest": 5, "rows": 2}],
    }
    assert resolve([]).report() == {"groups": 0, "with_twins": 0, "joined": 0, "sizes": [], "largest": []}


def test_hostile_prompts_are_grouped_in_a_moment():
    rng = random.Random(2)
    long = "ab " * 16_000
    prompts = [
        *(
            "a" * 50_000,
            long,
            f"{long}c",
            "?!" * 25_000,
            "\u0301" * 50_000,
            "7," * 25_000,
            "\0",
            " \u2003 x",
            "Ω" * 50_000,
        ),
        *(["the same"] * 3000),
        *(" ".join(rng.sample("abcdefghij", 10)) for _ in range(3000)),
        *(" ".join(rng.choices("ab", k=30)) for _ in range(3000)),
    ]
    assert resolve(prompts).report()["groups"] < 3100


def test_two_texts_that_share_a_hash_are_not_joined():
    """Thue and Morse's sequence and its complement have the same polynomial modulo 2⁶⁴ for every odd base."""
    bits = [bin(number).count("1") % 2 for number in range(2**11)]
    one, other = ("".join(letters[bit] for bit in bits) for letters in ("ab", "ba"))
    assert one != other
    assert (hash_words([one]).hashes == hash_words([other]).hashes).all()
    assert resolve([one, other, f"{one} a b c", f"a b c {other}"]).oldest.tolist() == [0, 1, 2, 3]


def test_ages_are_in_order():
    moments = [datetime(1960, 1, 1, tzinfo=UTC), EPOCH, EPOCH + timedelta(microseconds=1)]
    ages = [age_of(moment, identity) for moment in moments for identity in (UUID(int=1), UUID(int=2**127))]
    assert ages == sorted(ages)
    assert all(len(one) == 24 for one in ages)
    assert all(resolve(["a", "A"], ages=[one, 1 - one]).oldest.tolist() == [one, one] for one in range(2))
    assert len(set(map(frozenset, combinations(ages, 2)))) == 15
