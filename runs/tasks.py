"""Long work of this room."""

from runs.pipeline import EvaluateRun, TrainRun
from runs.removal import RemoveRun
from runs.rescoring import RescoreRun
from tunixrt.jobs.work import long_task

train_run = long_task(TrainRun)
evaluate_run = long_task(EvaluateRun)
remove_run = long_task(RemoveRun)
rescore_run = long_task(RescoreRun)
