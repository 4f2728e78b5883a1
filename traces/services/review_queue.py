"""What a person reviews next, and what the page of it shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, Max, OuterRef, Prefetch, Subquery
from django.db.models.functions import Coalesce

from traces.judged import JudgedStep, judged_steps
from traces.models import Score, StepReview, Trace, TraceQuerySet
from traces.services.reviews import MISTAKE
from traces.services.selection import Count as Counted

COUNTED = 1_000  # traces of a queue
# By time like any list, but in words that no index answers: PostgreSQL, which reckons with an early hit, would else
# walk a million traces to find that none is left.
GATHERED = Coalesce("created_at", "created_at").desc()


@dataclass(frozen=True)
class ReviewStep:
    """A step as one person sees it, with what scorers say of it; `number` counts from 1."""

    number: int
    judged: JudgedStep
    review: StepReview | None
    is_open: bool  # this person may rate it: it does not follow a mistake of theirs


@dataclass(frozen=True)
class ReviewSheet:
    """A trace that one person reviews."""

    trace: Trace
    steps: list[ReviewStep]
    asked: object  # the `i` of the step that they want to look at; None, or anything else, for no wish

    @cached_property
    def is_finished(self) -> bool:
        """Whether the person got to the end: a mistake, or a rating of every step."""
        return all(step.review or not step.is_open for step in self.steps)

    @cached_property
    def current(self) -> ReviewStep:
        """The step asked for, else the first that has no rating yet, else the last that has one."""
        asked = [step for step in self.steps if step.judged.i == self.asked]
        unrated = [step for step in self.steps if step.is_open and not step.review]
        rated = [step for step in self.steps if step.review]
        return [*asked, *unrated, *rated[::-1]][0]

    @property
    def before(self) -> ReviewStep | None:
        return self._neighbour(-1)

    @property
    def after(self) -> ReviewStep | None:
        return self._neighbour(1)

    @property
    def is_fresh(self) -> bool:
        """Whether the person comes to it now: nothing is rated, and they look at the first step."""
        return self.current is self.steps[0] and not any(step.review for step in self.steps)

    def _neighbour(self, distance: int) -> ReviewStep | None:
        place = self.steps.index(self.current) + distance
        return self.steps[place] if 0 <= place < len(self.steps) else None


@dataclass(frozen=True)
class Disagreement:
    """A step that one person calls a mistake and another does not."""

    trace: Trace
    number: int  # the step's, from 1
    step: JudgedStep


@dataclass(frozen=True)
class Ahead:
    """What is left in a queue: the next trace, and how many there are, counted up to COUNTED."""

    next: UUID | None
    count: Counted


def review_queue(*, filters: dict[str, Any], by, skipped: Iterable[UUID | str] = ()) -> TraceQuerySet:
    """The traces that pass the filters and that this person neither finished nor skipped, newest first."""
    mine = StepReview.objects.filter(trace=OuterRef("pk"), reviewer=by)
    rated = Subquery(mine.values("trace").annotate(steps=Count("pk")).values("steps"))
    # What `finished` says, asked of each trace in turn: PostgreSQL would reckon the list of all that are finished
    # anew for every trace and so prefer to read the whole table.
    waiting = Trace.objects.visible().matching(filters).alias(rated=Coalesce(rated, 0))
    waiting = waiting.filter(~Exists(mine.filter(rating=MISTAKE)), rated__lt=F("step_count"))
    queue = waiting.exclude(pk__in=list(skipped))
    is_sparse = any(_is_sparse(name, value) for name, value in filters.items())
    return queue.order_by(GATHERED, "-pk") if is_sparse else queue.newest_first()


def queue_ahead(queue: TraceQuerySet) -> Ahead:
    """Reads a queue once, for its head and its length."""
    ids = list(queue.values_list("pk", flat=True)[: COUNTED + 1])
    return Ahead(ids[0] if ids else None, Counted(min(len(ids), COUNTED), len(ids) > COUNTED))


def finished_count(by) -> int:
    """How many traces a person got to the end of."""
    return StepReview.objects.filter(reviewer=by).finished().count()


def has_finished(trace: Trace, by) -> bool:
    return StepReview.objects.filter(trace=trace, reviewer=by).finished().exists()


def review_sheet(*, traces: TraceQuerySet, by, step: object = None) -> ReviewSheet | None:
    """The first of some traces, laid out for a person who looks at the step with this `i`; None when there is none."""
    trace = _with_reviews(traces, StepReview.objects.filter(reviewer=by)).first()
    return ReviewSheet(trace, _steps(trace), step) if trace else None


def disputed_steps() -> Any:
    """The steps that people disagree about, those with the latest word first. As values: trace, step."""
    return StepReview.objects.disputed().annotate(latest=Max("created_at")).order_by("-latest", "trace", "step")


def disagreements(rows: Iterable[dict]) -> list[Disagreement]:
    """Rows of `disputed_steps` with what each person said, leaving out traces that cannot be seen now."""
    rows = list(rows)
    reviews = StepReview.objects.select_related("reviewer").order_by("rating", "created_at")
    traces = _with_reviews(Trace.objects.visible(), reviews).in_bulk({row["trace"] for row in rows})
    steps = {
        pk: {step.i: (number, step) for number, step in enumerate(judged_steps(trace), 1)}
        for pk, trace in traces.items()
    }
    return [Disagreement(traces[pk], *steps[pk][row["step"]]) for row in rows if (pk := row["trace"]) in traces]


def _is_sparse(name: str, value: Any) -> bool:
    """Whether a filter passes few of very many traces, so that gathering them beats a walk from the newest on."""
    if name == "review.is":
        return value != "unreviewed"
    return value is True and name.startswith(("wrong.", "scorers.", "twin."))


def _with_reviews(traces: TraceQuerySet, reviews) -> TraceQuerySet:
    scores = Score.objects.order_by("scorer", "-created_at", "-pk")
    return traces.defer("words", "meta").prefetch_related(Prefetch("scores", scores), Prefetch("reviews", reviews))


def _steps(trace: Trace) -> list[ReviewStep]:
    """The steps of a trace whose `reviews` were fetched for one person."""
    judged = judged_steps(trace)
    mistakes = [step.i for step in judged for review in step.reviews if review.rating == MISTAKE]
    return [
        ReviewStep(
            number=number,
            judged=step,
            review=step.reviews[0] if step.reviews else None,
            is_open=not mistakes or step.i <= mistakes[0],
        )
        for number, step in enumerate(judged, start=1)
    ]
