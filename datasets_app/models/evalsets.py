"""What is asked: questions with their answers."""

from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from datasets_app.models.datasets import Dataset
from training.evalsets import MAX_LABEL
from tunixrt.lib.ids import uuid7


class EvalSetQuerySet(models.QuerySet):
    def with_dataset(self) -> Self:
        return self.select_related("dataset")

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")


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
    def path(self) -> Path:
        """The items as a file, for the process that examines."""
        return settings.TUNIXRT_HOME / "evalsets" / f"{self.sha256}.jsonl"


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
