"""What every face asks of this room."""

from datasets_app.pipeline import check_dataset_files
from datasets_app.services.comparison import KINDS, DatasetComparison, compare_datasets, compared_row, named_dataset
from datasets_app.services.datasets import build_dataset, cancel_build, seed_dataset
from datasets_app.services.evalset_comparison import EvalsetComparison, compare_evalsets, named_evalset
from datasets_app.services.evalsets import (
    evalset_for,
    evalset_from_file,
    evalset_from_items,
    evalset_from_problem,
    evalset_from_split,
    open_items,
    shipped_evalset,
)
from datasets_app.services.exports import export_parquet, export_rows, export_zip
from datasets_app.services.exposure import GivenAway, given_away
from datasets_app.services.leaks import leak_of
from datasets_app.services.nearest import NearRow, nearest_rows
from datasets_app.services.previews import Preview, preview_build
from datasets_app.services.restoring import SOURCES, Restored, damaged_datasets, restore_dataset
from datasets_app.services.rows import MANIFEST_ORDER, DatasetRow, gates_of, list_rows, listed, position_of, row_at
from datasets_app.services.sight import describe_sight, has_tokenizer, read_settings, sight_of, tokenizer_of

__all__ = [
    "KINDS",
    "MANIFEST_ORDER",
    "SOURCES",
    "DatasetComparison",
    "DatasetRow",
    "EvalsetComparison",
    "GivenAway",
    "NearRow",
    "Preview",
    "Restored",
    "build_dataset",
    "cancel_build",
    "check_dataset_files",
    "compare_datasets",
    "compare_evalsets",
    "compared_row",
    "damaged_datasets",
    "describe_sight",
    "evalset_for",
    "evalset_from_file",
    "evalset_from_items",
    "evalset_from_problem",
    "evalset_from_split",
    "export_parquet",
    "export_rows",
    "export_zip",
    "gates_of",
    "given_away",
    "has_tokenizer",
    "leak_of",
    "list_rows",
    "listed",
    "named_dataset",
    "named_evalset",
    "nearest_rows",
    "open_items",
    "position_of",
    "preview_build",
    "read_settings",
    "restore_dataset",
    "row_at",
    "seed_dataset",
    "shipped_evalset",
    "sight_of",
    "tokenizer_of",
]
