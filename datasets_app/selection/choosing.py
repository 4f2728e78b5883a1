"""From a request to its traces."""

from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from datasets_app.build_request import ALL, LATEST, RANDOM, STRATIFIED
from datasets_app.seeding import SeededSet
from datasets_app.selection.draw import Draw, ids_of
from datasets_app.selection.mixed import mixed, parts
from datasets_app.selection.pool import matching, read
from datasets_app.selection.selection import Selection
from datasets_app.selection.stratified import stratified, stratified_shares
from traces.models import TraceQuerySet

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


class Foreseen(NamedTuple):
    """How many traces `select` would take, of a mix at most; the limit and one if there are more. `shares` likewise."""

    rows: int
    shares: list[dict[str, Any]]


def foreseen(request: dict[str, Any]) -> Foreseen:
    """What can be told without drawing. Raises Invalid as `select` does."""
    if request.get("mix"):
        shares = [{"value": name, "rows": found.count(), "asked": asked} for name, found, asked in parts(request)]
    elif request["selection_strategy"] == STRATIFIED:
        shares = stratified_shares(matching(request["filters"]), request)
    else:
        return Foreseen(matching(request["filters"])[: request["limit"] + 1].count(), [])
    shares = [share | {"taken": min(share["rows"], share["asked"])} for share in shares]
    return Foreseen(sum(share["taken"] for share in shares), shares)


def glimpse(request: dict[str, Any], most: int) -> list[UUID]:
    """Some of the traces that a request chooses from, by the hash of their content.

    They are as good as drawn by chance and found by an index. Of a mix each part gives its share, strata do not.
    """
    if request.get("mix"):
        pools = [(found, most * asked // request["limit"]) for _, found, asked in parts(request)]
    else:
        pools = [(matching(request["filters"]), most)]
    ids = (found.order_by("content_sha256", "pk").values_list("pk", flat=True)[:number] for found, number in pools)
    return list(dict.fromkeys(chain.from_iterable(ids)))


def _random(found: TraceQuerySet, request: dict[str, Any]) -> Selection:
    draw = Draw(request["seed"], request["limit"])
    for content, trace_id in read(found.order_by(), "content_sha256"):
        draw.add(content, trace_id)
    return Selection(ids_of(draw.records()))
