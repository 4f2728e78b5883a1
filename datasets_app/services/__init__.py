"""What every face asks of this room."""

from datasets_app.services.datasets import build_dataset, cancel_build, export_rows, seed_dataset
from datasets_app.services.evalsets import (
    evalset_for,
    evalset_from_file,
    evalset_from_items,
    evalset_from_split,
    shipped_evalset,
)

__all__ = [
    "build_dataset",
    "cancel_build",
    "evalset_for",
    "evalset_from_file",
    "evalset_from_items",
    "evalset_from_split",
    "export_rows",
    "seed_dataset",
    "shipped_evalset",
]
