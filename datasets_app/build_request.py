"""What a person asks for when a dataset is built, checked once for every face."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from datasets_app.keys import name_faults, version_faults
from traces.filters import read_filters
from training.errors import Fault, Invalid, echo
from training.json_rules import place, text_faults, value_faults
from training.renderers import DEFAULT_INSTRUCTION, RECIPES, TRACE_SFT

STRATEGIES = ("latest", "random", "all")
DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000_000
SEEDS = range(2**63)
MAX_INSTRUCTION = 10_000
MAX_SESSION_ID = 200


@dataclass(frozen=True)
class BuildRequest:
    """A valid request. `seed` is None when the caller gave none: it is then drawn, and recorded, at the build."""

    dataset_name: str
    dataset_version: str
    filters: dict[str, Any] = field(default_factory=dict)
    selection_strategy: str = "latest"
    limit: int | None = None
    seed: int | None = None
    strict: bool = False
    recipe: str = TRACE_SFT
    instruction: str = DEFAULT_INSTRUCTION
    session_id: str | None = None
    parent_dataset_id: str | None = None
    training_run_id: str | None = None
    provenance: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        return f"{self.dataset_name}-{self.dataset_version}"

    @property
    def most(self) -> int:
        """How many traces at most: `all` means all unless a limit was asked for."""
        return self.limit or (MAX_LIMIT if self.selection_strategy == "all" else DEFAULT_LIMIT)

    def resolved(self, seed: int) -> dict[str, Any]:
        """The request as it is recorded, every default spelled out."""
        return asdict(self) | {"limit": self.most, "seed": seed}


def read_build_request(obj: object) -> BuildRequest:
    """`obj` as a request. Raises Invalid with everything that is wrong with it."""
    if not isinstance(obj, Mapping):
        raise Invalid(Fault((), f"must be an object, not {echo(obj)}", "not_object"))
    given = {name: value for name, value in obj.items() if name in FIELDS}
    faults = [*_unknown(obj), *name_faults(given.get("dataset_name")), *version_faults(given.get("dataset_version"))]
    for name, value in given.items():
        faults += FIELDS[name](name, value)
    if given.get("strict") is True and given.get("selection_strategy") == "random" and given.get("seed") is None:
        faults.append(Fault(("seed",), "is missing; with strict, a random selection needs one", "missing_field"))
    if faults:
        raise Invalid(faults)
    given["filters"] = read_filters(given.get("filters") or {})
    return BuildRequest(**{name: value for name, value in given.items() if value is not None})


def _unknown(obj: Mapping) -> Iterator[Fault]:
    for name in obj:
        if name not in FIELDS:
            msg = f"{echo(name)} is not known here; allowed are {', '.join(FIELDS)}"
            yield Fault((place(name),), msg, "unknown_field")


def _filters(name: str, value: object) -> Iterator[Fault]:
    try:
        read_filters({} if value is None else value)
    except Invalid as invalid:
        for fault in invalid.faults:
            yield Fault((name, *fault.loc), fault.msg, fault.type)


def _number(allowed: range) -> Callable[[str, object], Iterator[Fault]]:
    def faults(name: str, value: object) -> Iterator[Fault]:
        if value is not None and type(value) is not int:  # True is an int to Python, and no number to anybody else
            yield Fault((name,), f"must be a whole number, not {echo(value)}", "wrong_type")
        elif value is not None and value not in allowed:
            msg = f"must lie between {allowed[0]} and {allowed[-1]}, not {echo(value)}"
            yield Fault((name,), msg, "number_out_of_range")

    return faults


def _choice(*allowed: str) -> Callable[[str, object], Iterator[Fault]]:
    def faults(name: str, value: object) -> Iterator[Fault]:
        if value is not None and value not in allowed:
            yield Fault((name,), f"must be one of {', '.join(allowed)}, not {echo(value)}", "unknown_value")

    return faults


def _text(limit: int) -> Callable[[str, object], Iterator[Fault]]:
    def faults(name: str, value: object) -> Iterator[Fault]:
        if value is not None and not isinstance(value, str):
            yield Fault((name,), f"must be a text, not {echo(value)}", "wrong_type")
        elif isinstance(value, str) and len(value) > limit:
            yield Fault((name,), f"is {len(value)} characters long; at most {limit} are allowed", "too_long")
        elif isinstance(value, str):
            yield from text_faults(value, (name,))

    return faults


def _identifier(name: str, value: object) -> Iterator[Fault]:
    try:
        if value is not None:
            uuid.UUID(value)  # type: ignore[arg-type]
    except (ValueError, TypeError, AttributeError):
        yield Fault((name,), f"must be a uuid, not {echo(value)}", "wrong_value")


def _flag(name: str, value: object) -> Iterator[Fault]:
    if not isinstance(value, bool):
        yield Fault((name,), f"must be true or false, not {echo(value)}", "wrong_type")


def _object(name: str, value: object) -> Iterator[Fault]:
    if value is not None and not isinstance(value, dict):
        yield Fault((name,), f"must be an object, not {echo(value)}", "wrong_type")
    else:
        yield from value_faults(value, (name,))


def _checked_with_the_key(name: str, value: object) -> Iterator[Fault]:
    return iter(())


FIELDS: dict[str, Callable[[str, object], Any]] = {
    "dataset_name": _checked_with_the_key,
    "dataset_version": _checked_with_the_key,
    "filters": _filters,
    "selection_strategy": _choice(*STRATEGIES),
    "limit": _number(range(1, MAX_LIMIT + 1)),
    "seed": _number(SEEDS),
    "strict": _flag,
    "recipe": _choice(*RECIPES),
    "instruction": _text(MAX_INSTRUCTION),
    "session_id": _text(MAX_SESSION_ID),
    "parent_dataset_id": _identifier,
    "training_run_id": _identifier,
    "provenance": _object,
}
