"""What was taught, and whether it helped."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q, TextField, Value
from django.db.models.functions import Cast, Replace
from django.utils import timezone

from datasets_app.models import Dataset, EvalSet
from traces.models import Trace
from traces.models.trace import MAX_TAG
from tunixrt.jobs.models import Job
from tunixrt.lib.ids import uuid7
from tunixrt.lib.moves import move

PART_OF_ID = re.compile("[0-9a-f]{4,32}")
QUEUE = "runs"  # of training and examination
REMEMBERED_RUNS = 200  # among which one that computed alike is looked for


def workload(config: dict[str, Any]) -> tuple:
    """What the time a token takes depends on most, of a resolved config."""
    model, training = config["model"], config["training"]
    named = (model.get("family"), model.get("size"), model.get("weights"), bool(model.get("lora")))
    return (*named, config["data"]["max_length"], training.get("dtype", "float32"), config.get("mesh"))


class Checkpoint(NamedTuple):
    """A sealed step and when it was sealed."""

    step: int
    sealed_at: datetime


class RunQuerySet(models.QuerySet):
    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def open(self) -> Self:
        return self.filter(status__in=Run.OPEN)

    def closed(self) -> Self:
        return self.exclude(status__in=Run.OPEN)

    def shown(self) -> Self:
        """Those that lists and choices offer: neither archived nor about to be gone."""
        return self.filter(archived_at__isnull=True).exclude(removal=Run.Removal.DELETE)

    def tagged(self, name: str) -> Self:
        return self.filter(Exists(RunTag.objects.filter(run=OuterRef("pk"), name=name)))

    def called(self, text: str) -> Self:
        """Those with `text` in their name, or whose id holds it."""
        found = Q(name__says=text.strip())
        part = text.strip().replace("-", "").lower()
        if PART_OF_ID.fullmatch(part):
            found |= Q(hex__contains=part)
        digits = Replace(Cast("id", TextField()), Value("-"), Value(""), output_field=TextField())
        return self.alias(hex=digits).filter(found)

    def completed(self) -> Self:
        return self.filter(status=Run.Status.COMPLETED)

    def not_reproducing(self) -> Self:
        """Replays that gave something else than the run that they repeat."""
        return self.filter(replay__same=False)

    def examined_on(self, evalset: EvalSet) -> Self:
        return self.completed().filter(evalset=evalset)

    def taught(self, trace: Trace) -> Self:
        """Those in whose train split a trace is."""
        return self.filter(dataset__items__trace=trace, dataset__items__split="train")

    def pace(self, config: dict[str, Any], engine: str) -> float | None:
        """Tokens a second of the newest completed run that computed alike; None before there is one."""
        recent = self.completed().filter(engine=engine).newest_first().only("config", "metrics")[:REMEMBERED_RUNS]
        alike = (run for run in recent if workload(run.config) == workload(config))
        return next((pace for run in alike if (pace := run.metrics.get("avg_tokens_per_second"))), None)

    def with_dataset(self) -> Self:
        return self.select_related("dataset", "evalset", "created_by")

    def with_tags(self) -> Self:
        return self.with_dataset().prefetch_related("tags")


class Run(models.Model):
    """One training of one model on one dataset, and its examination.

        pending ──▶ training ──▶ evaluating ──▶ completed
           │  ▲        │  │           │
           │  └────────┘  ├▶ training_failed   └▶ evaluation_failed
           └──────────────┴──▶ cancelled (from any open status)

    A rescue takes training back to pending. `completed` and `evaluation_failed` can go to evaluating again:
    an examination is repeatable, and a completed run stays one when its repetition is cancelled. Retry, resume,
    replay and clone make a new run with `parent`.
    A closed run can be archived, purged (its large files go) and deleted: `runs.services.disposing`.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        TRAINING = "training"
        EVALUATING = "evaluating"
        COMPLETED = "completed"
        TRAINING_FAILED = "training_failed"
        EVALUATION_FAILED = "evaluation_failed"
        CANCELLED = "cancelled"

    OPEN = (Status.PENDING, Status.TRAINING, Status.EVALUATING)
    TRANSITIONS = {
        Status.PENDING: frozenset({Status.TRAINING, Status.CANCELLED, Status.TRAINING_FAILED}),
        Status.TRAINING: frozenset({Status.PENDING, Status.EVALUATING, Status.CANCELLED, Status.TRAINING_FAILED}),
        Status.EVALUATING: frozenset({Status.COMPLETED, Status.CANCELLED, Status.EVALUATION_FAILED}),
        Status.COMPLETED: frozenset({Status.EVALUATING}),
        Status.EVALUATION_FAILED: frozenset({Status.EVALUATING}),
    }

    class Engine(models.TextChoices):
        JAX = "jax"
        TUNIX = "tunix"

    class Origin(models.TextChoices):
        LAUNCH = "launch"
        RETRY = "retry"
        RESUME = "resume"
        REPLAY = "replay"
        CLONE = "clone"

    class Removal(models.TextChoices):
        PURGE = "purge"
        DELETE = "delete"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    engine = models.CharField(max_length=8, choices=Engine, default=Engine.JAX)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="runs")
    evalset = models.ForeignKey(EvalSet, on_delete=models.PROTECT, related_name="runs")
    config = models.JSONField(help_text="Resolved, every default spelled out.")
    config_sha256 = models.CharField(max_length=64)
    seed = models.PositiveBigIntegerField()
    attempt = models.PositiveIntegerField(default=0, help_text="How often training was begun.")
    sealed_step = models.PositiveBigIntegerField(null=True, help_text="Of the newest checkpoint that was sealed.")
    metrics = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    origin = models.CharField(max_length=8, choices=Origin, default=Origin.LAUNCH)
    notes = models.TextField(blank=True, default="", db_default="")
    noted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    noted_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    purged_at = models.DateTimeField(null=True, help_text="From then on its checkpoints are gone or going.")
    removal = models.CharField(
        max_length=8,
        choices=Removal,
        blank=True,
        default="",
        db_default="",
        help_text="Asked for and not finished yet.",
    )
    replay = models.JSONField(null=True, help_text="Of a replay: how it compares with the run that it repeats.")
    reproduced = models.PositiveIntegerField(
        default=0, db_default=0, help_text="How many replays of this run gave the same."
    )
    reproduced_at = models.DateTimeField(null=True, help_text="When the last of them did.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="run_newest"),
            models.Index(fields=["status", "-created_at"], name="run_by_status"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["pending", "training", "evaluating"], finished_at__isnull=True)
                | Q(
                    status__in=["completed", "training_failed", "evaluation_failed", "cancelled"],
                    finished_at__isnull=False,
                ),
                name="run_finished_at_if_and_only_if_final",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def state(self) -> str:
        """The status in words, for a sentence."""
        return str(self.get_status_display()).lower()

    @property
    def directory(self) -> Path:
        return settings.TUNIXRT_HOME / "artifacts" / "training_runs" / str(self.pk)

    @property
    def has_checkpoint(self) -> bool:
        """Whether training can go on from what this run left: some step was sealed by its manifest."""
        return any(self.directory.glob("checkpoints/*/MANIFEST.json"))

    @property
    def tag_names(self) -> list[str]:
        return sorted(tag.name for tag in self.tags.all())

    @property
    def newest_checkpoint(self) -> Checkpoint | None:
        """The newest sealed step; None before the first."""
        manifests = {int(path.parent.name): path for path in self.directory.glob("checkpoints/[0-9]*/MANIFEST.json")}
        try:
            step = max(manifests)
            return Checkpoint(step, datetime.fromtimestamp(manifests[step].stat().st_mtime, UTC))
        except (ValueError, FileNotFoundError):  # none, or replaced this very moment by a newer one
            return None

    @property
    def queue_position(self) -> int | None:
        """Its place among the work that waits for the same workers, from 1; None while it does not wait."""
        return Job.objects.places(QUEUE).get(self.pk) if self.is_open else None

    @property
    def job(self) -> Job | None:
        """The latest piece of long work for this run: training, examination, removal."""
        return Job.objects.for_target(self.pk).first()

    def to_dict(self, places: Mapping[UUID, int] | None = None) -> dict[str, Any]:
        """The run as the API and the commands show it; of many, whoever knows all `places` in the queue gives them."""
        same = ("id", "name", "status", "engine", "origin", "seed", "config", "config_sha256", "metrics", "attempt")
        times = ("created_at", "started_at", "finished_at", "archived_at", "purged_at")
        return {
            **{name: getattr(self, name) for name in same},
            "dataset_key": self.dataset.key,
            "contaminated": self.dataset.is_contaminated,
            "evalset": self.evalset_id,
            "error": self.error,
            "parent": self.parent_id,
            "notes": self.notes,
            "tags": self.tag_names,
            "queue_position": self.queue_position if places is None else places.get(self.pk),
            **{name: getattr(self, name) for name in ("replay", "reproduced", "reproduced_at")},
            **{name: getattr(self, name) for name in times},
        }

    def move(self, to: str, *, reason: str, by=None, **fields: Any) -> None:
        """The only way to another status: compare-and-swap, and the RunEvent that says who and why.

        Raises Conflict when the present status forbids it.
        """
        finished = None if to in self.OPEN else timezone.now()
        with transaction.atomic():
            origin = move(self, to, transitions=self.TRANSITIONS, finished_at=finished, **fields)
            self.events.create(from_status=origin, to_status=to, reason=reason, created_by=by)

    def note(self, reason: str, by=None) -> None:
        """A RunEvent for something that happened without a change of status."""
        self.events.create(from_status=self.status, to_status=self.status, reason=reason, created_by=by)

    def keep_sealed(self, step: int) -> None:
        """Notes the newest checkpoint. From here on its files must be there, or somebody has lost them."""
        self.sealed_step = step
        Run.objects.filter(pk=self.pk).update(sealed_step=step)

    def keep_plan(self, plan: dict[str, Any]) -> None:
        """Keeps what its training expects to take, the time by what is known of the pace now."""
        tokens, pace = plan["tokens"], Run.objects.pace(self.config, self.engine)
        seconds = round(tokens / pace, 1) if pace else None
        news = {"planned_memory_bytes": plan["peak_memory_bytes"], "planned_tokens": tokens, "planned_seconds": seconds}
        self.keep_metrics(news)

    def keep_metrics(self, news: dict[str, Any]) -> None:
        """Adds summary figures to those that the run has."""
        self.refresh_from_db(fields=["metrics"])
        self.metrics = self.metrics | news
        Run.objects.filter(pk=self.pk).update(metrics=self.metrics)


class RunTag(models.Model):
    """A word on a run, by the rules of the tags of traces."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=MAX_TAG)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "run"], name="run_tag_once_a_run")]

    def __str__(self) -> str:
        return self.name


class RunEvent(models.Model):
    """Who or what moved a run, when and why. Only ever added to."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    from_status = models.CharField(max_length=20, blank=True)
    to_status = models.CharField(max_length=20)
    reason = models.TextField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"

    def to_dict(self) -> dict[str, Any]:
        by = self.created_by.get_username() if self.created_by else None
        names = ("from_status", "to_status", "reason", "created_at")
        return {name: getattr(self, name) for name in names} | {"created_by": by}
