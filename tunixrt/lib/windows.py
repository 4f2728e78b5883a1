"""A window of a list for a page, with the way to the one before and the one after."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from tunixrt.lib.pagination import MAX_OFFSET

PAGE_ROWS = 25


@dataclass(frozen=True)
class Window:
    rows: list
    offset: int
    previous: int | None
    next: int | None

    @property
    def first(self) -> int:
        return self.offset + 1

    @property
    def last(self) -> int:
        return self.offset + len(self.rows)


def window(source: QuerySet | Sequence, offset: str | None, size: int = PAGE_ROWS) -> Window:
    """The rows from `offset` on. A page forgives what the API refuses: anything odd means the start."""
    start = int(offset) if offset and offset.isascii() and offset.isdigit() and len(offset) < 11 else 0
    start = min(start, MAX_OFFSET)
    rows = list(source[start : start + size + 1])
    return Window(
        rows=rows[:size],
        offset=start,
        previous=max(0, start - size) if start else None,
        next=start + size if len(rows) > size else None,
    )
