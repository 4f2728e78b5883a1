"""What is done with traces that are there: compare, tag, export, delete."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import ProtectedError

from traces.comparison import StepPair, align_steps
from traces.models import Band, Tag, Trace, TraceQuerySet
from traces.models.trace import MAX_TAG
from traces.scorers import scorer as find_scorer
from training.errors import Fault, Invalid
from training.json_rules import Loc, text_faults
from training.marking import Piece, marked
from tunixrt.lib.bulk import insert
from tunixrt.lib.errors import Conflict, Rule

CHUNK_ROWS = 2_000
TAGGED_AT_ONCE = 100_000


@dataclass(frozen=True)
class Side:
    """One of two compared traces, with its baseline score."""

    trace: Trace
    score: float | None


@dataclass(frozen=True)
class Comparison:
    base: Side
    other: Side
    steps: list[StepPair]

    @property
    def prompts(self) -> tuple[list[Piece], list[Piece]]:
        """Both prompts in pieces, those that differ marked."""
        return marked(self.base.trace.prompt, self.other.trace.prompt)

    @property
    def first_difference(self) -> int | None:
        """The place of the first steps that are not the same."""
        return next((place for place, pair in enumerate(self.steps) if not pair.same), None)

    @property
    def same_count(self) -> int:
        return sum(pair.same for pair in self.steps)


def compare(*, base: Trace, other: Trace) -> Comparison:
    """Two traces with their baseline scores, as of now, and their steps aligned."""
    judge = find_scorer("baseline")
    left, right = (Side(trace, judge.score(trace.payload)[0]) for trace in (base, other))
    return Comparison(left, right, align_steps(base.steps, other.steps))


def tag_traces(*, traces: TraceQuerySet, name: str) -> int:
    """Puts a tag on the traces and returns how many those are. Raises Invalid for a bad name, Rule for too many."""
    name = tag_name(name)
    found = list(traces.order_by().values_list("pk", flat=True)[: TAGGED_AT_ONCE + 1])
    if len(found) > TAGGED_AT_ONCE:
        raise Rule(f"At most {TAGGED_AT_ONCE:,} traces are tagged at once. Narrow the filter.", code="too_many")
    for start in range(0, len(found), CHUNK_ROWS):
        with transaction.atomic():  # a short one: others write too, and may have deleted some
            there = Trace.objects.filter(pk__in=found[start : start + CHUNK_ROWS]).values_list("pk", flat=True)
            insert(Tag, ("trace_id", "name"), [(trace_id, name) for trace_id in there], keep=True)
    return len(found)


def untag_traces(*, traces: TraceQuerySet, name: str) -> int:
    """Takes a tag off the traces and returns how many had it. Raises Invalid for a bad name."""
    return Tag.objects.filter(name=tag_name(name), trace__in=traces.order_by().values("pk")).delete()[0]


def export_traces(traces: TraceQuerySet) -> Iterator[str]:
    """The traces, oldest first, as lines that an import reads again: the canonical text of each, to the byte."""
    rows = traces.order_by("created_at", "pk").values_list("canonical", flat=True)
    return (f"{text}\n" for text in rows.iterator(CHUNK_ROWS))


def delete_trace(*, trace: Trace) -> None:
    """Deletes a trace with its scores. Raises Conflict when a dataset holds it or a correction stems from it."""
    try:
        with transaction.atomic():
            Band.objects.filter(trace__in=trace.twins.values("trace")).delete()  # they are to be compared anew
            trace.delete()
    except ProtectedError as error:
        corrected = any(isinstance(holder, Trace) for holder in error.protected_objects)
        reason = "another trace is a correction of it" if corrected else "a dataset holds it"
        raise Conflict(f"The trace cannot be deleted: {reason}.", code="held")


def tag_name(name: str, loc: Loc = ("tag",)) -> str:
    """A tag as it is stored, without blanks around it. Raises Invalid for one that is empty, too long or no text."""
    name = name.strip()
    faults = list(text_faults(name, loc))
    if not 0 < len(name) <= MAX_TAG:
        faults.append(Fault(loc, f"has {len(name)} characters; 1 to {MAX_TAG} are allowed", "wrong_value"))
    if faults:
        raise Invalid(faults)
    return name
