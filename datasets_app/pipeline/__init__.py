"""Long work of this room."""

from datasets_app.pipeline.building import BuildDataset, put_on_disk

__all__ = ["BuildDataset", "put_on_disk"]
