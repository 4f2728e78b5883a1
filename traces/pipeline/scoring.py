"""Scoring traces, few or all of them."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from traces.models import Score, Scoring, Trace, TraceQuerySet
from traces.scorers import SCORERS, Scorer
from tunixrt.jobs.models import Job
from tunixrt.jobs.work import Work
from tunixrt.lib.bulk import insert

CHUNK_ROWS = 500  # traces; storing their scores by all scorers is one transaction of about 100 ms
ATTEMPTS = 3  # at one chunk whose traces are deleted meanwhile
COLUMNS = ("trace_id", "scorer", "version", "score", "first_wrong", "details", "created_by_id", "created_at")


class ScoreTraces(Work):
    """Gives every trace that passes the filters of a Scoring the scores that it lacks.

    Scorers are pure and traces never change, so a score that is there need not be given again: whoever resumes, or
    asks twice, goes on with what is missing.
    """

    kind = "score_traces"
    page = "scoring_detail"

    def body(self, job: Job) -> None:
        scoring = Scoring.objects.get(pk=job.target)
        judges = [SCORERS[name] for name in scoring.scorers if name in SCORERS]
        chosen = Trace.objects.visible().matching(scoring.filters)
        total = chosen.count()
        job.tick(0, total, "begun")
        for done, traces in chunks(chosen, judges):
            _keep(score_rows(traces, judges, by=scoring.created_by_id), scoring, job, min(done, total))


def chunks(traces: TraceQuerySet, judges: Sequence[Scorer]) -> Iterator[tuple[int, list[Trace]]]:
    """Those of `traces` that lack a score, in the order of their ids, each time with how many were passed so far.

    What lacks is asked for a range of ids at a time: asked for all at once, every chunk would read all the scores there
    are. Nothing is held open while traces are judged.
    """
    done, after = 0, UUID(int=0)
    while ids := list(traces.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CHUNK_ROWS]):
        known = _by(judges).filter(trace__gt=after, trace__lte=ids[-1]).values_list("trace_id", flat=True)
        counts = Counter(known)
        done, after = done + len(ids), ids[-1]
        missing = [pk for pk in ids if counts[pk] < len(judges)]
        yield done, list(Trace.objects.filter(pk__in=missing).only("canonical")) if missing else []


def _by(judges: Sequence[Scorer]) -> QuerySet[Score]:
    """The scores by the present versions of these scorers."""
    either = reduce(or_, (Q(scorer=judge.name, version=judge.version) for judge in judges))
    return Score.objects.filter(either)


def score_rows(traces: Sequence[Trace], judges: Sequence[Scorer], *, by: int | None) -> list[tuple]:
    """The scores that the traces lack, as rows of COLUMNS."""
    known = set(_by(judges).filter(trace__in=traces).values_list("trace_id", "scorer"))
    moment = timezone.now()
    rows = []
    for trace in traces:
        wanted = [judge for judge in judges if (trace.pk, judge.name) not in known]
        payload = trace.payload
        for judge in wanted:
            points, details = judge.score(payload)
            first_wrong, text = details.get("first_wrong"), json.dumps(details, allow_nan=False)
            rows.append((trace.pk, judge.name, judge.version, points, first_wrong, text, by, moment))
    return rows


def keep_scores(rows: Sequence[tuple]) -> int:
    """Stores rows of COLUMNS, but for those of traces that are gone; returns how many. What is there already stays."""
    if not rows:
        return 0
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
