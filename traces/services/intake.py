"""Traces that come in one by one, in batches, or from a generator."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from traces.models import Trace
from training.canonical import stable_id

CHUNK_ROWS = 500
BATCH_ROWS = 1000


def store_traces(
    *, payloads: Iterable[dict], by, ids: Sequence[UUID] | None = None, created_at: datetime | None = None
) -> list[Trace]:
    """Stores payloads that `read_trace` has accepted, all or none, whether or not their content is known already."""
    moment = created_at or timezone.now()
    traces = [Trace.from_payload(payload, created_by=by, created_at=moment) for payload in payloads]
    for trace, trace_id in zip(traces, ids or (), strict=bool(ids)):
        trace.id = trace_id
    with transaction.atomic():
        for start in range(0, len(traces), CHUNK_ROWS):
            Trace.objects.insert(traces[start : start + CHUNK_ROWS])
    return traces


def store_stable_traces(*, payloads: Iterable[dict], start: int = 0, by) -> tuple[list[UUID], int]:
    """Stores what is not there yet of a golden or generated set; returns the ids of all and the number of new ones.

    The ids come from content and index, the first of which is `start`, so a second call, or one that was cut short
    before, adds only what is missing.
    """
    moment, rows = timezone.now(), enumerate(payloads, start)
    ids: list[UUID] = []
    new = 0
    while chunk := {stable_id(payload, index): payload for index, payload in islice(rows, CHUNK_ROWS)}:
        ids += chunk
        with transaction.atomic():
            known = set(Trace.objects.filter(pk__in=chunk).values_list("pk", flat=True))
            missing = [
                Trace.from_payload(payload, id=trace_id, created_by=by, created_at=moment)
                for trace_id, payload in chunk.items()
                if trace_id not in known
            ]
            Trace.objects.insert(missing, ignore_known=True)  # somebody may be storing the same set right now
        new += len(missing)
    return ids, new
