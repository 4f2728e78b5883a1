"""A text that holds another, whatever the case of both, with one meaning on both databases: SQLite's own LIKE knows the
case of ASCII letters alone.
"""

from typing import Any

from django.db.backends.signals import connection_created
from django.db.models import CharField, TextField
from django.db.models.lookups import IContains


@CharField.register_lookup
@TextField.register_lookup
class Says(IContains):
    """`name__says="é"` finds É. PostgreSQL compares as with `icontains`."""

    lookup_name = "says"

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return IContains(self.lhs, self.rhs).as_sql(compiler, connection)

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        text, params = self.process_lhs(compiler, connection)
        return f"instr(upper_case({text}), %s) > 0", (*params, upper_case(self.rhs))


def upper_case(text: str | None) -> str | None:
    return None if text is None else text.upper()


def teach(connection: Any, **about: Any) -> None:
    """Gives a new connection to SQLite the function that the lookup calls."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("upper_case", 1, upper_case, deterministic=True)


connection_created.connect(teach, dispatch_uid="lookups")
