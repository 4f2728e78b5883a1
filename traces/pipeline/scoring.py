"""Scoring traces, few or all of them."""

import json
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, F
from django.utils import timezone

from traces.models import Score, Scoring, Trace, TraceQuerySet
from traces.models.queries import scores_by
from traces.scorers import SCORERS, Scorer
from tunixrt.jobs.models import Job
from tunixrt.jobs.work import Work
from tunixrt.lib.bulk import insert

CHUNK_ROWS = 500  # one transaction, well below 100 ms: the judging happens before it
ATTEMPTS = 3  # at one chunk whose traces are deleted meanwhile
COLUMNS = ("trace_id", "scorer", "version", "score", "first_wrong", "details", "created_by_id", "created_at")


class ScoreTraces(Work):
    """Gives every trace that passes the filters of a Scoring the scores that it lacks.

    Scorers are pure and traces never change, so a score that is there need not be given again: whoever resumes, or
    asks twice, goes on with what is missing.
    """

    kind = "score_traces"

    def body(self, job: Job) -> None:
        scoring = Scoring.objects.get(pk=job.target)
        judges = [SCORERS[name] for name in scoring.scorers if name in SCORERS]
        chosen = Trace.objects.visible().matching(scoring.filters)
        missing = lacking(chosen, judges)
        total = chosen.count()
        done = total - missing.count()
        job.tick(done, total, "begun")
        for traces in chunks(missing):
            rows = score_rows(traces, judges, by=scoring.created_by_id)
            done = min(done + len(traces), total)
            _keep(rows, scoring, job, done)


def lacking(traces: TraceQuerySet, judges: Sequence[Scorer]) -> TraceQuerySet:
    """Those of `traces` that lack a score by the present version of one of the scorers."""
    return traces.filter(reduce(or_, (~Exists(scores_by(judge.name)) for judge in judges)))


def chunks(traces: TraceQuerySet) -> Iterator[list[Trace]]:
    """The traces in the order of their ids, read anew for each chunk: nothing is held open while they are judged."""
    after = UUID(int=0)
    while chunk := list(traces.filter(pk__gt=after).order_by("pk").only("canonical")[:CHUNK_ROWS]):
        yield chunk
        after = chunk[-1].pk


def score_rows(traces: Sequence[Trace], judges: Sequence[Scorer], *, by: int | None) -> list[tuple]:
    """The scores that the traces lack, as rows of COLUMNS."""
    known = set(Score.objects.filter(trace__in=traces).values_list("trace_id", "scorer", "version"))
    moment = timezone.now()
    rows = []
    for trace in traces:
        wanted = [judge for judge in judges if (trace.pk, judge.name, judge.version) not in known]
        payload = trace.payload
        for judge in wanted:
            points, details = judge.score(payload)
            first_wrong, text = details.get("first_wrong"), json.dumps(details, allow_nan=False)
            rows.append((trace.pk, judge.name, judge.version, points, first_wrong, text, by, moment))
    return rows


def keep_scores(rows: Sequence[tuple]) -> int:
    """Stores rows of COLUMNS, but for those of traces that are gone; returns how many. What is there already stays."""
    with transaction.atomic():
        there = set(Trace.objects.filter(pk__in={row[0] for row in rows}).values_list("pk", flat=True))
        kept = [row for row in rows if row[0] in there]
        insert(Score, COLUMNS, kept, keep=True)
    return len(kept)


def _keep(rows: Sequence[tuple], scoring: Scoring, job: Job, done: int) -> None:
    """Stores a chunk together with the sign of life that tells of it."""
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                job.tick(done, message=f"{done:,} traces scored by {', '.join(scoring.scorers)}")
                job.made_progress()
                Scoring.objects.filter(pk=scoring.pk).update(scored_count=F("scored_count") + keep_scores(rows))
                return
        except IntegrityError:  # one of the traces was deleted after it had been seen there
            if attempt == ATTEMPTS - 1:
                raise
