"""`manifest.json`: what a frozen dataset is, where it came from and how to make it again."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from datasets_app.models import Dataset

DATASET_SCHEMA_VERSION = "1.0"  # of the directory; traces have a version of their own
ASKED = (
    *("filters", "selection_strategy", "stratify_by", "quotas", "mix", "limit"),
    *("session_id", "parent_dataset_id", "training_run_id", "provenance", "seeded"),
)
ADDED_LATER = ("quotas", "mix", "max_length", "seeded")  # fields that manifests of earlier versions lack
FOUND = ("trace_count", "splits", "stats", "gates", "content_sha256")


def manifest(dataset: Dataset, trace_ids: Iterable[UUID]) -> dict[str, Any]:
    """The manifest of a dataset whose content is known, `trace_ids` in the order of its rows.

    It follows from the row alone, so it can be written again byte for byte: also that of a dataset that was frozen
    before some of the fields were there.
    """
    fields = {
        "dataset_key": dataset.key,
        "build_id": str(dataset.pk),
        "dataset_name": dataset.name,
        "dataset_version": dataset.version,
        "dataset_schema_version": DATASET_SCHEMA_VERSION,
        "created_at": f"{dataset.created_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "seed": dataset.seed,
        "recipe": dataset.recipe,
        "instruction": dataset.instruction,
        "max_length": dataset.max_length,
        "trace_ids": [str(trace_id) for trace_id in trace_ids],
        **{name: dataset.request.get(name) for name in ASKED},
        **{name: getattr(dataset, name) for name in FOUND},
    }
    lacking = () if "max_length" in dataset.request else ADDED_LATER
    return {name: value for name, value in fields.items() if name not in lacking}
