"""What will be taught: frozen selections of traces."""

from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from datasets_app.keys import is_key, next_version
from datasets_app.models.items import ItemQuerySet
from traces.models import Trace
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict, Refused, Unavailable
from tunixrt.lib.ids import uuid7
from tunixrt.lib.moves import move


class DatasetQuerySet(models.QuerySet):
    def frozen(self) -> Self:
        return self.filter(status=Dataset.Status.FROZEN)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def related_to(self, dataset: "Dataset") -> Self:
        """The versions of the same name, and what was made after this dataset."""
        return self.filter(Q(name=dataset.name) | Q(parent=dataset))

    def with_key(self, key: str) -> Self:
        """The dataset of exactly this key, as a queryset of one or none; nothing for what cannot be a key."""
        return self.filter(key=key) if is_key(key) else self.none()

    def free_version_after(self, name: str, version: str) -> str:
        """The first of the versions after this one that no dataset of that name has, whatever its case."""
        taken = {text.lower() for text in self.filter(name__iexact=name).values_list("version", flat=True)}
        version = next_version(version)
        while version.lower() in taken:
            version = next_version(version)
        return version

    def by_key(self, key: str) -> "Dataset | None":
        """The dataset of that key, whatever its case: two keys that differ in case only cannot exist."""
        return self.annotate(lower_key=Lower("key")).filter(lower_key=key.lower()).first()


class Dataset(models.Model):
    """A frozen selection of traces, `name-version`, in the database and on disk.

        building ──▶ sealing ──▶ frozen
          ▲ └───────────┴──▶ failed | cancelled
          └──────────────────────┘  built again

    `sealing` means that the row and its items are whole and the hash is known, and that the directory is about
    to be renamed into place: whoever finds such a row can finish it from the items, or start over.
    """

    class Status(models.TextChoices):
        BUILDING = "building"
        SEALING = "sealing"
        FROZEN = "frozen"
        FAILED = "failed"
        CANCELLED = "cancelled"

    TRANSITIONS = {
        Status.BUILDING: frozenset({Status.BUILDING, Status.SEALING, Status.FAILED, Status.CANCELLED}),
        Status.SEALING: frozenset({Status.FROZEN, Status.BUILDING, Status.FAILED, Status.CANCELLED}),
        Status.FAILED: frozenset({Status.BUILDING}),
        Status.CANCELLED: frozenset({Status.BUILDING}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, help_text="The build_id.")
    key = models.CharField(max_length=193, editable=False)
    name = models.CharField(max_length=128)
    version = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status, default=Status.BUILDING)
    error = models.TextField(blank=True)
    request = models.JSONField(help_text="What was asked for, resolved: filters, strategy, limit, seed, recipe, …")
    seed = models.PositiveBigIntegerField()
    recipe = models.CharField(max_length=64)
    instruction = models.TextField(blank=True)
    max_length = models.PositiveIntegerField(default=256, help_text="Tokens a sequence that the gates reckon with.")
    trace_count = models.PositiveIntegerField(default=0)
    splits = models.JSONField(default=dict, help_text="Rows a split, and the rule.")
    stats = models.JSONField(default=dict)
    gates = models.JSONField(default=list)
    leak_count = models.PositiveIntegerField(default=0, help_text="Train rows that are known from where it is asked.")
    content_sha256 = models.CharField(max_length=64, blank=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        constraints = [
            # Two directories whose names differ in case only are one directory on some disks.
            models.UniqueConstraint(Lower("key"), name="dataset_key_unique_without_case"),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="dataset_newest")]

    def __str__(self) -> str:
        return self.key

    def move(self, to: str, **fields: Any) -> None:
        move(self, to, transitions=self.TRANSITIONS, **fields)

    def result_of(self, gate: str) -> dict[str, Any] | None:
        """What the gate of that name recorded; None in a dataset that is older than the gate."""
        return next((result for result in self.gates if result.get("gate") == gate), None)

    @property
    def refusing(self) -> list[dict[str, Any]]:
        """The results of the gates that refuse these rows."""
        return [gate for gate in self.gates if gate.get("action") == "refuse" and gate["count"]]

    @property
    def is_contaminated(self) -> bool:
        """Whether a train row gives away what an evalset, a golden set or a held-out row asks."""
        return self.leak_count > 0

    @property
    def job(self) -> Job | None:
        """The build that is under way, or was last."""
        return Job.objects.for_target(self.pk).first()

    def check_readable(self) -> None:
        """Raises Conflict while the dataset is not frozen, Unavailable when a file of it is gone or was altered.

        That bytes of a file were replaced by as many others, only `doctor` sees: it reads them all.
        """
        if self.status != self.Status.FROZEN:
            raise Conflict(f"{self} is {self.status}, not frozen.", code="not_frozen")
        for path in (self.rows_path, self.manifest_path):
            if self.directory.is_symlink() or path.is_symlink() or not path.is_file():
                raise Unavailable(f"{path} is missing. `manage.py restore_dataset {self}` restores it.")
        size, frozen = self.rows_path.stat().st_size, self.stats.get("bytes")
        if frozen not in (None, size):
            raise Unavailable(
                f"{self.rows_path} has {size} bytes, not the {frozen} that were frozen. "
                f"`manage.py restore_dataset {self} --from database` writes it again."
            )

    @property
    def is_readable(self) -> bool:
        """Whether its files are there, as far as can be told at once."""
        try:
            self.check_readable()
        except Refused:
            return False
        return True

    def to_dict(self) -> dict[str, Any]:
        """The dataset as a list shows it."""
        return {
            "dataset_key": self.key,
            "build_id": str(self.pk),
            "status": self.status,
            "trace_count": self.trace_count,
            "splits": self.splits,
            "selection_strategy": self.request["selection_strategy"],
            "seed": self.seed,
            "recipe": self.recipe,
            "instruction": self.instruction,
            "max_length": self.max_length,
            "leak_count": self.leak_count,
            "found": {gate["gate"]: gate["count"] for gate in self.gates if "gate" in gate and gate["count"]},
            "content_sha256": self.content_sha256,
            "manifest_path": str(self.manifest_path.relative_to(settings.TUNIXRT_HOME)),
            "error": self.error,
            "created_at": self.created_at,
        }

    @property
    def directory(self) -> Path:
        return settings.TUNIXRT_HOME / "datasets" / self.key

    @property
    def manifest_path(self) -> Path:
        return self.directory / "manifest.json"

    @property
    def rows_path(self) -> Path:
        return self.directory / "dataset.jsonl"


class DatasetItem(models.Model):
    """A trace's place in a dataset. A frozen dataset keeps its traces from being deleted."""

    # The two constraints below begin with these keys, so neither has an index of its own.
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="items", db_index=False)
    position = models.PositiveIntegerField()
    trace = models.ForeignKey(Trace, on_delete=models.PROTECT, related_name="dataset_items", db_index=False)
    split = models.CharField(max_length=8)
    group = models.BigIntegerField(
        default=0,
        help_text="Rows of one group share it: 64 bits of the SHA-256 of its name. 0: a row that is alone.",
    )

    objects = ItemQuerySet.as_manager()

    class Meta:
        ordering = ("position",)
        constraints = [
            models.UniqueConstraint(fields=["dataset", "position"], name="item_one_a_place"),
            models.UniqueConstraint(fields=["trace", "dataset"], name="item_once_a_dataset"),
        ]
        indexes = [  # of few rows
            models.Index(fields=["dataset", "group", "position"], condition=~Q(group=0), name="item_by_group"),
        ]

    def __str__(self) -> str:
        return f"{self.dataset_id}[{self.position}]"
