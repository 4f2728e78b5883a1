"""Traces that come in one by one, in batches, or from a generator."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from traces.models import Trace
from traces.rows import row_of, tags_in
from training.canonical import stable_id
from tunixrt.lib.ids import uuid7

CHUNK_ROWS = 500
BATCH_ROWS = 1000


def store_traces(
    *, payloads: Iterable[dict], by, ids: Sequence[UUID] | None = None, created_at: datetime | None = None
) -> list[UUID]:
    """Stores payloads that `read_trace` has accepted, all or none, whether or not their content is known already.

    Returns their ids, which are `ids` if given.
    """
    payloads = list(payloads)
    ids = list(ids or (uuid7() for _ in payloads))
    _insert(dict(zip(ids, payloads, strict=True)), by=by, created_at=created_at or timezone.now())
    return ids


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
            missing = {trace_id: payload for trace_id, payload in chunk.items() if trace_id not in known}
            _insert(missing, by=by, created_at=moment, ignore_known=True)  # somebody may be storing the same right now
        new += len(missing)
    return ids, new


def _insert(payloads: dict[UUID, dict], *, by, created_at: datetime, ignore_known: bool = False) -> None:
    """Rows are made while the database takes those before them."""
    who = by and by.pk
    rows = (row_of(payload, id=key, created_at=created_at, created_by=who) for key, payload in payloads.items())
    tags = [(key, name) for key, payload in payloads.items() for name in tags_in(payload["meta"])]
    with transaction.atomic():
        Trace.objects.insert(rows, tags, ignore_known=ignore_known)
