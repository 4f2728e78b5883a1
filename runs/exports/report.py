"""The report of a run: one HTML file that holds everything it shows, for people who have neither this program nor a
network. No script, no link to anything outside: its own policy forbids both, whatever a model wrote.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from runs import panels, reading
from runs.models import Run
from training.errors import Invalid
from training.record import read_record
from training.results import Change
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

    change: Change
    recipe: str

    @property
    def question(self) -> Mapping[str, Any]:
        return self.change.base

    @cached_property
    def sides(self) -> list[Side]:
        rows = (("before", self.change.base), ("after", self.change.other))
        return [Side(stage, row, self._steps(row)) for stage, row in rows]

    def _steps(self, row: Mapping[str, Any]) -> list[reading.Step]:
        return reading.read_steps(row["prompt"], row["output"][:SHOWN], self.recipe)


def report_of(run: Run) -> Iterator[tuple[PurePosixPath, str]]:
    """The report as the only file of its export. Raises Conflict when training has not been examined on both sides."""
    verdict = panels.verdict(run)
    if verdict is None:
        raise Conflict(
            f"{run} has not been examined before and after training: it is {run.state}.", code="not_examined"
        )
    changed = verdict.comparison.changed
    context = {
        "run": run,
        "verdict": verdict,
        "curve": panels.curve([run], {}),
        "changed": [Changed(change, run.config["data"]["recipe"]) for change in islice(changed, MOST_CHANGED)],
        "changed_count": len(changed),
        "leaks": run.dataset.is_contaminated,
        "record": _record(run),
        **_style(),
    }
    yield PurePosixPath(f"report-{str(run.pk)[-8:]}.html"), render_to_string("runs/report.html", context)


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
