"""Scoring by rule."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction

from traces.filters import read_filters
from traces.models import Score, Scoring, Trace, TraceQuerySet
from traces.pipeline.scoring import ScoreTraces, chunks, keep_scores, score_rows
from traces.scorers import SCORERS, Scorer
from traces.scorers import scorer as find_scorer
from training.errors import Fault, Invalid
from tunixrt.jobs import work
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict

ALL = "all"  # in place of a scorer's name


def score_trace(*, trace: Trace, scorer: str = "baseline", by) -> Score:
    """Scores one trace now; a score by the same version is replaced. Raises Invalid for an unknown scorer."""
    judge = find_scorer(scorer)
    points, details = judge.score(trace.payload)
    return Score.objects.update_or_create(
        trace=trace,
        scorer=judge.name,
        version=judge.version,
        defaults={"score": points, "first_wrong": details.get("first_wrong"), "details": details, "created_by": by},
    )[0]


def score_traces(*, traces: TraceQuerySet, scorer: str = "baseline", by) -> int:
    """Scores traces now, for as many as a person waits for; returns how many they are.

    `scorer` is a name or "all". A trace that has the score already keeps it. Raises Invalid for an unknown scorer.
    """
    judges = read_scorers([scorer])
    for _, chunk in chunks(traces, judges):
        keep_scores(score_rows(chunk, judges, by=by and by.pk))
    return traces.count()


def begin_scoring(
    *,
    scorers: Iterable[str],
    filters: dict[str, Any],
    by,
    at_once: bool = False,
    watch: Callable[[Job], None] | None = None,
) -> Scoring:
    """Scores all traces that pass `filters`, now if `at_once`, else a worker does; its job tells how far it is.

    `watch` is told of the progress made at once. Raises Invalid for an unknown scorer or filter.
    """
    names = [judge.name for judge in read_scorers(list(scorers))]
    scoring = Scoring(scorers=names, filters=read_filters(filters), created_by=by)
    with transaction.atomic():
        scoring.save()
        job = work.enqueue(ScoreTraces.kind, target=scoring.pk, created_by=by, here=at_once)
    if at_once:
        work.perform(job.pk, watch)
        scoring.refresh_from_db()
    return scoring


def cancel_scoring(*, scoring: Scoring) -> None:
    """Stops a scoring; what it has scored stays. Raises Conflict when it has ended."""
    job = scoring.job
    if job is None or not job.is_open:
        raise Conflict(f"The {scoring} has ended.", code="wrong_state")
    work.cancel(job)


def open_scorings() -> list[Scoring]:
    """Those that wait or are under way, the oldest first."""
    targets = Job.objects.open().filter(kind=ScoreTraces.kind).values("target")
    return list(Scoring.objects.filter(pk__in=targets).order_by("created_at", "pk"))


def read_scorers(names: Sequence[Any]) -> list[Scorer]:
    """The named scorers, each once; "all" means every one there is. Raises Invalid."""
    if not names:
        raise Invalid(Fault(("scorers",), 'names no scorer; give at least one, or "all"', "empty"))
    try:
        named = dict.fromkeys(find_scorer(name) for name in names if name != ALL)
        return list(SCORERS.values()) if ALL in names else list(named)
    except Invalid as invalid:
        raise Invalid(replace(fault, loc=("scorers",)) for fault in invalid.faults)
