"""What a scorer is. Each one is a file beside this one that holds one `Scorer`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

MAX_MARKS = 50  # steps that details may speak of
MAX_REASON = 200  # characters of the reason for one step

Judged = tuple[float | None, dict]
"""Points from 0 to 100, None where there is nothing to judge, and the details they come from (JSON).

Where a scorer speaks of single steps, `details["steps"]` is a list of `{"i", "ok", "reason"}`; one that knows right
from wrong also gives `details["first_wrong"]`, the `i` of the first wrong step or None.
"""


@dataclass(frozen=True)
class Scorer:
    """`score(payload)` judges a payload that `training.schema.read_trace` has accepted.

    `version` changes whenever the same trace could get another score. `verdict` tells that few points mean wrong
    rather than plain. `order` is the place in lists.
    """

    name: str
    version: str
    title: str
    description: str
    score: Callable[[dict], Judged]
    order: int
    verdict: bool = False


class StepMark(NamedTuple):
    """What a scorer has to say of the step with this `i`; `reason` says what is wrong, or ""."""

    i: int
    ok: bool
    reason: str = ""


def marked(marks: Iterable[StepMark]) -> dict:
    """The `steps` and `first_wrong` of details; when there are many marks, the bad ones stay."""
    marks = list(marks)
    kept = (
        sorted(sorted(marks, key=lambda mark: mark.ok)[:MAX_MARKS], key=marks.index)
        if len(marks) > MAX_MARKS
        else marks
    )
    return {
        "first_wrong": next((mark.i for mark in marks if not mark.ok), None),
        "steps": [{"i": mark.i, "ok": mark.ok, "reason": mark.reason[:MAX_REASON]} for mark in kept],
    }
