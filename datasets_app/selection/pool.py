"""The traces that builds choose from."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from traces.lookups import IdBytes
from traces.models import Trace, TraceQuerySet

READ = 10_000  # rows that the database hands over at a time


def matching(filters: dict[str, Any]) -> TraceQuerySet:
    """The traces that a build with these filters, as `read_filters` gives them, chooses from."""
    return Trace.objects.visible().matching(filters)


def read(found: QuerySet, *names: str) -> Iterator[tuple]:
    """The named columns of each trace, and last its id as 16 bytes, in the order that `found` has."""
    rows = found.annotate(id_bytes=IdBytes()).values_list(*names, "id_bytes")
    return rows.iterator(READ)
