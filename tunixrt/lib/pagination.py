"""Lists: newest first, a window of at most 100 rows."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet

from training.errors import Fault, Invalid, echo

DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET = 20, 100, 10**9
WINDOW = {"limit", "offset"}


def page(queryset: QuerySet, query: Mapping[str, str], present: Callable[[Any], dict]) -> dict:
    """One window of `queryset` as `{"data": […], "pagination": {"limit", "offset", "next_offset"}}`.

    Raises Invalid when `limit` or `offset` is not a number in its range.
    """
    limit = whole_number(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    offset = whole_number(query, "offset", 0, 0, MAX_OFFSET)
    rows = list(queryset[offset : offset + limit + 1])  # one more than asked tells whether there is a next page
    following = offset + limit if len(rows) > limit else None
    return {
        "data": [present(row) for row in rows[:limit]],
        "pagination": {"limit": limit, "offset": offset, "next_offset": following},
    }


def whole_number(query: Mapping[str, str], name: str, default: int, minimum: int, maximum: int) -> int:
    """A whole number from a query string, or Invalid with what is allowed."""
    value = query.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 20 and minimum <= int(value) <= maximum):
        message = f"must be a whole number from {minimum} to {maximum}, not {echo(value)}"
        raise Invalid(Fault((name,), message, "wrong_value"))
    return int(value)
