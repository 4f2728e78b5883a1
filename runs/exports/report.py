"""The report of a run: one HTML file that holds everything it shows, for people who have neither this program nor a
network. No script, no link to anything outside: its own policy forbids both, whatever a model wrote.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from runs import panels, reading
from runs.models import Evaluation, Run
from runs.verdicts import CHUNK, BeforeAfter
from training.errors import Invalid
from training.record import read_record
from tunixrt.lib.errors import Conflict

SHEETS = ("tunixrt/style.css", "tunixrt/report.css")
MOST_CHANGED = 1000  # changed items that it shows side by side, and it says when there are more
SHOWN = 4000  # characters of a text


@dataclass(frozen=True)
class Side:
    """What one of the two checkpoints answered to an item. `beyond`: characters of the output that are left out."""

    stage: str
    row: Mapping[str, Any]
    steps: list[reading.Step]

    @property
    def output(self) -> str:
        return self.row["output"][:SHOWN]

    @property
    def beyond(self) -> int:
        return max(0, len(self.row["output"]) - SHOWN)


@dataclass(frozen=True)
class Changed:
    """An item that was won or lost, with both answers."""

    won: bool
    sides: list[Side]

    @property
    def question(self) -> Mapping[str, Any]:
        return self.sides[0].row


def report_of(run: Run) -> Iterator[tuple[PurePosixPath, str]]:
    """The report as the only file of its export. Raises Conflict when training has not been examined on both sides."""
    verdict = panels.verdict(run)
    if verdict is None:
        msg = f"{run} has not been examined before and after training: it is {run.state}."
        raise Conflict(msg, code="not_examined")
    context = {
        "run": run,
        "verdict": verdict,
        "curve": panels.curve([run], {}),
        "changed": _changed(run, verdict.found),
        "changed_count": len(verdict.found.comparison.changed),
        "record": _record(run),
        **_style(),
    }
    yield PurePosixPath(f"report-{str(run.pk)[-8:]}.html"), render_to_string("runs/report.html", context)


def _changed(run: Run, found: BeforeAfter) -> list[Changed]:
    """The first changed items with what was said to them; only their answers are read."""
    changes = found.comparison.changed[:MOST_CHANGED]
    ids = [change.base["id"] for change in changes]
    before, after = (_answers(evaluation, ids) for evaluation in (found.before, found.after))
    recipe = run.config["data"]["recipe"]
    return [
        Changed(
            change.won,
            [_side("before", before[change.base["id"]], recipe), _side("after", after[change.base["id"]], recipe)],
        )
        for change in changes
    ]


def _answers(evaluation: Evaluation, ids: list[str]) -> dict[str, dict[str, Any]]:
    """The rows of these items by their ids, asked for in parts that every database takes."""
    rows: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), CHUNK):
        predictions = evaluation.predictions.filter(item__item_id__in=ids[start : start + CHUNK])
        rows |= {row.item.item_id: row.to_dict() for row in predictions.select_related("item")}
    return rows


def _side(stage: str, row: Mapping[str, Any], recipe: str) -> Side:
    return Side(stage, row, reading.read_steps(row["prompt"], row["output"][:SHOWN], recipe))


def _record(run: Run) -> dict[str, Any]:
    with suppress(Invalid):
        return read_record(run.directory)
    return {}


def _style() -> dict[str, str | SafeString]:
    """The sheets of the pages in one, and the hash by which the report's policy allows that one and no other."""
    sheet = "\n".join(_read(name) for name in SHEETS)
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return {"sheet": mark_safe(sheet), "sheet_hash": f"sha256-{digest}"}  # noqa: S308 (our own files)


def _read(name: str) -> str:
    path = finders.find(name)
    if path is None:
        raise FileNotFoundError(f"the style sheet {name} is not part of this installation")
    return Path(path).read_text()
