"""Long work of this room."""

from datasets_app.pipeline.building import BuildDataset
from datasets_app.pipeline.disk import put_on_disk
from datasets_app.pipeline.refusal import refused

__all__ = ["BuildDataset", "put_on_disk", "refused"]
