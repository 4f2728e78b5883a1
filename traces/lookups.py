"""Conditions that mean the same on SQLite and on PostgreSQL."""

from typing import Any

from django.db import models
from django.db.models import F, Func
from django.db.models.lookups import Contains

from training.canonical import canonical_json


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
        match self.value:
            case None | bool():
                condition, values = "type = %s", (canonical_json(self.value),)
            case str():
                condition, values = "type = 'text' AND atom = %s", (self.value,)
            case _:
                condition, values = "type IN ('integer', 'real') AND atom = %s", (self.value,)
        # Nothing but the column's name, which comes from Django, is written into the text of the query.
        query = f"EXISTS (SELECT 1 FROM json_each({column}) WHERE key = %s AND {condition})"  # noqa: S608
        return query, (*parameters, self.name, *values)

    def as_postgresql(self, compiler, connection, **context: Any):
        column, parameters = compiler.compile(self.source_expressions[0])
        return f"{column} @> %s::jsonb", (*parameters, canonical_json({self.name: self.value}))


@models.TextField.register_lookup
class Holds(Contains):
    """The text occurs, whatever the case of its ASCII letters.

    Beyond ASCII, SQLite compares case and PostgreSQL's locale decides: a dataset must not depend on either.
    """

    lookup_name = "holds"

    def as_sql(self, compiler, connection):
        return self._condition(compiler, connection, r"{} LIKE {} ESCAPE '\'")

    def as_postgresql(self, compiler, connection):
        return self._condition(compiler, connection, '{} COLLATE "C" ILIKE {}')

    def _condition(self, compiler, connection, template: str):
        column, parameters = self.process_lhs(compiler, connection)
        text, texts = self.process_rhs(compiler, connection)
        return template.format(column, text), (*parameters, *texts)
