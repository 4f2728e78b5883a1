"""Scoring by rule."""

from collections.abc import Iterator
from itertools import islice

from django.db.models import QuerySet
from django.utils import timezone

from traces.models import Score, Trace
from traces.scorers import scorer as find_scorer

CHUNK_ROWS = 500


def score_traces(*, traces: QuerySet[Trace], scorer: str = "baseline", by) -> int:
    """Scores each trace and returns how many. A score by the same scorer and version is replaced."""
    return sum(1 for _ in _score(traces, scorer, by))


def score_trace(*, trace: Trace, scorer: str = "baseline", by) -> Score:
    """Scores one trace; raises Invalid for an unknown scorer."""
    return next(_score(Trace.objects.filter(pk=trace.pk), scorer, by))


def _score(traces: QuerySet[Trace], scorer: str, by) -> Iterator[Score]:
    judge = find_scorer(scorer)
    rows = traces.only("canonical").order_by("pk").iterator(CHUNK_ROWS)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        moment = timezone.now()
        scores = []
        for trace in chunk:
            points, details = judge.score(trace.payload)
            scores.append(
                Score(
                    trace=trace,
                    scorer=judge.name,
                    version=judge.version,
                    score=points,
                    details=details,
                    created_by=by,
                    created_at=moment,
                )
            )
        yield from Score.objects.bulk_create(
            scores,
            update_conflicts=True,
            unique_fields=["trace", "scorer", "version"],
            update_fields=["score", "details", "created_by", "created_at"],
        )
