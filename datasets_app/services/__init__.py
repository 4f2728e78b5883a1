"""What every face asks of this room."""

from datasets_app.services.datasets import build_dataset, cancel_build, seed_dataset
from datasets_app.services.evalsets import (
    evalset_for,
    evalset_from_file,
    evalset_from_items,
    evalset_from_split,
    shipped_evalset,
)
from datasets_app.services.exports import export_parquet, export_rows, export_zip

__all__ = [
    "build_dataset",
    "cancel_build",
    "evalset_for",
    "evalset_from_file",
    "evalset_from_items",
    "evalset_from_split",
    "export_parquet",
    "export_rows",
    "export_zip",
    "seed_dataset",
    "shipped_evalset",
]
