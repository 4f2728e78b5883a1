"""What a model is asked: items with their expected answers, read from files, written to files, bound to a hash."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from training.canonical import canonical_json, sha256_hex
from training.errors import Fault, Invalid, echo
from training.files import write_atomic
from training.json_rules import MAX_FAULTS, place, text_faults
from training.schema import MAX_FINAL_ANSWER, MAX_PROMPT, TRACE_VERSION, kind, trace_faults
from training.strict_json import read_jsonl

MAX_LINE_BYTES = 2**20
MAX_LABEL = 128
# Lengths are Unicode code points.
TEXTS = {
    "id": MAX_LABEL,
    "prompt": MAX_PROMPT,
    "expected_answer": MAX_FINAL_ANSWER,
    "category": MAX_LABEL,
    "difficulty": MAX_LABEL,
}
OPTIONAL_TEXTS = {"section": MAX_LABEL}
KEYS = (*TEXTS, *OPTIONAL_TEXTS, "steps")


def read_evalset(path: Path) -> list[dict]:
    """The items of a JSONL file in its order.

    Raises Invalid whose faults (the first MAX_FAULTS) name line and field; OSError when the file cannot be read.
    """
    with path.open("rb") as stream:
        lines = list(read_jsonl(stream, max_line_bytes=MAX_LINE_BYTES))
    faults = (replace(fault, line=line) for line, fault in _faults(lines, "line"))
    _raise_any(faults)
    return [item for _, item in lines if isinstance(item, dict)]


def write_evalset(path: Path, items: Iterable[Mapping[str, Any]]) -> None:
    """Writes canonical lines, so that the file's own SHA-256 is the evalset's."""
    write_atomic(path, canonical_lines(items))


def evalset_sha256(items: Iterable[Mapping[str, Any]]) -> str:
    """The identity of an evalset: its items in their order, however a file spelled them."""
    return sha256_hex(canonical_lines(items))


def canonical_lines(items: Iterable[Mapping[str, Any]]) -> str:
    """The items as the lines of their file."""
    return "".join(f"{canonical_json(item)}\n" for item in items)


def validate_items(items: Iterable[object]) -> None:
    """Raises Invalid whose faults (the first MAX_FAULTS) begin with the item's index; an empty evalset is invalid."""
    numbered = list(enumerate(items))
    if not numbered:
        raise Invalid(Fault((), "has no items; an evalset asks at least one thing", "empty"))
    _raise_any(replace(fault, loc=(index, *fault.loc)) for index, fault in _faults(numbered, "item"))


def item_from_row(row: Mapping[str, Any]) -> dict:
    """The item that asks what a dataset's row teaches; its `steps` stay with it as the reference for the loss."""
    meta = row.get("meta") or {}
    return {
        "id": str(row["id"]),
        "prompt": row["prompt"],
        "expected_answer": row["final_answer"],
        "category": _label(meta.get("problem")) or _label(meta.get("source")) or "dataset",
        "difficulty": _label(meta.get("difficulty")) or "unspecified",
        "steps": row["steps"],
    }


def item_faults(item: object) -> Iterator[Fault]:
    """Every rule that `item` breaks by itself."""
    if not isinstance(item, dict):
        yield Fault((), f"is {kind(item)}; an item is an object", "not_object")
        return
    for key in sorted(item.keys() - set(KEYS), key=str):
        msg = f"{echo(key)} is not a known field; allowed are {', '.join(KEYS)}"
        yield Fault((place(key),), msg, "unknown_field")
    for name, limit in (TEXTS | OPTIONAL_TEXTS).items():
        if name in item:
            yield from _text_faults(item[name], limit, name)
        elif name in TEXTS:
            yield Fault((name,), f"is missing; give a text of 1 to {limit} characters", "missing_field")
    if "steps" in item:
        yield from _steps_faults(item)


def _faults(numbered: Iterable[tuple[int, object]], place_name: str) -> Iterator[tuple[int, Fault]]:
    """The faults of items that were read or refused, each with its item's number; ids seen before are faults too."""
    seen: dict[str, int] = {}
    for number, item in numbered:
        faults = item.faults if isinstance(item, Invalid) else list(item_faults(item))
        yield from ((number, fault) for fault in faults)
        if isinstance(item, dict) and isinstance(key := item.get("id"), str):
            if key in seen:
                msg = f"{echo(key)} is the id of {place_name} {seen[key]} already; each item needs its own"
                yield number, Fault(("id",), msg, "duplicate_record")
            seen.setdefault(key, number)


def _raise_any(faults: Iterator[Fault]) -> None:
    if found := list(islice(faults, MAX_FAULTS)):
        raise Invalid(found)


def _text_faults(value: object, limit: int, name: str) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault((name,), f"is {kind(value)}; it must be a text", "wrong_type")
    elif not value.strip():
        yield Fault((name,), "is empty; it needs at least one character that is not a space", "empty")
    elif len(value) > limit:
        yield Fault((name,), f"is {len(value)} characters long; at most {limit} are allowed", "too_long")
    else:
        yield from text_faults(value, (name,))


def _steps_faults(item: dict) -> Iterator[Fault]:
    """The faults that the item's steps would have in a trace."""
    trace = {"trace_version": TRACE_VERSION, "prompt": "…", "steps": item["steps"], "final_answer": "…"}
    yield from trace_faults(trace)


def _label(value: object) -> str:
    """A value of `meta` as a label; "" when it is none."""
    return str(value).strip()[:MAX_LABEL] if isinstance(value, str | int) and not isinstance(value, bool) else ""
