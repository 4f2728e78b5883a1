"""Guarded state: one function moves a row from one status to another, or refuses."""

from collections.abc import Mapping
from typing import Any

from django.db import models

from tunixrt.lib.errors import Conflict


def move(row: models.Model, to: str, *, transitions: Mapping[str, frozenset[str]], **fields: Any) -> str:
    """Moves `row.status` to `to` by compare-and-swap and returns the status it came from.

    The database decides: of two processes that try at once one wins, the other gets Conflict, whatever
    each had read before. `fields` are written in the same statement.
    """
    origins = [status for status, targets in transitions.items() if to in targets]
    for origin in origins:
        if type(row)._default_manager.filter(pk=row.pk, status=origin).update(status=to, **fields):
            row.refresh_from_db()
            return origin
    row.refresh_from_db()
    raise Conflict(f"{row} is {row.status}: it cannot become {to}", code="wrong_state")  # type: ignore[attr-defined]
