"""Golden sets: small fixed traces, byte-identical for ever, for smoke tests of the whole loop."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from training.errors import Fault, Invalid, echo
from training.schema import TRACE_VERSION

WORDS = ("apple", "banana", "cherry", "date", "elderberry")


@dataclass(frozen=True)
class GoldenSet:
    """`build(seed)` gives all `size` traces; a set without a default seed uses no chance and takes none."""

    key: str
    description: str
    size: int
    default_seed: int | None
    build: Callable[[int | None], list[dict]]


def golden_traces(key: str, *, count: int | None = None, seed: int | None = None) -> list[dict]:
    """The payloads of a golden set; `count` takes the first ones of a seeded set.

    golden-v1 is one fixed list of five. golden-v2 is what it says with its default seed 42; another seed
    gives another set, which needs another dataset key.
    Raises Invalid for an unknown key, and for a count or seed the set does not have.
    """
    if key not in GOLDEN:
        message = f"{echo(key)} is not a golden set; choose one of {', '.join(GOLDEN)}"
        raise Invalid(Fault(("dataset",), message, "unknown_dataset"))
    golden = GOLDEN[key]
    if golden.default_seed is None:
        _refuse_options(golden, count, seed)
        return golden.build(None)
    if count is not None and not 1 <= count <= golden.size:
        message = f"is {count}; {key} has 1 to {golden.size} traces to give"
        raise Invalid(Fault(("count",), message, "number_out_of_range"))
    return golden.build(golden.default_seed if seed is None else seed)[:count]


def _refuse_options(golden: GoldenSet, count: int | None, seed: int | None) -> None:
    if count not in (None, golden.size):
        message = f"is {count}; {golden.key} always has {golden.size} traces"
        raise Invalid(Fault(("count",), message, "number_out_of_range"))
    if seed is not None:
        raise Invalid(Fault(("seed",), f"{golden.key} is fixed and takes no seed", "unknown_field"))


def _golden_v1(_seed: int | None) -> list[dict]:
    cases = [
        ("arithmetic", "What is 2+2?", "2 + 2 = 4", "4"),
        ("fact", "Capital of France?", "The capital of France is Paris.", "Paris"),
        (
            "normalise",
            "  Normalize  Whitespace  ",
            "Strip the ends, join the words, lower case.",
            "normalize whitespace",
        ),
        ("format", "Answer Format Test", "The answer is written as asked.", "Answer: Correct"),
        ("yes_no", "Is this correct?", "It is correct.", "Yes"),
    ]
    return [_trace("golden-v1", case, index, *texts) for index, (case, *texts) in enumerate(cases)]


def _golden_v2(seed: int | None) -> list[dict]:
    """One generator serves both halves in order, so each draw here is part of the format."""
    rng = Random(seed)
    return [_sum(rng, index) for index in range(50)] + [_repetition(rng, index) for index in range(50, 100)]


def _sum(rng: Random, index: int) -> dict:
    a = rng.randint(1, 100)
    b = rng.randint(1, 100)
    return _trace("golden-v2", "sum", index, f"What is {a} + {b}?", f"{a} + {b} = {a + b}", str(a + b))


def _repetition(rng: Random, index: int) -> dict:
    word = rng.choice(WORDS)
    times = rng.randint(2, 5)
    answer = " ".join([word] * times)
    step = f"Write '{word}' {times} times, with a space between: {answer}"
    return _trace("golden-v2", "repeat", index, f"Repeat '{word}' {times} times", step, answer)


def _trace(golden: str, case: str, index: int, prompt: str, step: str, final_answer: str) -> dict:
    return {
        "trace_version": TRACE_VERSION,
        "prompt": prompt,
        "steps": [{"i": 0, "type": "compute", "content": step}],
        "final_answer": final_answer,
        "meta": {"golden": golden, "case": case, "idx": index},
    }


GOLDEN: dict[str, GoldenSet] = {
    golden.key: golden
    for golden in (
        GoldenSet("golden-v1", "Five traces, one for each habit of the answer check.", 5, None, _golden_v1),
        GoldenSet("golden-v2", "Fifty sums and fifty repetitions, one step each.", 100, 42, _golden_v2),
    )
}
