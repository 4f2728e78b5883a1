"""Long work, one mechanism for every room: the row is the queue, the lock and the history."""

import os
import socket
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from tunixrt.lib.ids import uuid7
from tunixrt.lib.machines import boot_id

WORKER = "TUNIXRT_WORKER"  # in the environment of a worker and its pool: its name
WORK_VERSION = 1  # goes up when older code could not do work that newer code asks for


class Lost(Exception):
    """Somebody else owns the row now. Stop at once and write nothing."""


class Cancelled(Exception):
    """A person asked for the work to stop."""


class HandBack(Exception):
    """The work stopped before its end and can go on later, here or elsewhere."""


class Interrupted(HandBack):
    """It was stopped from outside, in order: that is no failed attempt."""


def this_worker() -> str:
    """Host and process that works here: in a worker's pool that of the worker itself, so that both have one name."""
    return (os.environ.get(WORKER) or f"{socket.gethostname()}:{os.getpid()}")[:128]


class JobQuerySet(models.QuerySet):
    def open(self) -> Self:
        return self.filter(status__in=Job.OPEN)

    def waiting(self) -> Self:
        return self.filter(status=Job.Status.QUEUED).order_by("created_at", "id")

    def running(self) -> Self:
        return self.filter(status=Job.Status.RUNNING)

    def for_target(self, target: uuid.UUID) -> Self:
        return self.filter(target=target).order_by("-created_at", "-id")

    def places(self, queue: str) -> dict[uuid.UUID, int]:
        """The place in its queue of each target whose work waits there, from 1."""
        targets = self.waiting().filter(queue=queue).values_list("target", flat=True)
        return {target: place for place, target in enumerate(targets, start=1)}


class Job(models.Model):
    """One piece of long work for one row of a room.

        queued ──▶ running ──▶ done | failed
          ▲ │         │
          │ └─────────┼──▶ cancelled
          └───────────┘  its owner fell silent or handed it back

    Every change is one conditional UPDATE: who holds `owner` may write, everybody else is told Lost. `beat`
    counts up while the owner lives; no clock of any machine decides about a lease.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    OPEN = (Status.QUEUED, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=64, help_text="The Celery task that does it.")
    target = models.UUIDField(help_text="The row it is done for.")
    queue = models.CharField(max_length=16)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    owner = models.UUIDField(null=True, editable=False, help_text="Fencing token of the process that holds it.")
    worker = models.CharField(max_length=128, blank=True, help_text="Host and process that held it last.")
    # With defaults in the database too: code from before these columns goes on writing rows while they are added.
    boot = models.CharField(
        max_length=36, blank=True, db_default="", editable=False, help_text="Of that host, when it was claimed."
    )
    version = models.PositiveIntegerField(
        default=WORK_VERSION, db_default=1, editable=False, help_text="Of the code that asked."
    )
    beat = models.PositiveBigIntegerField(default=0)
    seen_at = models.DateTimeField(null=True, help_text="When it beat last, for people: leases know no clock.")
    attempt = models.PositiveIntegerField(default=0, help_text="How often it was claimed.")
    stalls = models.PositiveIntegerField(default=0, help_text="Claims since it last made progress.")
    cancel_requested = models.BooleanField(default=False)
    done = models.PositiveBigIntegerField(default=0)
    done_before = models.PositiveBigIntegerField(default=0, help_text="Done when the present attempt began.")
    total = models.PositiveBigIntegerField(null=True)
    message = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, help_text="When the present or last attempt began.")
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()
    watch: Callable[["Job"], None] | None = None  # told of every tick, in the process that works

    class Meta:
        indexes = [
            models.Index(fields=["queue", "created_at"], condition=Q(status="queued"), name="job_waiting"),
            models.Index(fields=["target", "-created_at"], name="job_of_target"),
        ]
        constraints = [
            # A double click or a second sweeper must not start the same work twice.
            models.UniqueConstraint(
                fields=["target"], condition=Q(status__in=["queued", "running"]), name="job_one_open"
            ),
            models.CheckConstraint(
                condition=Q(status="running", owner__isnull=False) | ~Q(status="running") & Q(owner__isnull=True),
                name="job_owned_if_and_only_if_running",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running"], finished_at__isnull=True)
                | Q(status__in=["done", "failed", "cancelled"], finished_at__isnull=False),
                name="job_finished_at_if_and_only_if_final",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def percent(self) -> int | None:
        """Whole per cent done, or None while the total is not known."""
        return min(100, 100 * self.done // self.total) if self.total else None

    @property
    def eta_seconds(self) -> float | None:
        """Seconds left at the pace so far of this attempt, or None before there is one."""
        now_done = self.done - (self.done_before if self.done_before <= self.done else 0)
        if not (self.status == self.Status.RUNNING and self.total and now_done and self.started_at):
            return None
        elapsed = (timezone.now() - self.started_at).total_seconds()
        return elapsed * max(0, self.total - self.done) / now_done

    @property
    def is_of_an_earlier_boot(self) -> bool:
        """Whether this machine was started anew since one of its processes claimed the job: that process is gone."""
        here = self.worker.rpartition(":")[0] == socket.gethostname()
        return here and bool(self.boot) and self.boot != boot_id()

    @property
    def silence_seconds(self) -> float | None:
        """Seconds since the last sign of life of who works on it; None while nobody does."""
        if self.status != self.Status.RUNNING or self.seen_at is None:
            return None
        return max(0.0, (timezone.now() - self.seen_at).total_seconds())

    def claim(self) -> bool:
        """Makes this process the owner if nobody is and its code is new enough.

        The attempt is counted before any work can fail.
        """
        token = uuid.uuid4()
        free = Job.objects.filter(pk=self.pk, status=self.Status.QUEUED, cancel_requested=False)
        taken = free.filter(version__lte=WORK_VERSION).update(
            status=self.Status.RUNNING,
            owner=token,
            worker=this_worker(),
            boot=boot_id(),
            beat=F("beat") + 1,
            seen_at=timezone.now(),
            attempt=F("attempt") + 1,
            stalls=F("stalls") + 1,
            started_at=timezone.now(),
            done_before=F("done"),
            error="",
        )
        self.refresh_from_db()
        return bool(taken)

    def tick(self, done: int | None = None, total: int | None = None, message: str | None = None) -> None:
        """A sign of life with the progress so far. Raises Lost when the row has another owner, Cancelled when asked."""
        news = {"done": done, "total": total, "message": message and message[:200]}
        given = {name: value for name, value in news.items() if value is not None}
        self._write(beat=F("beat") + 1, seen_at=timezone.now(), **given)
        if self.watch:
            self.watch(self)
        if Job.objects.filter(pk=self.pk, cancel_requested=True).exists():
            raise Cancelled

    def made_progress(self) -> None:
        """Something is now kept that a next attempt will not repeat: start counting attempts anew."""
        self._write(stalls=0)

    def release(self, reason: str, *, failed: bool = True) -> None:
        """Gives the work back unfinished, for anybody to claim. An attempt that has not `failed` is not counted."""
        stalls = self.stalls if failed else max(0, self.stalls - 1)
        self._write(status=self.Status.QUEUED, owner=None, message=reason[:200], stalls=stalls)

    def end(self, status: str, error: str = "") -> None:
        """Writes the final status. Raises Lost when the row has another owner."""
        self._write(status=status, owner=None, error=error, finished_at=timezone.now())

    def request_cancel(self) -> bool:
        """Asks the owner to stop; work that nobody owns is cancelled at once. True when it is cancelled already."""
        with transaction.atomic():
            mine = Job.objects.filter(pk=self.pk)
            # First, for it holds the row: nobody claims or releases what was neither waiting nor running for a moment.
            mine.filter(status__in=self.OPEN).update(cancel_requested=True)
            ended = mine.filter(status=self.Status.QUEUED).update(
                status=self.Status.CANCELLED, finished_at=timezone.now()
            )
        self.refresh_from_db()
        return bool(ended)

    def _write(self, **fields: Any) -> None:
        if not Job.objects.filter(pk=self.pk, owner=self.owner, status=self.Status.RUNNING).update(**fields):
            raise Lost(f"{self} is not held by this process any more")
        for name, value in fields.items():
            if name != "beat":
                setattr(self, name, value)


class Once(models.Model):
    """An `Idempotency-Key` and what the first request with it made, so that a second one makes nothing."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was asked.")
    target = models.UUIDField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="once_per_user_and_key")]

    def __str__(self) -> str:
        return self.key


class BeaconQuerySet(models.QuerySet):
    def workers(self) -> Self:
        return self.filter(kind="worker").order_by("queue", "name")

    def alive(self) -> Self:
        return self.filter(seen_at__gte=timezone.now() - lifetime())


def lifetime() -> timedelta:
    """How long a sign of life counts."""
    return timedelta(seconds=3 * settings.RUN_HEARTBEAT_SECONDS)


class Beacon(models.Model):
    """A sign of life of a long-lived process: a worker or the sweeper."""

    name = models.CharField(max_length=160, unique=True, help_text="Kind, queue, host and process.")
    kind = models.CharField(max_length=16)
    queue = models.CharField(max_length=64, blank=True)
    device = models.CharField(max_length=64, blank=True, db_default="", help_text="What it computes on, if it says so.")
    since = models.DateTimeField(default=timezone.now, db_default=Now())
    seen_at = models.DateTimeField()
    draining = models.BooleanField(default=False, db_default=False, help_text="Asked to hand its work back and stop.")

    objects = BeaconQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def worker(self) -> str:
        """Host and process, as `Job.worker` has them."""
        return self.name.rpartition(" ")[2]

    @property
    def is_alive(self) -> bool:
        return timezone.now() - self.seen_at <= lifetime()

    @classmethod
    def light(cls, *, kind: str, queue: str = "", device: str = "") -> Self:
        """A sign of life of this process; returns its beacon, on which somebody may have left a wish."""
        seen = {"kind": kind, "queue": queue, "device": device, "seen_at": timezone.now()}
        return cls.objects.update_or_create(name=f"{kind} {queue} {this_worker()}"[:160], defaults=seen)[0]

    @classmethod
    def put_out(cls) -> None:
        """This process ends as it should: nobody need wonder where it is."""
        cls.objects.workers().filter(name__endswith=f" {this_worker()}").delete()
