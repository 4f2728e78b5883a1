"""From a request to its traces."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from datasets_app.build_request import ALL, LATEST, RANDOM, STRATIFIED
from datasets_app.seeding import SeededSet
from datasets_app.selection.draw import Draw, ids_of
from datasets_app.selection.mixed import mixed, parts
from datasets_app.selection.pool import matching, read
from datasets_app.selection.selection import Selection
from datasets_app.selection.stratified import stratified, stratified_shares
from traces.models import Trace, TraceQuerySet

ORDERS = {LATEST: ("-created_at", "-id"), ALL: ("created_at", "id")}


def select(request: dict[str, Any]) -> Selection:
    """The traces that a resolved request takes, in the manifest's order.

    `all`: oldest first; `latest`: newest first; every other: by hash of seed and content. Ids break ties. Both
    databases compare uuids byte by byte, so the order is the same on either. Raises Invalid for strata, quotas or
    parts that the traces do not have.
    """
    if seeded := request.get("seeded"):
        return Selection.of(sorted(trace_id for trace_id, _ in SeededSet(**seeded).payloads()))
    if request.get("mix"):
        return mixed(request)
    found, strategy = matching(request["filters"]), request["selection_strategy"]
    if strategy == STRATIFIED:
        return stratified(found, request)
    if strategy == RANDOM:
        return _random(found, request)
    ids = bytearray()
    for (trace_id,) in read(found.order_by(*ORDERS[strategy])[: request["limit"]]):
        ids += trace_id
    return Selection(ids)


def foreseen(request: dict[str, Any]) -> int:
    """How many traces `select` would take, or the limit and one if more are there; of a mix, at most.

    Raises Invalid as `select` does, and takes less time.
    """
    if request.get("mix"):
        return sum(found[:asked].count() for _, found, asked in parts(request))
    found = matching(request["filters"])
    if request["selection_strategy"] == STRATIFIED:
        return sum(min(share["rows"], share["asked"]) for share in stratified_shares(found, request))
    return found[: request["limit"] + 1].count()


def texts(selection: Selection) -> Iterator[tuple[UUID, str | None]]:
    """Each id with its trace's canonical text, in the manifest's order; None where the trace is gone."""
    for chunk in selection.chunks():
        found = dict(Trace.objects.filter(pk__in=chunk).values_list("pk", "canonical"))
        yield from ((trace_id, found.get(trace_id)) for trace_id in chunk)


def _random(found: TraceQuerySet, request: dict[str, Any]) -> Selection:
    draw = Draw(request["seed"], request["limit"])
    for content, trace_id in read(found.order_by(), "content_sha256"):
        draw.add(content, trace_id)
    return Selection(ids_of(draw.records()))
