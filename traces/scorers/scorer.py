"""What a scorer is. Each one is a file beside this one that holds one `Scorer`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

MAX_MARKS = 50  # steps that details may speak of
MAX_REASON = 200  # characters of the reason for one step

Judged = tuple[float | None, dict]
"""Points from 0 to 100, None where there is nothing to judge, and the details they come from (JSON).

One that tells right steps from wrong ones gives `details["steps"]`, a list of `{"i", "ok", "reason"}`, and
`details["first_wrong"]`, the `i` of the first wrong one or None. One that has other things to say of single steps gives
`details["remarks"]`, a list of `{"i", "reason"}`. Long lists are cut.
"""


@dataclass(frozen=True)
class Scorer:
    """`score(payload)` judges a payload that `training.schema.read_trace` has accepted.

    `version` changes whenever the same trace could get another score. `verdict` tells that few points mean wrong
    rather than plain, `steps` that it says so of single steps. `order` is the place in lists.
    """

    name: str
    version: str
    title: str
    description: str
    score: Callable[[dict], Judged]
    order: int
    verdict: bool = False
    steps: bool = False


class StepMark(NamedTuple):
    """Whether the step with this `i` is right; `reason` says what is wrong, or ""."""

    i: int
    ok: bool
    reason: str = ""


def marked(marks: Iterable[StepMark]) -> dict:
    """The `steps` and `first_wrong` of details; when there are many marks, the wrong ones stay."""
    marks = list(marks)
    wrong = [mark for mark in marks if not mark.ok][:MAX_MARKS]
    room = MAX_MARKS - len(wrong)
    right = [mark for mark in marks if mark.ok][:room]
    kept = sorted({mark.i: mark for mark in (*wrong, *right)}.values(), key=lambda mark: mark.i)
    return {
        "first_wrong": wrong[0].i if wrong else None,
        "steps": [{"i": mark.i, "ok": mark.ok, "reason": mark.reason[:MAX_REASON]} for mark in kept],
    }


def remarked(remarks: Iterable[tuple[int, str]]) -> dict:
    """The `remarks` of details from (`i`, reason) pairs."""
    return {"remarks": [{"i": i, "reason": reason[:MAX_REASON]} for i, reason in islice(remarks, MAX_MARKS)]}
