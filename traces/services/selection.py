"""The traces that a person has chosen: by filters, or one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self
from uuid import UUID, uuid4

from traces.models import Trace, TraceQuerySet
from traces.services.curation import tag_traces
from training.errors import Fault, Invalid, echo
from tunixrt.lib.errors import Rule
from tunixrt.lib.keyset import Order

MAX_CHOSEN = 1_000
COUNTED = 10_000


@dataclass(frozen=True)
class Selection:
    """All traces that pass `filters`, or, if there are any `ids`, those alone."""

    filters: dict[str, Any] = field(default_factory=dict)
    ids: tuple[UUID, ...] | None = None

    @classmethod
    def of(cls, *, filters: dict[str, Any], ids: Sequence[str] | None) -> Self:
        """`ids` None means all that passes the filters. Raises Rule when nothing is chosen, Invalid for a bad id."""
        if ids is None:
            return cls(filters)
        if not 0 < len(ids) <= MAX_CHOSEN:
            raise Rule(f"Choose 1 to {MAX_CHOSEN:,} traces, or all that the filter finds.", code="nothing_chosen")
        return cls(filters, tuple(map(_id, ids)))

    @property
    def traces(self) -> TraceQuerySet:
        visible = Trace.objects.visible()
        return visible.matching(self.filters) if self.ids is None else visible.filter(pk__in=self.ids)

    def as_filters(self) -> dict[str, Any]:
        """Filters that find these traces again: chosen ones are given a tag of their own first."""
        if self.ids is None:
            return self.filters
        name = f"chosen-{uuid4().hex[:8]}"
        if not tag_traces(traces=self.traces, name=name):
            raise Rule("None of the chosen traces is there any more.", code="nothing_chosen")
        return {"tag": name}


@dataclass(frozen=True)
class Count:
    """How many rows there are; `is_more` than that when counting stopped."""

    number: int
    is_more: bool


def count_up_to(traces: TraceQuerySet, most: int = COUNTED) -> Count:
    """Counts no further than `most`: a person needs no more, and counting a million takes a second."""
    number = traces.order_by()[: most + 1].count()
    return Count(min(number, most), number > most)


@dataclass(frozen=True)
class Listing:
    """The traces that filters find, as the rows of a list, and the order to show them in."""

    filters: dict[str, Any]
    traces: TraceQuerySet
    by: Order

    @cached_property
    def count(self) -> Count:
        return count_up_to(Trace.objects.visible().matching(self.filters))

    @property
    def order(self) -> Order:
        """As asked for, by gathering the rows where filters leave but few."""
        return self.by.for_few() if self.filters and not self.count.is_more else self.by


def list_traces(*, filters: dict[str, Any], sort: str) -> Listing:
    """Raises Invalid for what is no way to sort."""
    traces, order = Trace.objects.for_list().matching(filters).in_order(sort)
    return Listing(filters, traces, order)


def two_of(chosen: Selection) -> list[Trace]:
    """The two chosen traces, the older first. Raises Rule when it is another number."""
    if chosen.ids is None or len(found := list(chosen.traces.order_by("created_at", "pk")[:3])) != 2:
        raise Rule("Choose exactly two traces to compare.", code="two_needed")
    return found


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid(Fault(("id",), f"must be the id of a trace, not {echo(text)}", "wrong_value"))
