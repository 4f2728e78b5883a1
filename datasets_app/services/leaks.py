"""A leak as a person looks at it: the train row and the question it gives away, side by side."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from datasets_app.gates import CONTAMINATION
from datasets_app.models import Dataset
from datasets_app.pipeline.asked import sources
from traces.models import Trace
from training.firewall import spans
from tunixrt.lib.errors import NotFound


class Piece(NamedTuple):
    """A part of a text, and whether the other side has it too."""

    text: str
    shared: bool


class Pair(NamedTuple):
    """The same part of both sides, in pieces."""

    name: str
    row: list[Piece]
    item: list[Piece]


@dataclass(frozen=True)
class Leak:
    """A finding of the firewall with the texts behind it; `pairs` is empty when either is gone."""

    finding: dict[str, Any]
    number: int
    count: int
    evalset: str | None
    pairs: list[Pair]


def leak_of(dataset: Dataset, number: int) -> Leak:
    """The leak with this number, from 0, of those that the dataset keeps. Raises NotFound when there is none."""
    found = dataset.result_of(CONTAMINATION)
    findings = found["findings"] if found else []
    if number >= len(findings):
        raise NotFound(f"{dataset} keeps {len(findings)} leaks; there is none with number {number}.")
    finding = findings[number]
    source = next((each for each in sources(dataset, dataset.rows_path) if each.name == finding["source"]), None)
    item = source.item(finding["item"]) if source else None
    trace = Trace.objects.filter(pk=finding["row"]).first()
    pairs = _pairs(trace.payload, item) if trace and item else []
    return Leak(finding, number, len(findings), source.evalset if source else None, pairs)


def _pairs(row: dict[str, Any], item: Any) -> list[Pair]:
    """Prompts beside each other, and the worked answers."""
    worked, reference = (_steps(each.get("steps", ())) for each in (row, item))
    return [
        _pair("Prompt", row["prompt"], item["prompt"]),
        _pair("Steps", worked, reference),
        _pair("Answer", row["final_answer"], item["expected_answer"]),
    ]


def _steps(steps: Any) -> str:
    return "\n".join(step["content"] for step in steps)


def _pair(name: str, ours: str, theirs: str) -> Pair:
    shared = spans(ours, theirs)
    return Pair(name, *(_cut(text, places) for text, places in zip((ours, theirs), shared, strict=True)))


def _cut(text: str, shared: list[tuple[int, int]]) -> list[Piece]:
    """The text in pieces, at the places of what is shared."""
    pieces, at = [], 0
    for start, end in shared:
        pieces += [Piece(text[at:start], False), Piece(text[start:end], True)]
        at = end
    return [piece for piece in (*pieces, Piece(text[at:], False)) if piece.text]
