"""Traces and their tags."""

import json

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property

from traces.lookups import WordsField
from traces.models.imports import Import
from traces.models.queries import TraceQuerySet
from traces.rows import MAX_TAG
from tunixrt.lib.ids import uuid7


class Trace(models.Model):
    """One worked answer: prompt, numbered steps, final answer.

    Immutable: a correction is a new trace with `parent`. `canonical` is the truth, the text that hashes and
    exports read; the columns beside it are taken from it once, for lists and searches.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    # An index costs every row that comes in: of the three keys only those that are set, and looked up, have one.
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="corrections", db_index=False)
    imported_by = models.ForeignKey(Import, null=True, on_delete=models.CASCADE, related_name="traces", db_index=False)
    canonical = models.TextField(help_text="The whole trace as canonical JSON.")
    trace_version = models.CharField(max_length=64)
    prompt = models.TextField()
    final_answer = models.TextField()
    meta = models.JSONField(null=True, help_text="For filters only: exports read `canonical`.")
    source = models.CharField(max_length=200, blank=True)
    step_count = models.PositiveIntegerField()
    character_count = models.PositiveIntegerField(help_text="Code points of prompt, steps and final answer together.")
    group = models.CharField(max_length=64, help_text="SHA-256 of what twins share; twins never straddle splits.")
    content_sha256 = models.CharField(max_length=64)
    words = WordsField(default="", editable=False, help_text="For the full-text search only.")

    objects = TraceQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="trace_newest"),  # every list
            models.Index(fields=["source", "-created_at", "-id"], name="trace_by_source"),  # the commonest filter
            models.Index(fields=["step_count", "created_at", "id"], name="trace_by_steps"),  # sorted by steps
            models.Index(fields=["content_sha256"], name="trace_by_content"),  # duplicates at import
            # the traces of an import: shown, undone
            models.Index(fields=["imported_by"], condition=Q(imported_by__isnull=False), name="trace_by_import"),
            # whether a trace may be deleted
            models.Index(fields=["parent"], condition=Q(parent__isnull=False), name="trace_by_parent"),
            # traces.fulltext adds those that Django has no words for: by words, by meta
        ]

    def __str__(self) -> str:
        return self.prompt[:60]

    @cached_property
    def payload(self) -> dict:
        """The trace as it was taken in: trace_version, prompt, steps, final_answer, meta. Not to be changed."""
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
            "reviews": [review.to_dict() for review in self.reviews.all()],
        }


class Tag(models.Model):
    """A word on a trace, taken from `meta.tags` at intake or given later."""

    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=MAX_TAG)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "trace"], name="tag_once_a_trace")]

    def __str__(self) -> str:
        return self.name
