"""Which traces a dataset takes, and in which order."""

from collections.abc import Iterator
from heapq import nsmallest
from typing import Any
from uuid import UUID

from datasets_app.seeding import SeededSet
from traces.models import Trace, TraceQuerySet
from training.splits import order_key

CHUNK = 500  # traces read, or rows written, at a time


def selected_ids(request: dict[str, Any]) -> list[UUID]:
    """The ids of the traces that a resolved request takes, in the manifest's order.

    `all`: oldest first; `latest`: newest first; `random`: by hash of seed and content. Ids break ties. Both
    databases compare uuids byte by byte, so the order is the same on either.
    """
    if seeded := request.get("seeded"):
        return sorted(trace_id for trace_id, _ in SeededSet(**seeded).payloads())
    found, limit = matching(request["filters"]), request["limit"]
    match request["selection_strategy"]:
        case "random":
            return _random_ids(found, limit, request["seed"])
        case "latest":
            ordered = found.order_by("-created_at", "-id")
        case _:
            ordered = found.order_by("created_at", "id")
    return list(ordered.values_list("pk", flat=True)[:limit])


def matching(filters: dict[str, Any]) -> TraceQuerySet:
    """The traces that a build with these filters, as `read_filters` gives them, chooses from."""
    return Trace.objects.visible().matching(filters)


def texts(trace_ids: list[UUID]) -> Iterator[tuple[UUID, str | None]]:
    """Each id with its trace's canonical text, in the given order; None where the trace is gone."""
    for start in range(0, len(trace_ids), CHUNK):
        chunk = trace_ids[start : start + CHUNK]
        found = dict(Trace.objects.filter(pk__in=chunk).values_list("pk", "canonical"))
        yield from ((trace_id, found.get(trace_id)) for trace_id in chunk)


def _random_ids(found: TraceQuerySet, limit: int, seed: int) -> list[UUID]:
    rows = found.order_by().values_list("content_sha256", "pk").iterator(chunk_size=10_000)
    drawn = nsmallest(limit, ((order_key(seed, content), trace_id) for content, trace_id in rows))
    return [trace_id for _, trace_id in drawn]
