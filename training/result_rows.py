"""The rows of a results file: what each item was answered and how it was judged."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from training.errors import Fault, Invalid, echo
from training.json_rules import MAX_FAULTS, place
from training.schema import kind
from training.strict_json import read_jsonl

MAX_LINE_BYTES = 4 * 2**20
NULL = type(None)
REQUIRED: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "prompt": (str,),
    "expected_answer": (str,),
    "output": (str,),
    "answer": (str, NULL),
    "correct": (bool, NULL),
    "judges": (dict,),
}
OPTIONAL: dict[str, tuple[type, ...]] = {"loss": (float, int, NULL)}
KINDS = {str: "a text", bool: "true or false", dict: "an object", float: "a number", NULL: "null"}

ResultRow = Mapping[str, Any]


def read_results(path: Path) -> list[dict]:
    """The rows of a results file in its order.

    Raises Invalid whose faults (the first MAX_FAULTS) name line and field; OSError when the file cannot be read.
    """
    with path.open("rb") as stream:
        lines = list(read_jsonl(stream, max_line_bytes=MAX_LINE_BYTES))
    if faults := list(islice(_faults(lines), MAX_FAULTS)):
        raise Invalid(faults)
    return [row for _, row in lines if isinstance(row, dict)]


def _faults(lines: Iterable[tuple[int, object]]) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for line, row in lines:
        if isinstance(row, Invalid):
            yield from row.faults
        elif not isinstance(row, dict):
            yield Fault((), f"is {kind(row)}; a result is an object", "not_object", line)
        else:
            yield from _row_faults(row, line)
            if isinstance(key := row.get("id"), str) and seen.setdefault(key, line) != line:
                msg = f"{echo(key)} is the id of line {seen[key]} already; each item is answered once"
                yield Fault(("id",), msg, "duplicate_record", line)


def _row_faults(row: dict, line: int) -> Iterator[Fault]:
    for name, types in (REQUIRED | OPTIONAL).items():
        wanted = " or ".join(KINDS[each] for each in types if each in KINDS)
        if name not in row:
            if name in REQUIRED:
                yield Fault((name,), f"is missing; give {wanted}", "missing_field", line)
        elif type(row[name]) not in types:
            yield Fault((name,), f"is {kind(row[name])}; it must be {wanted}", "wrong_type", line)
    if isinstance(judges := row.get("judges"), dict):
        yield from _judges_faults(judges, line)


def _judges_faults(judges: dict, line: int) -> Iterator[Fault]:
    for name, verdict in judges.items():
        score = verdict.get("score") if isinstance(verdict, dict) else None
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
            msg = f"is {echo(score)}; a judge's score is a number from 0 to 1"
            yield Fault(("judges", place(name), "score"), msg, "number_out_of_range", line)
