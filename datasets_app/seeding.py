"""Datasets that can be made anywhere: golden sets and generated problems, the same bytes on every machine."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from datasets_app.build_request import SEEDS
from datasets_app.keys import split_key
from training.canonical import stable_id
from training.errors import Fault, Invalid, echo
from training.golden import GOLDEN, golden_traces
from training.problems import PROBLEMS, generate_traces

SEEDED_AT = datetime(2025, 1, 1, tzinfo=UTC)  # when seeded traces and datasets say they were made, everywhere
DEFAULT_COUNT, DEFAULT_SEED = 1000, 42


@dataclass(frozen=True)
class SeededSet:
    """What a seeded dataset is made from; every number is resolved, so it always gives the same traces."""

    dataset: str
    count: int
    seed: int
    difficulty: int | None = None

    def payloads(self) -> Iterator[tuple[UUID, dict]]:
        """Each trace with its id, in order of the generator."""
        for index, payload in enumerate(self._payloads()):
            yield stable_id(payload, index), payload

    def _payloads(self) -> Iterator[dict]:
        if self.dataset in GOLDEN:
            golden = GOLDEN[self.dataset]
            fixed = golden.default_seed is None
            return iter(golden_traces(self.dataset, count=self.count, seed=None if fixed else self.seed))
        problem, _ = split_key(self.dataset)
        return generate_traces(problem, count=self.count, seed=self.seed, difficulty=self.difficulty)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_seeded_set(key: str, count: int | None, seed: int | None, difficulty: int | None) -> SeededSet:
    """The set of a key: `golden-v1`, `golden-v2`, or `{problem}-{version}`.

    Raises Invalid for another key, and for a count, seed or difficulty that the set does not have.
    """
    name, _ = split_key(key)
    if seed is not None and seed not in SEEDS:
        message = f"is {seed}; it must lie between 0 and {SEEDS[-1]}"
        raise Invalid(Fault(("seed",), message, "number_out_of_range"))
    if key in GOLDEN:
        if difficulty is not None:
            raise Invalid(Fault(("difficulty",), f"{key} has none; leave it out", "unknown_field"))
        golden_traces(key, count=count, seed=seed)  # refuses what the set does not have
        golden = GOLDEN[key]
        return SeededSet(key, count or golden.size, golden.default_seed or 0 if seed is None else seed)
    if name in PROBLEMS:
        wanted = SeededSet(
            dataset=key,
            count=DEFAULT_COUNT if count is None else count,
            seed=DEFAULT_SEED if seed is None else seed,
            difficulty=PROBLEMS[name].default_difficulty if difficulty is None else difficulty,
        )
        wanted._payloads()  # refuses numbers out of range
        return wanted
    known = ", ".join([*GOLDEN, *(f"{problem}-…" for problem in PROBLEMS)])
    raise Invalid(Fault(("dataset",), f"{echo(key)} cannot be seeded; choose one of {known}", "unknown_dataset"))
