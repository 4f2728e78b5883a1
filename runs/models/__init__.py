"""The rows of this room."""

from runs.models.evaluations import Baseline, Evaluation, Prediction
from runs.models.runs import QUEUE, Checkpoint, Run, RunEvent, RunQuerySet, RunTag

__all__ = ["QUEUE", "Baseline", "Checkpoint", "Evaluation", "Prediction", "Run", "RunEvent", "RunQuerySet", "RunTag"]
