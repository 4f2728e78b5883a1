"""Files that were brought in."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from training.errors import Fault
from tunixrt.jobs.models import Job
from tunixrt.lib.ids import uuid7
from tunixrt.lib.moves import move

NOT_UNDONE = "not_undone"  # the type of a fault that tells why an import could not be undone


class Import(models.Model):
    """A file that was brought in. Its traces are visible while `status` says done: all of them or none.

        waiting ──▶ loading ──▶ done ──▶ undoing ──▶ undone
           │           │         ▲          │
           │           ├▶ failed └──────────┘  a dataset holds some of it
           └───────────┴▶ cancelled

    `waiting` is a file whose preview somebody looks at.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        LOADING = "loading"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        UNDOING = "undoing"
        UNDONE = "undone"

    TRANSITIONS = {
        Status.WAITING: frozenset({Status.LOADING, Status.CANCELLED}),
        Status.LOADING: frozenset({Status.DONE, Status.FAILED, Status.CANCELLED}),
        Status.DONE: frozenset({Status.UNDOING}),
        Status.UNDOING: frozenset({Status.UNDONE, Status.DONE}),
    }
    MOVING = (Status.LOADING, Status.UNDOING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    status = models.CharField(max_length=16, choices=Status, default=Status.LOADING)
    file_name = models.CharField(max_length=255, help_text="As the person called it; never used as a path.")
    file_sha256 = models.CharField(max_length=64)
    file_bytes = models.PositiveBigIntegerField()
    format = models.CharField(max_length=32, help_text="As asked for, then as found.")
    source = models.CharField(max_length=200, help_text="What `meta.source` says of rows that are not traces yet.")
    skip_bad = models.BooleanField(default=False)
    stored_count = models.PositiveIntegerField(default=0)
    duplicate_count = models.PositiveIntegerField(default=0)
    bad_count = models.PositiveIntegerField(default=0)
    twin_count = models.PositiveIntegerField(null=True, help_text="Near-duplicates among its traces, once looked for.")
    errors = models.JSONField(default=list, help_text="The first faults, each with line and field.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"import of {self.file_name}"

    def move(self, to: str, **fields: Any) -> None:
        if to not in self.MOVING:
            fields["finished_at"] = timezone.now()
        move(self, to, transitions=self.TRANSITIONS, **fields)

    @property
    def is_moving(self) -> bool:
        return self.status in self.MOVING

    @property
    def directory(self) -> Path:
        return settings.TUNIXRT_HOME / "imports" / str(self.pk)

    @property
    def source_path(self) -> Path:
        """The file itself, kept until the import has ended."""
        return self.directory / "source"

    @property
    def rejected_path(self) -> Path:
        """The rows that were refused, each with its reasons; there is none when all were good."""
        return self.directory / "rejected.jsonl"

    @property
    def job(self) -> Job | None:
        """The work that is done for it, or was last: loading, looking for twins, undoing."""
        return Job.objects.for_target(self.pk).first()

    @property
    def undo_faults(self) -> list[Fault]:
        """Why it could not be undone."""
        return [fault for fault in self.all_faults if fault.type == NOT_UNDONE]

    @property
    def faults(self) -> list[Fault]:
        """What is wrong with the file."""
        return [fault for fault in self.all_faults if fault.type != NOT_UNDONE]

    @property
    def all_faults(self) -> list[Fault]:
        return [Fault(**error | {"loc": tuple(error["loc"])}) for error in self.errors]

    def to_dict(self) -> dict:
        """As the API shows it; `progress` while it is loading or being undone."""
        names = (
            "id",
            "status",
            "file_name",
            "file_sha256",
            "file_bytes",
            "format",
            "source",
            "skip_bad",
            "created_at",
            "finished_at",
        )
        counts = ("stored_count", "duplicate_count", "bad_count", "twin_count", "errors")
        job = self.job if self.is_moving else None
        progress = job and {
            "done": job.done,
            "total": job.total,
            "eta_seconds": job.eta_seconds,
            "message": job.message,
        }
        return {name: getattr(self, name) for name in (*names, *counts)} | {"progress": progress}
