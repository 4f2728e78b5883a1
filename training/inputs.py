"""What two runs were given, held against each other: causes first."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from training.config import TrainConfig
from training.errors import ECHO_LIMIT, Invalid, echo
from training.ledger import LEDGER, ROWS, row_sha256
from training.record import read_record
from training.renderers import Row

HASH = re.compile("[0-9a-f]{40,}")  # of a commit or a file


class _Kind(NamedTuple):
    """Fields of a record with one name for people. Some say what the run is, the others only what computed it."""

    path: str  # dotted; the fields below it too
    name: str
    defines: bool = False


KINDS = (  # the order in which they are named
    _Kind("code_version", "code"),
    _Kind("libraries", "library"),
    _Kind("dataset_sha256", "dataset", defines=True),
    _Kind("dataset_key", "dataset key"),
    _Kind("weights", "weights", defines=True),
    _Kind("engine", "engine", defines=True),
    _Kind("config.mesh", "config field mesh"),
    _Kind("config", "config field", defines=True),
    _Kind("recipe", "recipe", defines=True),
    _Kind("instruction", "instruction", defines=True),
    _Kind("seed", "seed", defines=True),
    _Kind("microbatch", "microbatch"),
    _Kind("machine.cores", "thread count"),
    _Kind("device", "device"),
    _Kind("environment", "environment"),
    _Kind("machine", "machine"),
)
NO_INPUT = ("format_version", "run_id", "parent", "created_at", "data", "config_sha256", "tokens_sha256", "attempts")
FOLLOWS = {  # a field that says again what another one says: it differs with that one
    "config.training.seed": ("seed",),
    "recipe": ("config.data.recipe",),
    "instruction": ("config.data.system_instruction",),
    "dataset_key": ("dataset_sha256",),
}


@dataclass(frozen=True)
class Difference:
    """An input that two runs do not share: what people call it, and its value in each."""

    name: str
    base: Any
    other: Any
    defines: bool  # whether it says what the run is; else only what computed it

    def __str__(self) -> str:
        return f"{self.name} ({_shown(self.base)} and {_shown(self.other)})"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def differing_inputs(base: Path, other: Path) -> tuple[Difference, ...]:
    """The inputs of two run directories that differ, those that may be the cause of others first.

    What only one of the records knows, since an older program wrote the other, is not held against it. Raises Invalid
    for a directory without a run.
    """
    records = [read_record(directory) for directory in (base, other)]
    mine, theirs = (_over_time(record, within) for record, within in zip(records, reversed(records), strict=True))
    by_path = _differing(mine, theirs)
    rows = _first_row(base, other) if "dataset_sha256" in by_path else ()
    place, found = sum(_rank(path) < _rank("dataset_sha256") for path in by_path), tuple(by_path.values())
    return (*found[:place], *rows, *found[place:])


def changed_since(record: dict[str, Any], now: dict[str, Any]) -> dict[str, Difference]:
    """By dotted path, the inputs that an attempt which goes on `now` does not share with the attempt before it."""
    before = _fields(record, now)
    for attempt in record.get("attempts", ()):
        before |= attempt["inputs"]
    return _differing(before, _fields(now, record))


def _differing(mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Difference]:
    """What differs between two sets of fields by dotted path, causes first."""
    differ = [path for path in {**mine, **theirs} if mine.get(path) != theirs.get(path)]
    told = [path for path in differ if not any(cause.startswith(FOLLOWS.get(path, ())) for cause in differ)]
    return {path: _difference(path, mine.get(path), theirs.get(path)) for path in sorted(told, key=_rank)}


def _over_time(record: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record, with what later attempts had in their place: `4, since 2026-11-21T12:00:00Z 2`."""
    fields = _fields(record, other)
    for attempt in record.get("attempts", ()):
        for path, value in attempt["inputs"].items():
            fields[path] = f"{fields.get(path)}, since {attempt['began_at']} {value}"
    return fields


def _fields(record: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a record by dotted path, as far as the other record can know of them too."""
    common = {name: value for name, value in record.items() if name in other and name not in NO_INPUT}
    if "machine" in common:
        common["machine"] = {name: value for name, value in record["machine"].items() if name in other["machine"]}
    if "config" in common:
        with suppress(Invalid):  # one that can be read no more stays as it is
            common["config"] = TrainConfig.from_dict(common["config"]).to_dict()
    return flat(common)


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """The fields in `value` by dotted path, lists as lists."""
    if not isinstance(value, dict):
        return {path: list(value) if isinstance(value, tuple) else value}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= flat(inner, f"{path}.{name}" if path else name)
    return found


def _rank(path: str) -> int:
    """The place of its kind; what nobody has named comes last."""
    return next((place for place, kind in enumerate(KINDS) if f"{path}.".startswith(f"{kind.path}.")), len(KINDS))


def _difference(path: str, mine: Any, theirs: Any) -> Difference:
    rank = _rank(path)
    kind = KINDS[rank] if rank < len(KINDS) else _Kind(path, path)
    rest = path.removeprefix(kind.path).removeprefix(".")
    joint = "." if kind.path == "config.mesh" else " "
    return Difference(f"{kind.name}{joint}{rest}" if rest else kind.name, mine, theirs, kind.defines)


def changed_row(run_dir: Path, rows: Sequence[Row]) -> str | None:
    """The first row that a run was taught and that `rows` have otherwise or not at all, if the run kept its rows."""
    now = {str(row["id"]): row for row in rows}
    kept = _rows(run_dir).items()
    return next((name for name, sha256 in kept if name not in now or row_sha256(now[name]) != sha256), None)


def _first_row(base: Path, other: Path) -> Iterator[Difference]:
    """The first row that is another in both, where both kept which rows they were taught."""
    mine, theirs = _rows(base), _rows(other)
    for name in {**mine, **theirs} if mine and theirs else ():
        if mine.get(name) != theirs.get(name):
            yield Difference(f"dataset row {echo(name)}", mine.get(name), theirs.get(name), defines=True)
            return


def _rows(directory: Path) -> dict[str, str]:
    try:
        with (directory / LEDGER / ROWS).open(encoding="utf-8") as lines:
            return {row["id"]: row["sha256"] for row in map(json.loads, lines)}
    except OSError:
        return {}


def _shown(value: Any) -> str:
    """A value as a sentence holds it: hashes cut to what tells two apart, texts bounded."""
    text = HASH.sub(lambda found: found[0][:12], "none" if value is None else str(value))
    return text if len(text) <= ECHO_LIMIT else f"{text[: ECHO_LIMIT - 1]}…"
