"""Rows fall into splits by what they ask, and into order by what they say."""

import unicodedata
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from training.problems import generate_traces
from training.splits import SPLIT_RULE, SPLITS, group_of, normalise, order_key, split_of


def test_a_group_always_falls_into_the_same_split():
    assert [split_of(f"prompt:{n}") for n in range(12)] == [
        "train",
        "train",
        "valid",
        "train",
        "train",
        "valid",
        "valid",
        "valid",
        "train",
        "valid",
        "train",
        "train",
    ]


def test_splits_hold_about_eight_one_and_one_tenths():
    counts = Counter(split_of(f"prompt:{n}") for n in range(10_000))
    assert set(counts) == set(SPLITS)
    assert abs(counts["train"] - 8000) < 200
    assert abs(counts["valid"] - 1000) < 150
    assert all(split in SPLIT_RULE for split in SPLITS)


def test_prompts_that_differ_in_case_spacing_or_spelling_of_unicode_are_twins():
    assert group_of({"prompt": "  What  IS\n2?"}) == group_of({"prompt": "what is 2?", "meta": None})
    assert group_of({"prompt": "caf\u00e9"}) == group_of({"prompt": "cafe\u0301"})
    assert group_of({"prompt": "What is 2?"}) != group_of({"prompt": "What is 3?"})


@given(st.text() | st.text("aB \t\n\x1c\x1fé"))
def test_every_prompt_is_normalised_alike(prompt):
    assert normalise(prompt) == " ".join(unicodedata.normalize("NFKC", prompt).casefold().split())


def test_problems_bring_their_own_groups():
    def group(problem, prompt):
        return group_of({"prompt": prompt, "meta": {"problem": problem}})

    assert group("addition", "Add 12 + 34.") == group("addition", "Add 34 + 12.")
    assert group("addition", "Add 12 + 34.") != group("addition", "Add 12 + 35.")
    chain = "Start at {}. Then +3 ×7. Keep the last digit."
    assert group("chain", chain.format(1)) == group("chain", chain.format(2))
    assert group("chain", "Something else") == "prompt:something else"
    assert group(["chain"], "Something else") == group("unknown", "Something else") == "prompt:something else"


def test_generated_problems_do_not_collapse_into_a_few_groups():
    for problem in ("chain", "addition"):
        groups = {group_of(trace) for trace in generate_traces(problem, count=500, seed=3)}
        assert len(groups) > 490


def test_the_order_of_two_rows_does_not_depend_on_others_and_changes_with_the_seed():
    hashes = [f"{n:064x}" for n in range(50)]
    order = sorted(hashes, key=lambda content: order_key(1, content))
    assert [one for one in order if one in hashes[:20]] == sorted(
        hashes[:20], key=lambda content: order_key(1, content)
    )
    assert order != sorted(hashes, key=lambda content: order_key(2, content))
