"""What was thought: traces, where they came from, and how they were scored."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import OuterRef, Prefetch, Q, Subquery
from django.utils import timezone

from traces.filters import FILTERS
from traces.lookups import MetaEquals
from training.canonical import canonical_json, content_sha256, sha256_hex
from training.errors import Fault
from training.splits import group_of
from tunixrt.jobs.models import Job
from tunixrt.lib.ids import uuid7
from tunixrt.lib.moves import move

MAX_TAG = 100


class Import(models.Model):
    """A file that was brought in. Its traces are invisible until `status` says done: all of them or none.

    loading ──▶ done | failed | cancelled
    """

    class Status(models.TextChoices):
        LOADING = "loading"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    TRANSITIONS = {Status.LOADING: frozenset({Status.DONE, Status.FAILED, Status.CANCELLED})}

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
    errors = models.JSONField(default=list, help_text="The first faults, each with line and field.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"import of {self.file_name}"

    def move(self, to: str, **fields: Any) -> None:
        move(self, to, transitions=self.TRANSITIONS, finished_at=timezone.now(), **fields)

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
        return Job.objects.for_target(self.pk).first()

    @property
    def faults(self) -> list[Fault]:
        return [Fault(**error | {"loc": tuple(error["loc"])}) for error in self.errors]

    def to_dict(self) -> dict:
        """As the API shows it; `progress` while it is loading."""
        names = ("id", "status", "file_name", "format", "source", "skip_bad", "created_at", "finished_at")
        counts = ("stored_count", "duplicate_count", "bad_count", "errors")
        job = self.job if self.status == self.Status.LOADING else None
        progress = job and {
            "done": job.done,
            "total": job.total,
            "eta_seconds": job.eta_seconds,
            "message": job.message,
        }
        return {name: getattr(self, name) for name in (*names, *counts)} | {"progress": progress}


class TraceQuerySet(models.QuerySet):
    def visible(self) -> Self:
        """Everything but the rows of an import that is not done."""
        return self.filter(Q(imported_by=None) | Q(imported_by__status=Import.Status.DONE))

    def known_to(self, row: Import) -> Self:
        """What a further row of an import would repeat: the visible traces and those it has staged."""
        return self.filter(Q(imported_by=None) | Q(imported_by__status=Import.Status.DONE) | Q(imported_by=row))

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def search(self, words: str) -> Self:
        """Traces in whose prompt or final answer every one of `words` occurs; ASCII letters in either case."""
        found = self
        for word in words.replace("\0", " ").split()[:20]:
            found = found.filter(Q(prompt__holds=word) | Q(final_answer__holds=word))
        return found

    def matching(self, filters: dict[str, Any]) -> Self:
        """Traces that pass every filter: those of FILTERS, and any other name as `meta[name]` equal."""
        found = self
        for name, value in filters.items():
            found = getattr(found, f"by_{name}")(value) if name in FILTERS else found.by_meta(name, value)
        return found

    def by_source(self, value: str) -> Self:
        return self.filter(source=value)

    def by_q(self, value: str) -> Self:
        return self.search(value)

    def by_min_score(self, value: float) -> Self:
        return self.filter(pk__in=Score.objects.filter(scorer="baseline", score__gte=value).values("trace"))

    def by_created_after(self, value: Any) -> Self:
        return self.filter(created_at__gt=value)

    def by_tag(self, value: str) -> Self:
        return self.filter(pk__in=Tag.objects.filter(name=value).values("trace"))

    def of_import(self, import_id: UUID) -> Self:
        return self.filter(imported_by=import_id)

    def by_meta(self, name: str, value: Any) -> Self:
        """Traces whose `meta[name]` equals the scalar `value`, JSON type included: "1", 1 and true all differ."""
        return self.filter(MetaEquals(name, value))

    def with_score(self) -> Self:
        """Adds `score`, the latest one by the baseline, or None."""
        scores = Score.objects.filter(trace=OuterRef("pk"), scorer="baseline").order_by("-created_at", "-id")
        return self.annotate(score=Subquery(scores.values("score")[:1]))

    def for_list(self) -> Self:
        """What a row of a list shows, without the texts that only the trace's own page reads."""
        return self.visible().with_score().newest_first().defer("canonical", "meta")

    def for_detail(self) -> Self:
        scores = Score.objects.order_by("scorer", "-created_at", "-id")
        return (
            self.visible()
            .select_related("created_by", "imported_by")
            .prefetch_related(Prefetch("scores", scores), "tags")
        )

    def insert(self, traces: Sequence["Trace"], *, ignore_known: bool = False) -> None:
        """Adds the rows and the tags in their `meta`. `ignore_known` leaves ids that are there as they are."""
        self.bulk_create(traces, ignore_conflicts=ignore_known)
        tags = [Tag(trace_id=trace.pk, name=name) for trace in traces for name in tags_of(trace.meta)]
        Tag.objects.bulk_create(tags, ignore_conflicts=ignore_known)


class Trace(models.Model):
    """One worked answer: prompt, numbered steps, final answer.

    Immutable: a correction is a new trace with `parent`. `canonical` is the truth, the text that hashes and
    exports read; the columns beside it are taken from it once, for lists and searches.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="corrections")
    imported_by = models.ForeignKey(Import, null=True, on_delete=models.CASCADE, related_name="traces")
    canonical = models.TextField(help_text="The whole trace as canonical JSON.")
    trace_version = models.CharField(max_length=64)
    prompt = models.TextField()
    final_answer = models.TextField()
    meta = models.JSONField(null=True, help_text="For filters only: exports read `canonical`.")
    source = models.CharField(max_length=200, blank=True)
    step_count = models.PositiveIntegerField()
    group = models.CharField(max_length=64, help_text="SHA-256 of what twins share; twins never straddle splits.")
    content_sha256 = models.CharField(max_length=64)

    objects = TraceQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="trace_newest"),  # every list
            models.Index(fields=["source", "-created_at"], name="trace_by_source"),  # the commonest filter
            models.Index(fields=["content_sha256"], name="trace_by_content"),  # duplicates at import
            models.Index(fields=["group"], name="trace_by_group"),  # twins
        ]

    def __str__(self) -> str:
        return self.prompt[:60]

    @classmethod
    def from_payload(cls, payload: dict, **fields: Any) -> "Trace":
        """An unsaved row for a payload that `training.schema.read_trace` has accepted."""
        meta = payload["meta"]
        source = meta.get("source") if meta else None
        return cls(
            canonical=canonical_json(payload),
            trace_version=payload["trace_version"],
            prompt=payload["prompt"],
            final_answer=payload["final_answer"],
            meta=meta,
            source=source[:200] if isinstance(source, str) else "",
            step_count=len(payload["steps"]),
            group=sha256_hex(group_of(payload)),
            content_sha256=content_sha256(payload),
            **fields,
        )

    @property
    def payload(self) -> dict:
        """The trace as it was taken in: trace_version, prompt, steps, final_answer, meta."""
        return json.loads(self.canonical)

    @property
    def steps(self) -> list[dict]:
        return self.payload["steps"]

    def to_row(self) -> dict:
        """A row of a list, from `for_list`."""
        names = ("id", "created_at", "trace_version", "prompt", "final_answer", "step_count", "source", "score")
        return {name: getattr(self, name) for name in names}

    def to_dict(self) -> dict:
        """The whole trace with what was said of it, from `for_detail`."""
        names = ("id", "created_at", "trace_version", "payload", "content_sha256")
        return {name: getattr(self, name) for name in names} | {
            "parent": self.parent_id,
            "tags": sorted(tag.name for tag in self.tags.all()),
            "scores": [score.to_dict() for score in self.scores.all()],
        }


class Tag(models.Model):
    """A word on a trace, taken from `meta.tags` at intake or given later."""

    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "trace"], name="tag_once_a_trace")]

    def __str__(self) -> str:
        return self.name


def tags_of(meta: dict | None) -> list[str]:
    """The tags that a trace brings along: the distinct short texts of the list `meta.tags`."""
    tags = (meta or {}).get("tags")
    if not isinstance(tags, list):
        return []
    return list(dict.fromkeys(tag for tag in tags if isinstance(tag, str) and 0 < len(tag) <= MAX_TAG))


class Score(models.Model):
    """What a scorer of one version thought of a trace."""

    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="scores")
    scorer = models.CharField(max_length=64)
    version = models.CharField(max_length=16)
    score = models.FloatField()
    details = models.JSONField(default=dict)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trace", "scorer", "version"], name="score_once_a_version")]
        indexes = [models.Index(fields=["scorer", "score"], name="score_by_value")]  # the min_score filter

    def __str__(self) -> str:
        return f"{self.scorer} {self.version}: {self.score:g}"

    def to_dict(self) -> dict:
        return {name: getattr(self, name) for name in ("scorer", "version", "score", "details", "created_at")}
