"""What is asked: questions with their answers."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.utils import timezone

from datasets_app.models.datasets import Dataset
from training.evalset_checks import LABELS
from training.evalsets import MAX_LABEL
from tunixrt.lib.ids import uuid7

MAX_FILE_NAME = 80  # characters


class EvalSetQuerySet(models.QuerySet):
    def with_dataset(self) -> Self:
        return self.select_related("dataset", "created_by")

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def versions_of(self, evalset: "EvalSet") -> Self:
        """All of the same name, the newest first: each has its own items, and so its own hash."""
        return self.filter(name=evalset.name).newest_first()


class EvalSet(models.Model):
    """Questions with their answers, bound to the hash of their content."""

    class Origin(models.TextChoices):
        FILE = "file"
        SPLIT = "split", "split of a dataset"
        PROBLEM = "problem", "generated problem"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    origin = models.CharField(max_length=16, choices=Origin)
    dataset = models.ForeignKey(Dataset, null=True, on_delete=models.PROTECT, related_name="evalsets")
    split = models.CharField(max_length=8, blank=True)
    item_count = models.PositiveIntegerField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = EvalSetQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [
            models.CheckConstraint(
                condition=Q(origin="split", dataset__isnull=False) | ~Q(origin="split") & Q(dataset__isnull=True),
                name="evalset_of_a_split_names_its_dataset",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def to_dict(self) -> dict[str, Any]:
        """The evalset without its items."""
        return {
            "id": str(self.pk),
            "name": self.name,
            "sha256": self.sha256,
            "origin": self.origin,
            "dataset_key": self.dataset.key if self.dataset else None,
            "split": self.split,
            "item_count": self.item_count,
            "created_at": self.created_at,
        }

    def labelled_items(self) -> list[dict[str, str]]:
        """Each item's id and labels, in order: what slices are cut by."""
        rows = self.items.values("item_id", "category", "difficulty", "section")
        return [{"id": row.pop("item_id"), **row} for row in rows]

    @property
    def file_name(self) -> str:
        """What a download of the items is called."""
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", self.name)[:MAX_FILE_NAME].lstrip(".-") or "evalset"
        return f"{name}-{self.sha256[:12]}.jsonl"

    @property
    def path(self) -> Path:
        """The items as a file, for the process that examines."""
        return settings.TUNIXRT_HOME / "evalsets" / f"{self.sha256}.jsonl"


class EvalItemQuerySet(models.QuerySet):
    def label_counts(self) -> dict[UUID, dict[str, Counter[str]]]:
        """By evalset, how many items have each section, category and difficulty. One query for all of them."""
        found: dict[UUID, dict[str, Counter[str]]] = {}
        for row in self.order_by().values("evalset", *LABELS).annotate(items=Count("pk")):
            counts = found.setdefault(row["evalset"], {label: Counter() for label in LABELS})
            for label in LABELS:
                if row[label]:
                    counts[label][row[label]] += row["items"]
        return found

    def with_words(self, words: str) -> Self:
        """Items whose id, prompt or expected answer holds these words as they stand, in any case."""
        named = Q(item_id__says=words) | Q(prompt__says=words)
        return self.filter(named | Q(expected_answer__says=words))


class EvalItem(models.Model):
    """One question. `item_id` is its id in the file, unique in the set."""

    evalset = models.ForeignKey(EvalSet, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    item_id = models.CharField(max_length=MAX_LABEL)
    prompt = models.TextField()
    expected_answer = models.TextField()
    category = models.CharField(max_length=MAX_LABEL)
    difficulty = models.CharField(max_length=MAX_LABEL)
    section = models.CharField(max_length=MAX_LABEL, blank=True)

    objects = EvalItemQuerySet.as_manager()

    class Meta:
        ordering = ("position",)
        constraints = [models.UniqueConstraint(fields=["evalset", "item_id"], name="evalitem_once_a_set")]

    def __str__(self) -> str:
        return self.item_id

    @classmethod
    def from_item(cls, evalset: EvalSet, position: int, item: dict[str, Any]) -> "EvalItem":
        """An unsaved row for an item that `training.evalsets` has accepted."""
        texts = {name: item[name] for name in ("prompt", "expected_answer", "category", "difficulty")}
        return cls(evalset=evalset, position=position, item_id=item["id"], section=item.get("section", ""), **texts)

    def to_dict(self) -> dict[str, Any]:
        """The item as its file has it, without the steps of its reference."""
        row = {"id": self.item_id, "prompt": self.prompt, "expected_answer": self.expected_answer}
        row |= {"category": self.category, "difficulty": self.difficulty}
        return row | ({"section": self.section} if self.section else {})
