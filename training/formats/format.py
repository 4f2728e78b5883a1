"""What a format is, and what all of them need to build a payload."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from training.errors import Fault, Invalid
from training.json_rules import Loc
from training.schema import TRACE_VERSION, kind

COMPUTE = "compute"  # the type of steps that calculate
REASON = "reason"  # the type of steps that are sentences of somebody's thinking


@dataclass(frozen=True)
class Format:
    """One format that people bring traces in.

    `convert(row, source)` gives a payload that `read_trace` still has to judge, or raises Invalid. `marks` lists
    sets of fields; a row that has all of one set is of this format. `mapping` tells, column by column, which part of
    the trace it becomes. `example` is one row, as JSON.
    """

    name: str
    about: str
    example: str
    mapping: tuple[tuple[str, str], ...]
    marks: tuple[frozenset[str], ...]
    convert: Callable[[dict, str], dict]

    def fits(self, row: dict) -> bool:
        return any(row.keys() >= fields for fields in self.marks)


def payload(prompt: str, steps: Iterable[str], step_type: str, final_answer: str, meta: dict) -> dict:
    """A payload whose steps are all of one type, numbered from 0."""
    return {
        "trace_version": TRACE_VERSION,
        "prompt": prompt,
        "steps": [{"i": i, "type": step_type, "content": step} for i, step in enumerate(steps)],
        "final_answer": final_answer,
        "meta": meta,
    }


def meta_of(row: dict, source: str, read: Iterable[str]) -> dict:
    """Where a row comes from, and what it holds beyond the fields that were read."""
    return {"source": source} | {key: value for key, value in row.items() if key not in read}


def text_of(obj: dict, key: str, loc: Loc = ()) -> str:
    """The text under `key`; raises Invalid where there is none."""
    if key not in obj:
        raise Invalid(Fault((*loc, key), "is missing; give a text", "missing_field"))
    if not isinstance(obj[key], str):
        raise Invalid(Fault((*loc, key), f"is {kind(obj[key])}; it must be a text", "wrong_type"))
    return obj[key]


def lines_of(text: str) -> list[str]:
    """The non-blank lines; only "\\n" ends a line, as in the files themselves."""
    return [line.strip() for line in text.split("\n") if line.strip()]
