"""Conditions on JSON columns that mean the same on SQLite and on PostgreSQL."""

from typing import Any

from django.db import models
from django.db.models import F, Func

from training.canonical import canonical_json

SQLITE_TYPES = {str: ("text",), int: ("integer", "real"), float: ("integer", "real"), type(None): ("null",)}


class MetaEquals(Func):
    """`meta[name]` is the scalar `value` and of its JSON type; JSON has one type of number.

    The name is a parameter of the query, never a part of its text or of a JSON path, so it may hold anything.
    """

    output_field = models.BooleanField()

    def __init__(self, name: str, value: Any):
        super().__init__(F("meta"))
        self.name, self.value = name, value

    def as_sqlite(self, compiler, connection, **context: Any):
        column, parameters = compiler.compile(self.source_expressions[0])
        types = (str(self.value).lower(),) if isinstance(self.value, bool) else SQLITE_TYPES[type(self.value)]
        known = f"json_each.key = %s AND json_each.type IN ({', '.join(['%s'] * len(types))})"
        parameters = (*parameters, self.name, *types)
        if isinstance(self.value, str | int | float) and not isinstance(self.value, bool):
            known, parameters = f"{known} AND json_each.atom = %s", (*parameters, self.value)
        return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE {known})", parameters

    def as_postgresql(self, compiler, connection, **context: Any):
        column, parameters = compiler.compile(self.source_expressions[0])
        return f"{column} @> %s::jsonb", (*parameters, canonical_json({self.name: self.value}))
