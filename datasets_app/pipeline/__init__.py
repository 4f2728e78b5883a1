"""Long work of this room."""

from datasets_app.pipeline.building import BuildDataset
from datasets_app.pipeline.disk import put_on_disk
from datasets_app.pipeline.refusal import refused
from datasets_app.pipeline.restoring import restore_from_database, restore_from_disk
from datasets_app.pipeline.verifying import ITEMS, check_dataset_files

__all__ = [
    "ITEMS",
    "BuildDataset",
    "check_dataset_files",
    "put_on_disk",
    "refused",
    "restore_from_database",
    "restore_from_disk",
]
