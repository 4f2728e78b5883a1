"""What is configured, and does it answer: for the health page, the home page and `doctor`."""

import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from kombu import Connection
from redis.exceptions import ResponseError

from datasets_app.services import damaged_datasets
from tunixrt.jobs.models import Beacon, Job


@dataclass(frozen=True)
class Check:
    """`state` is ok, late (works, but somebody should look) or down (a needed part does not answer)."""

    name: str
    state: str
    detail: str

    def to_dict(self) -> dict:
        return {key: value for key, value in asdict(self).items() if key != "name"}


def checks() -> list[Check]:
    return [database(), broker(), *beacons(), disk()]


def database() -> Check:
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Check("database", "down", f"{connection.vendor} does not answer")
    return Check("database", "ok", connection.display_name)


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


def schema() -> Check:
    """Whether the database has the tables that this code knows."""
    executor = MigrationExecutor(connection)
    pending = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if pending:
        return Check("migrations", "down", f"{pending} not applied: run `manage.py migrate`")
    return Check("migrations", "ok", "all applied")


def beacons() -> list[Check]:
    """Workers and sweeper by their own signs of life in the database, never by asking the broker."""
    fresh = timezone.now() - timedelta(seconds=3 * settings.RUN_HEARTBEAT_SECONDS)
    try:
        seen = list(Beacon.objects.filter(seen_at__gte=fresh))
        waiting = Job.objects.waiting().count()
    except DatabaseError:
        return []
    workers = [beacon for beacon in seen if beacon.kind == "worker"]
    sweepers = [beacon for beacon in seen if beacon.kind == "sweeper"]
    queues = ", ".join(sorted(beacon.queue for beacon in workers)) or "none alive: start manage.py up"
    return [
        Check("workers", "ok" if workers else "late", f"{queues}; {waiting} waiting"),
        Check(
            "sweeper",
            "ok" if sweepers else "late",
            "alive" if sweepers else "none alive: start manage.py up",
        ),
    ]


def disk() -> Check:
    if not os.access(settings.TUNIXRT_HOME, os.W_OK):
        return Check("disk", "down", f"TUNIXRT_HOME cannot be written: {settings.TUNIXRT_HOME}")
    free = shutil.disk_usage(settings.TUNIXRT_HOME).free
    level = "ok" if free > settings.DISK_RESERVE_BYTES else "late"
    return Check("disk", level, f"{free / 1024**3:.1f} GiB free")


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
