"""The database into a file and back, each by its own means: SQLite's backup API, pg_dump and pg_restore."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tunixrt.lib.errors import Conflict, NotInstalled, Rule, Unavailable

CLIENT = "Install PostgreSQL's client programs: `apt-get install postgresql-client`"

PATIENCE_SECONDS = 60


def dump(target: Path) -> None:
    """Writes one consistent state of the database, while others read and write it."""
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        _postgres("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}", _name())
        return
    started = time.monotonic()

    def watch(status: int, remaining: int, total: int) -> None:
        if remaining and time.monotonic() - started > PATIENCE_SECONDS:
            raise Unavailable("The database is locked by somebody who does not let go. Try again.")

    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.connection.backup(copy, progress=watch)  # all in one step, once it is let in


def load(source: Path) -> None:
    """Fills the empty database from what `dump` wrote."""
    if connection.vendor == "postgresql":
        options = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
        connection.close()
        _postgres("pg_restore", *options, f"--dbname={_name()}", str(source))
        return
    path = Path(_name())
    connection.close()
    for leftover in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        leftover.unlink(missing_ok=True)
    shutil.move(source, path)


def require_empty() -> None:
    """Raises Conflict unless the database has no table at all."""
    if connection.introspection.table_names():
        raise Conflict(
            f"The database {_name()} is not empty. Restore into a new one: set TUNIXRT_HOME, or DATABASE_URL.",
            code="not_empty",
        )


def require_means(vendor: str) -> None:
    """Raises Rule for a backup of the other database, NotInstalled when a program is missing."""
    if vendor != connection.vendor:
        raise Rule(f"The backup is of {vendor}, and DATABASE_URL names {connection.vendor}. Restore it into {vendor}.")
    if vendor == "postgresql":
        for program in ("pg_dump", "pg_restore"):
            if shutil.which(program) is None:
                raise NotInstalled(f"{program} is not installed. {CLIENT}.")


def applied_migrations() -> list[str]:
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def require_known(migrations: list[str]) -> None:
    """Raises Rule when the backup was made by a later version, whose tables this code does not know."""
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if unknown := sorted(set(migrations) - known):
        raise Rule(f"The backup is of a newer tunixrt: its database has {unknown[0]}. Update before you restore it.")


def _name() -> str:
    return str(connection.settings_dict["NAME"])


def _postgres(program: str, *arguments: str) -> None:
    """Runs a client program; the password goes by the environment, where `ps` does not show it."""
    given = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    environment = os.environ | {name: str(given[key]) for name, key in names.items() if given.get(key)}
    done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{program} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
