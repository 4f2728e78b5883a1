"""Many rows at once, at the speed of the database: COPY on PostgreSQL, one prepared INSERT on SQLite.

What the ORM spends on a row (an object, its defaults, its parameters) is several times what the database needs to
store it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, models, transaction


def insert(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence], *, keep: bool = False) -> None:
    """Inserts `rows`, whose values stand in the order of `columns` (attribute names), all or none.

    Values are texts, numbers, booleans, None, UUIDs, aware datetimes, and JSON *as text*. No default is filled in: give
    every column that must not be null. With `keep`, a row that a unique rule forbids is left out: it is there already.
    """
    fields = [model._meta.get_field(name) for name in columns]
    names = ", ".join(connection.ops.quote_name(field.column) for field in fields)  # type: ignore[union-attr]
    with transaction.atomic():
        if connection.vendor == "postgresql":
            _copy(connection.ops.quote_name(model._meta.db_table), names, rows, keep)
        else:
            _insert(connection.ops.quote_name(model._meta.db_table), names, map(_converter(fields), rows), keep)


@contextmanager
def by_index() -> Iterator[None]:
    """Lets PostgreSQL look rows up by an index instead of reading whole tables, to the end of the transaction.

    Rows that were just written are not in its statistics, and so it takes a large table for a small one.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        yield


def _copy(table: str, names: str, rows: Iterable[Sequence], keep: bool) -> None:
    with connection.cursor() as cursor, connection.wrap_database_errors:
        if keep:  # COPY itself knows no ON CONFLICT
            cursor.execute("DROP TABLE IF EXISTS pg_temp.incoming")
            cursor.execute(f"CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {names} FROM {table} WITH NO DATA")  # noqa: S608
        with cursor.copy(f"COPY {'incoming' if keep else table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        if keep:
            cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming ON CONFLICT DO NOTHING")  # noqa: S608


def _insert(table: str, names: str, rows: Iterable[Sequence], keep: bool) -> None:
    marks = ", ".join(["%s"] * (names.count(",") + 1))
    verb = "INSERT OR IGNORE" if keep else "INSERT"
    with connection.cursor() as cursor:
        cursor.executemany(f"{verb} INTO {table} ({names}) VALUES ({marks})", rows)


def _converter(fields: list) -> Callable[[Sequence], Sequence]:
    """Turns a row into what SQLite stores: uuids as 32 digits, times as naive UTC."""
    special: list[tuple[int, Callable[[Any], Any]]] = []
    for place, field in enumerate(fields):
        target = getattr(field, "target_field", field)
        if isinstance(target, models.UUIDField):
            special.append((place, lambda value: value and value.hex))
        elif isinstance(target, models.DateTimeField):
            special.append((place, connection.ops.adapt_datetimefield_value))

    def convert(row: Sequence) -> Sequence:
        values = list(row)
        for place, change in special:
            values[place] = change(values[place])
        return values

    return convert
