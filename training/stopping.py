"""When training ends before its last update, and what of that a checkpoint has to remember."""

import math
from typing import NamedTuple

from training.config import TrainConfig, TrainingConfig

PATIENCE, TIME = "patience", "time"  # how a run ended that did not make all its updates


class Looks(NamedTuple):
    """The losses on the valid split so far: the lowest, its update, and how many looks there were since."""

    lowest: float | None = None
    step: int = 0
    since: int = 0

    def after(self, step: int, loss: float) -> "Looks":
        better = loss < (math.inf if self.lowest is None else self.lowest)
        return Looks(loss, step) if better else self._replace(since=self.since + 1)


def out_of_time(config: TrainingConfig, elapsed: float) -> bool:
    """Whether training took the `elapsed` seconds it was given."""
    return config.max_seconds is not None and elapsed >= config.max_seconds


def reason(ended: str, config: TrainConfig, looks: Looks) -> str:
    """A sentence that says why, and what becomes of the run."""
    if ended == TIME:
        return f"training took the {config.training.max_seconds} s it was given and stops here"
    if looks.lowest is None:
        return f"training stops here: none of {looks.since} looks at the valid split gave a loss that is a number"
    examined = "one of the lowest valid loss" if config.checkpoint.best else "newest"
    return (
        f"training stops here: {looks.since} looks at the valid split found no loss below the {looks.lowest:.4f} of "
        f"step {looks.step}. Of the checkpoints, the {examined} is what will be examined"
    )


def out_of_patience(config: TrainingConfig, looks: Looks) -> bool:
    """Whether the loss on the valid split stopped falling (Prechelt 1998, doi:10.1007/3-540-49430-8_3)."""
    return config.patience is not None and looks.since >= config.patience
