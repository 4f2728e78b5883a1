"""Columns and conditions that mean the same on SQLite and on PostgreSQL."""

import json
from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import F, Func

from traces.words import to_fts5, to_tsquery
from training.canonical import canonical_json


class WordsField(models.TextField):
    """The words of a trace as `traces.words` cuts them: a tsvector on PostgreSQL, a text on SQLite, indexed by FTS5."""

    def db_type(self, connection) -> str:
        return "tsvector" if connection.vendor == "postgresql" else super().db_type(connection)


class HoldsWords(Func):
    """The trace holds all `words`, the last as the beginning of a word."""

    output_field = models.BooleanField()

    def __init__(self, words: list[str]):
        super().__init__(F("words"), F("pk"))
        self.words = words

    def as_sqlite(self, compiler, connection, **context: Any):
        key, parameters = compiler.compile(self.source_expressions[1])
        matches = "SELECT rowid FROM traces_search WHERE traces_search MATCH %s"
        query = f"{key} IN (SELECT trace_id FROM traces_numbered WHERE number IN ({matches}))"  # noqa: S608
        return query, (*parameters, to_fts5(self.words))

    def as_postgresql(self, compiler, connection, **context: Any):
        column, parameters = compiler.compile(self.source_expressions[0])
        return f"{column} @@ %s::tsquery", (*parameters, to_tsquery(self.words))


class IdBytes(Func):
    """The id as 16 bytes: an object an id takes longer to make than the database takes to find it."""

    output_field = models.BinaryField()

    def __init__(self):
        super().__init__(F("pk"))

    def as_sqlite(self, compiler, connection, **context: Any):
        return compiler.compile(self.source_expressions[0])

    def as_postgresql(self, compiler, connection, **context: Any):
        return self.as_sql(compiler, connection, function="uuid_send")

    def get_db_converters(self, connection):
        return [] if connection.vendor == "postgresql" else [lambda digits, *_: bytes.fromhex(digits)]


class AmongTexts(Func):
    """The column is one of many texts, which travel as one parameter: thousands cost Django more than the database."""

    output_field = models.BooleanField()

    def __init__(self, name: str, values: Iterable[str]):
        super().__init__(F(name))
        self.values = list(values)

    def as_sqlite(self, compiler, connection, **context: Any):
        column, parameters = compiler.compile(self.source_expressions[0])
        # Nothing but the column, whose name comes from Django, is written into the text of the query.
        return f"{column} IN (SELECT value FROM json_each(%s))", (*parameters, json.dumps(self.values))  # noqa: S608

    def as_postgresql(self, compiler, connection, **context: Any):
        column, parameters = compiler.compile(self.source_expressions[0])
        return f"{column} = ANY(%s)", (*parameters, self.values)


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


class MetaScalar(Func):
    """`meta[name]` as JSON, in which SQLite writes numbers as its own; NULL where there is no scalar.

    Of texts it is the first `characters`.
    """

    output_field = models.TextField()

    def __init__(self, name: str, characters: int):
        super().__init__(F("meta"))
        self.name, self.characters = name, characters

    def as_sqlite(self, compiler, connection, **context: Any):
        column, parameters = compiler.compile(self.source_expressions[0])
        value = (
            "CASE WHEN type = 'text' THEN json_quote(substr(atom, 1, %s)) WHEN type IN ('integer', 'real') THEN atom "
            "WHEN type IN ('true', 'false', 'null') THEN type END"
        )
        query = f"(SELECT {value} FROM json_each({column}) WHERE key = %s)"  # noqa: S608
        return query, (self.characters, *parameters, self.name)

    def as_postgresql(self, compiler, connection, **context: Any):
        column, parameters = compiler.compile(self.source_expressions[0])
        value = (  # jsonb keeps 1.0 and 1 apart
            "CASE jsonb_typeof(value) WHEN 'string' THEN to_jsonb(left(value #>> '{}', %s))::text "
            "WHEN 'number' THEN trim_scale(value::numeric)::text "
            "WHEN 'boolean' THEN value::text WHEN 'null' THEN 'null' END"
        )
        query = f"(SELECT {value} FROM (SELECT {column} -> %s::text) AS found (value))"  # noqa: S608
        return query, (self.characters, *parameters, self.name)
