"""Long work of this room."""

from runs.pipeline import EvaluateRun, TrainRun
from runs.removal import RemoveRun
from tunixrt.jobs.work import long_task

train_run = long_task(TrainRun)
evaluate_run = long_task(EvaluateRun)
remove_run = long_task(RemoveRun)
