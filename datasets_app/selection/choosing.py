"""From a request to its traces."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from datasets_app.seeding import SeededSet
from datasets_app.selection.draw import Draw, ids_of
from datasets_app.selection.selection import Selection
from traces.models import Trace, TraceQuerySet

READ = 10_000  # ids that the database hands over at a time


def select(request: dict[str, Any]) -> Selection:
    """The traces that a resolved request takes, in the manifest's order.

    `all`: oldest first; `latest`: newest first; `random`: by hash of seed and content. Ids break ties. Both
    databases compare uuids byte by byte, so the order is the same on either.
    """
    if seeded := request.get("seeded"):
        return Selection.of(sorted(trace_id for trace_id, _ in SeededSet(**seeded).payloads()))
    found, limit = matching(request["filters"]), request["limit"]
    match request["selection_strategy"]:
        case "random":
            draw = Draw(request["seed"], limit)
            draw.add(found.order_by().values_list("content_sha256", "pk").iterator(READ))
            return Selection(ids_of(draw.records()))
        case "latest":
            ordered = found.order_by("-created_at", "-id")
        case _:
            ordered = found.order_by("created_at", "id")
    return Selection.of(ordered.values_list("pk", flat=True)[:limit].iterator(READ))


def matching(filters: dict[str, Any]) -> TraceQuerySet:
    """The traces that a build with these filters, as `read_filters` gives them, chooses from."""
    return Trace.objects.visible().matching(filters)


def texts(selection: Selection) -> Iterator[tuple[UUID, str | None]]:
    """Each id with its trace's canonical text, in the manifest's order; None where the trace is gone."""
    for chunk in selection.chunks():
        found = dict(Trace.objects.filter(pk__in=chunk).values_list("pk", "canonical"))
        yield from ((trace_id, found.get(trace_id)) for trace_id in chunk)
