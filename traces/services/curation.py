"""What is done with traces that are there: compare, tag, delete."""

from dataclasses import dataclass

from django.db.models import ProtectedError

from traces.comparison import StepPair, align_steps
from traces.models import Trace
from traces.scorers import scorer as find_scorer
from tunixrt.lib.errors import Conflict


@dataclass(frozen=True)
class Side:
    """One of two compared traces, with its baseline score."""

    trace: Trace
    score: float


@dataclass(frozen=True)
class Comparison:
    base: Side
    other: Side
    steps: list[StepPair]


def compare(*, base: Trace, other: Trace) -> Comparison:
    """Two traces with their baseline scores, as of now, and their steps aligned by number."""
    judge = find_scorer("baseline")
    left, right = (Side(trace, judge.score(trace.payload)[0]) for trace in (base, other))
    return Comparison(left, right, align_steps(base.steps, other.steps))


def delete_trace(*, trace: Trace) -> None:
    """Deletes a trace with its scores. Raises Conflict when a dataset holds it or a correction stems from it."""
    try:
        trace.delete()
    except ProtectedError as error:
        corrected = any(isinstance(holder, Trace) for holder in error.protected_objects)
        reason = "another trace is a correction of it" if corrected else "a dataset holds it"
        raise Conflict(f"The trace cannot be deleted: {reason}.", code="held")
