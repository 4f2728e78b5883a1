"""The traces that builds choose from."""

from typing import Any

from traces.models import Trace, TraceQuerySet


def matching(filters: dict[str, Any]) -> TraceQuerySet:
    """The traces that a build with these filters, as `read_filters` gives them, chooses from."""
    return Trace.objects.visible().matching(filters)
