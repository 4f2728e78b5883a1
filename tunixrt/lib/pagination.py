"""Lists over the API: a window of at most 100 rows, by offset or after a cursor."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet

from training.errors import Fault, Invalid, echo
from tunixrt.lib.keyset import Order

DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET = 20, 100, 10**9
WINDOW = {"limit", "offset"}


def page(queryset: QuerySet, query: Mapping[str, str], present: Callable[[Any], dict]) -> dict:
    """One window of `queryset` as `{"data": […], "pagination": {"limit", "offset", "next_offset"}}`.

    Raises Invalid when `limit` or `offset` is not a number in its range.
    """
    offset, end = _window(query)
    limit = end - offset - 1
    rows = list(queryset[offset:end])
    following = offset + limit if len(rows) > limit else None
    return {
        "data": [present(row) for row in rows[:limit]],
        "pagination": {"limit": limit, "offset": offset, "next_offset": following},
    }


def cursor_page(rows: QuerySet, order: Order, query: Mapping[str, str], present: Callable[[Any], dict]) -> dict:
    """As `page`, for large tables: `pagination` also holds `next_cursor`, which the next request may send as `cursor`.

    A cursor costs the same however deep it leads; with one, there is no offset.
    """
    if "cursor" not in query:
        shown = page(order.sort(rows), query, lambda row: row)
    elif "offset" in query:
        raise Invalid(Fault(("offset",), "cannot be given together with a cursor", "wrong_value"))
    else:
        shown = page(order.sort(order.after(rows, query["cursor"])), query, lambda row: row)
        shown["pagination"] |= {"offset": None}
    data, places = shown["data"], shown["pagination"]
    places["next_cursor"] = order.token(data[-1]) if places["next_offset"] else None
    if "cursor" in query:
        places["next_offset"] = None
    return {"data": [present(row) for row in data], "pagination": places}


def _window(query: Mapping[str, str]) -> tuple[int, int]:
    """From where to where to read: one row more than asked tells whether there is a next page."""
    offset = whole_number(query, "offset", 0, 0, MAX_OFFSET)
    return offset, offset + whole_number(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT) + 1


def whole_number(query: Mapping[str, str], name: str, default: int, minimum: int, maximum: int) -> int:
    """A whole number from a query string, or Invalid with what is allowed."""
    value = query.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 20 and minimum <= int(value) <= maximum):
        message = f"must be a whole number from {minimum} to {maximum}, not {echo(value)}"
        raise Invalid(Fault((name,), message, "wrong_value"))
    return int(value)
