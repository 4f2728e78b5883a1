"""What a person asks for when a dataset is built, checked once for every face."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from datasets_app.gates import ACTIONS, NAMES
from datasets_app.keys import name_faults, version_faults
from datasets_app.mix import read_mix
from datasets_app.strata import PROPORTIONAL, read_field, read_quotas
from traces.filters import read_filters
from training.config import DataConfig
from training.errors import Fault, Invalid, echo
from training.renderers import DEFAULT_INSTRUCTION, RECIPES, TRACE_SFT
from training.request_fields import Reader, choice, flag, identifier, json_object, read_fields, refuse, text, whole

LATEST, RANDOM, ALL, STRATIFIED = STRATEGIES = ("latest", "random", "all", "stratified")
BY_HASH = (RANDOM, STRATIFIED)  # what these take, the seed decides
DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000_000
LIMITS = range(1, MAX_LIMIT + 1)
SEEDS = range(2**63)
LENGTHS = range(8, 32_769)  # tokens a sequence
DEFAULT_LENGTH = DataConfig().max_length
MAX_INSTRUCTION = 10_000
MAX_SESSION_ID = 200


@dataclass(frozen=True)
class BuildRequest:
    """A valid request. `seed` is None when the caller gave none: it is then drawn, and recorded, at the build."""

    dataset_name: str
    dataset_version: str
    filters: dict[str, Any] = field(default_factory=dict)
    selection_strategy: str = LATEST
    stratify_by: str | None = None
    quotas: str | dict[str, int] | None = None
    mix: list[dict[str, Any]] | None = None
    limit: int | None = None
    seed: int | None = None
    strict: bool = False
    recipe: str = TRACE_SFT
    instruction: str = DEFAULT_INSTRUCTION
    max_length: int = DEFAULT_LENGTH
    gates: dict[str, str] = field(default_factory=dict)
    session_id: str | None = None
    parent_dataset_id: str | None = None
    training_run_id: str | None = None
    provenance: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        return f"{self.dataset_name}-{self.dataset_version}"

    @property
    def most(self) -> int:
        """How many traces at most: unless a limit was asked for, `all` means all, and quotas mean their sum."""
        if self.limit is None and isinstance(self.quotas, dict):
            return sum(self.quotas.values())
        return self.limit or (MAX_LIMIT if self.selection_strategy == ALL else DEFAULT_LIMIT)

    def resolved(self, seed: int) -> dict[str, Any]:
        """The request as it is recorded, every default spelled out."""
        return asdict(self) | {"limit": self.most, "seed": seed}


def read_build_request(obj: object) -> BuildRequest:
    """`obj` as a request. Raises Invalid with everything that is wrong with it."""
    if not isinstance(obj, Mapping):
        refuse(f"must be an object, not {echo(obj)}", "not_object")
    faults = [*name_faults(obj.get("dataset_name")), *version_faults(obj.get("dataset_version"))]
    try:
        given = _with_strategy(read_fields(obj, FIELDS))
        faults += _contradictions(given)
    except Invalid as invalid:
        faults += invalid.faults
    if faults:
        raise Invalid(faults)
    instruction = RECIPES[given.get("recipe", TRACE_SFT)].instruction
    return BuildRequest(**({"instruction": instruction} | given))


def _with_strategy(given: dict[str, Any]) -> dict[str, Any]:
    """What the other fields say about the strategy when it was not given."""
    if "mix" in given:
        return {"selection_strategy": RANDOM} | given
    if "stratify_by" in given:
        given = {"selection_strategy": STRATIFIED} | given
    return {"quotas": PROPORTIONAL} | given if given.get("selection_strategy") == STRATIFIED else given


def _contradictions(given: dict[str, Any]) -> Iterator[Fault]:
    """What cannot be asked for together."""
    strategy, mix, quotas = (given.get(name) for name in ("selection_strategy", "mix", "quotas"))
    if strategy == STRATIFIED and not given.get("stratify_by"):
        yield Fault(("stratify_by",), "is missing; give source, steps or meta.NAME", "missing_field")
    for name in ("stratify_by", "quotas"):
        if name in given and strategy != STRATIFIED:
            yield Fault((name,), f"goes with the strategy {STRATIFIED} only", "wrong_value")
    if mix and given.get("filters"):
        yield Fault(("filters",), "stand in each part of a mix; leave them out beside it", "wrong_value")
    if mix and strategy != RANDOM:
        yield Fault(("selection_strategy",), f"of a mix is {RANDOM}; leave it out, or the mix", "wrong_value")
    if isinstance(quotas, dict) and sum(quotas.values()) > given.get("limit", MAX_LIMIT):
        msg = f"ask for {sum(quotas.values())} rows, more than the limit of {given['limit']}"
        yield Fault(("quotas",), msg, "number_out_of_range")
    if given.get("strict") and strategy in BY_HASH and "seed" not in given:
        msg = f"is missing; with strict, a selection that is {strategy} needs one"
        yield Fault(("seed",), msg, "missing_field")


def _gates(value: object) -> dict[str, str]:
    return read_fields(value, {name: choice(*ACTIONS) for name in NAMES})


def _checked_with_the_key(value: object) -> object:
    return value


FIELDS: dict[str, Reader] = {
    "dataset_name": _checked_with_the_key,
    "dataset_version": _checked_with_the_key,
    "filters": read_filters,
    "selection_strategy": choice(*STRATEGIES),
    "stratify_by": read_field,
    "quotas": read_quotas(LIMITS),
    "mix": read_mix,
    "limit": whole(LIMITS),
    "seed": whole(SEEDS),
    "strict": flag,
    "recipe": choice(*RECIPES),
    "instruction": text(MAX_INSTRUCTION),
    "max_length": whole(LENGTHS),
    "gates": _gates,
    "session_id": text(MAX_SESSION_ID),
    "parent_dataset_id": identifier,
    "training_run_id": identifier,
    "provenance": json_object,
}
