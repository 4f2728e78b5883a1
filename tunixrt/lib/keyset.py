"""Pages that begin after a row instead of at a number: the thousandth costs what the first one does.

The place is a token in the address. It holds the sort columns of the last row seen, so rows that come or go in
between neither hide others nor show them twice.
"""

import base64
import binascii
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import FieldError, ValidationError
from django.db import models
from django.db.models import F, Func, QuerySet, Value
from django.db.models.functions import Coalesce

from training.errors import Fault, Invalid, echo


class Order:
    """Columns to sort by, all in the same direction; the last one is unique."""

    def __init__(self, *names: str, indexed: bool = True):
        self.descending, self.indexed = names[0].startswith("-"), indexed
        self.names = tuple(name.removeprefix("-") for name in names)

    def sort(self, rows: QuerySet, *, backwards: bool = False) -> QuerySet:
        columns = [F(name) if self.indexed else Coalesce(name, name) for name in self.names]
        return rows.order_by(*(column.desc() if self.descending != backwards else column.asc() for column in columns))

    def for_few(self) -> "Order":
        """The same order for rows that are few: PostgreSQL then gathers and sorts them.

        Else it reckons to meet them soon in the order of the index, and reads a million rows to find a few, or none.
        """
        sign = "-" if self.descending else ""
        return Order(*(sign + name for name in self.names), indexed=False)

    def after(self, rows: QuerySet, token: str, *, backwards: bool = False) -> QuerySet:
        """The rows that follow the one whose token this is, or precede it. Raises Invalid for no token."""
        try:
            values = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
            if not (isinstance(values, list) and len(values) == len(self.names)):
                raise ValueError
            fields = [self._field(rows, name) for name in self.names]
            known = [Value(_sound(field.to_python(value)), field) for field, value in zip(fields, values, strict=True)]
        except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error, FieldError, ValidationError):
            raise Invalid(Fault(("cursor",), f"{echo(token)} is not a place in this list", "wrong_value"))
        return rows.filter(Beyond(self.names, known, less=self.descending != backwards))

    def token(self, row: models.Model) -> str:
        values = json.dumps([getattr(row, name) for name in self.names], default=_spell)
        return base64.urlsafe_b64encode(values.encode()).decode()

    def _field(self, rows: QuerySet, name: str) -> models.Field:
        if name in rows.query.annotations:
            return rows.query.annotations[name].output_field
        meta = rows.model._meta
        return meta.pk if name == "pk" else meta.get_field(name)  # type: ignore[return-value]


class Beyond(Func):
    """(a, b, …) < (x, y, …) as one comparison of rows, which an index on (a, b, …) answers."""

    output_field = models.BooleanField()

    def __init__(self, names: Sequence[str], values: list[Value], *, less: bool):
        super().__init__(*map(F, names), *values)
        self.sign = "<" if less else ">"

    def as_sql(self, compiler, connection, **context: Any):
        parts = [compiler.compile(expression) for expression in self.source_expressions]
        half = len(parts) // 2
        left, right = (", ".join(sql for sql, _ in side) for side in (parts[:half], parts[half:]))
        return f"({left}) {self.sign} ({right})", [value for _, values in parts for value in values]


@dataclass(frozen=True)
class Page:
    """Some rows of a list and the tokens of its neighbours, None at the ends."""

    rows: list
    before: str | None
    after: str | None


def page_of(rows: QuerySet, order: Order, *, before: str | None, after: str | None, size: int) -> Page:
    """The page that follows `after`, or precedes `before`, or is the first. Raises Invalid for a bad token."""
    backwards = bool(before) and not after
    token = after or before
    found = order.after(rows, token, backwards=backwards) if token else rows
    window = list(order.sort(found, backwards=backwards)[: size + 1])
    more, window = len(window) > size, window[:size]
    if backwards:
        window.reverse()
    if not window:
        return Page([], None, None)
    has_before, has_after = (more, True) if backwards else (bool(after), more)
    return Page(window, order.token(window[0]) if has_before else None, order.token(window[-1]) if has_after else None)


def _sound(value: Any) -> Any:
    """The value if both databases can compare with it; raises ValueError or OverflowError."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if value is None or (isinstance(value, int) and value not in INTEGERS):
        raise ValueError
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    return value


INTEGERS = range(-(2**31), 2**31)


def _spell(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
