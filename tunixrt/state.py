"""What is configured, and does it answer: for the health page, the home page and `doctor`."""

import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from kombu import Connection
from redis.exceptions import ResponseError

from datasets_app.services import damaged_datasets
from runs.models import Run
from tunixrt.jobs.models import Beacon, Job

SHOWN = 3  # of what is gone


@dataclass(frozen=True)
class Check:
    """`state` is ok, late (works, but somebody should look) or down (a needed part does not answer)."""

    name: str
    state: str
    detail: str

    def to_dict(self) -> dict:
        return {key: value for key, value in asdict(self).items() if key != "name"}


def checks() -> list[Check]:
    return [database(), schema(), broker(), *beacons(), disk()]


def database() -> Check:
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Check("database", "down", f"{connection.vendor} does not answer")
    return Check("database", "ok", connection.display_name)


def schema() -> Check:
    """Whether the database has the tables that this code knows."""
    try:
        behind = _known_migrations() - set(MigrationRecorder(connection).applied_migrations())
    except DatabaseError:
        return Check("migrations", "down", "not known while the database does not answer")
    if behind:
        return Check("migrations", "down", f"{len(behind)} not applied: run `manage.py migrate`")
    return Check("migrations", "ok", "all applied")


@cache
def _known_migrations() -> set[tuple[str, str]]:
    """Those that this process was started with."""
    return set(MigrationLoader(None).graph.nodes)


def broker() -> Check:
    if settings.CELERY_BROKER_URL.startswith("filesystem:"):
        return Check("broker", "ok", "embedded, in the home directory")
    try:
        with current_app.connection_for_read(connect_timeout=2) as broker_connection:
            broker_connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
            policy = _eviction(broker_connection)
    except Exception:  # each transport has its own family of errors
        return Check("broker", "down", "does not answer; work waits in the database meanwhile")
    if policy not in ("", "noeviction"):
        detail = f"Redis throws messages away when it is full (maxmemory-policy {policy}): set it to noeviction"
        return Check("broker", "down", detail)
    return Check("broker", "ok", current_app.connection().transport_cls)


def beacons() -> list[Check]:
    """Workers and sweeper by their own signs of life in the database, never by asking the broker."""
    fresh = timezone.now() - timedelta(seconds=3 * settings.RUN_HEARTBEAT_SECONDS)
    try:
        beacons = list(Beacon.objects.order_by("-seen_at"))
        waiting = Job.objects.waiting().count()
    except DatabaseError:
        return []
    workers, sweepers = ([each for each in beacons if each.kind == kind] for kind in ("worker", "sweeper"))
    alive = [each.queue for each in workers if each.seen_at >= fresh]
    queues = ", ".join(sorted(alive)) or _none_alive(workers)
    swept = any(each.seen_at >= fresh for each in sweepers)
    return [
        Check("workers", "ok" if alive else "late", f"{queues}; {waiting} waiting"),
        Check("sweeper", "ok" if swept else "late", "alive" if swept else _none_alive(sweepers)),
    ]


def _none_alive(silent: list[Beacon]) -> str:
    last = f", the last was seen {silent[0].seen_at:%Y-%m-%d %H:%M} UTC" if silent else ""
    return f"none alive{last}: start manage.py up"


def disk() -> Check:
    if not os.access(settings.TUNIXRT_HOME, os.W_OK):
        return Check("disk", "down", f"TUNIXRT_HOME cannot be written: {settings.TUNIXRT_HOME}")
    free = shutil.disk_usage(settings.TUNIXRT_HOME).free
    reserve = settings.DISK_RESERVE_BYTES
    if free > reserve:
        return Check("disk", "ok", f"{free / 1024**3:.1f} GiB free")
    short = f"{free / 1024**3:.1f} GiB free, less than the reserve of {reserve / 1024**3:.1f} (DISK_RESERVE_BYTES)"
    return Check("disk", "late", f"{short}: `manage.py purge_runs --older-than 30` shows what could go")


def runs() -> list[Check]:
    """Whether the runs that trained still have their directories. It looks at each, so only `doctor` asks."""
    trained = Run.objects.filter(attempt__gt=0, removal="").closed().newest_first()
    gone = [str(run.pk) for run in trained.only("pk", "created_at").iterator() if not run.directory.is_dir()]
    if not gone:
        return [Check("runs", "ok", "all have their directories")]
    more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
    return [Check("runs", "late", f"no files of {', '.join(gone[:SHOWN])}{more}: only what the database has is shown")]


def datasets() -> list[Check]:
    """Whether frozen datasets and their files agree. It reads every byte of them, so only `doctor` asks."""
    damaged = [
        Check(f"dataset {key}", "down", f"{'; '.join(map(str, faults))}: run `manage.py restore_dataset {key}`")
        for key, faults in damaged_datasets()
    ]
    return damaged or [Check("datasets", "ok", "all agree with their files")]


def _eviction(broker_connection: Connection) -> str:
    """What a Redis does when it is full; empty where nobody may ask, or the broker is none."""
    if broker_connection.transport.driver_type != "redis":
        return ""
    with suppress(ResponseError):  # hosted ones refuse the question
        found = broker_connection.default_channel.client.config_get("maxmemory-policy")  # type: ignore[attr-defined]
        return found.get("maxmemory-policy", "")
    return ""
