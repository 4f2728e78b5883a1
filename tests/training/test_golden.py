"""Golden sets: exactly these traces, on every machine, for ever."""

import hashlib
from random import Random

import pytest

from training.canonical import canonical_json
from training.errors import Invalid
from training.golden import GOLDEN, golden_traces
from training.schema import read_trace


def digest(traces: list[dict]) -> str:
    return hashlib.sha256("\n".join(map(canonical_json, traces)).encode()).hexdigest()


def test_golden_v1_asks_and_answers_as_it_always_did():
    assert [(trace["prompt"], trace["final_answer"]) for trace in golden_traces("golden-v1")] == [
        ("What is 2+2?", "4"),
        ("Capital of France?", "Paris"),
        ("  Normalize  Whitespace  ", "normalize whitespace"),
        ("Answer Format Test", "Answer: Correct"),
        ("Is this correct?", "Yes"),
    ]


def test_golden_v2_draws_everything_from_one_generator_in_order():
    rng = Random(42)
    expected = []
    for _ in range(50):
        a, b = rng.randint(1, 100), rng.randint(1, 100)
        expected.append((f"What is {a} + {b}?", str(a + b)))
    for _ in range(50):
        word = rng.choice(["apple", "banana", "cherry", "date", "elderberry"])
        times = rng.randint(2, 5)
        expected.append((f"Repeat '{word}' {times} times", " ".join([word] * times)))
    traces = golden_traces("golden-v2")
    assert [(trace["prompt"], trace["final_answer"]) for trace in traces] == expected
    assert {len(trace["steps"]) for trace in traces} == {1}
    assert [trace["meta"]["idx"] for trace in traces] == list(range(100))
    assert {frozenset(trace["meta"]) for trace in traces} == {frozenset({"golden", "case", "idx"})}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("golden-v1", "791871162ce9113c773eec41920b4c3b1335ff906ae8d778eee06727ae3b6652"),
        ("golden-v2", "79eb22669d2d2c747ed61612e360c06be5eeb9ea36b05620780c4db64aee8f76"),
    ],
)
def test_the_bytes_of_a_golden_set_never_change(key, expected):
    assert digest(golden_traces(key)) == expected


@pytest.mark.parametrize("key", GOLDEN)
def test_golden_traces_are_sound_and_each_is_of_its_own(key):
    traces = golden_traces(key)
    assert [read_trace(trace) for trace in traces] == traces
    assert len({canonical_json(trace) for trace in traces}) == GOLDEN[key].size


def test_a_smaller_count_takes_the_first_rows_and_another_seed_gives_others():
    assert golden_traces("golden-v2", count=7) == golden_traces("golden-v2", seed=42)[:7]
    assert golden_traces("golden-v2", seed=43) != golden_traces("golden-v2")
    assert len(golden_traces("golden-v1", count=5)) == 5


@pytest.mark.parametrize(
    ("key", "options", "loc"),
    [
        ("golden-v3", {}, "dataset"),
        ("golden-v1", {"count": 4}, "count"),
        ("golden-v1", {"seed": 42}, "seed"),
        ("golden-v2", {"count": 0}, "count"),
        ("golden-v2", {"count": 101}, "count"),
    ],
)
def test_a_request_the_set_cannot_meet_is_refused(key, options, loc):
    with pytest.raises(Invalid) as caught:
        golden_traces(key, **options)
    assert caught.value.faults[0].loc == (loc,)
