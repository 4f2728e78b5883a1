"""Long work of this room."""

from datasets_app.pipeline import BuildDataset
from tunixrt.jobs.work import long_task

build_dataset = long_task(BuildDataset)
