"""What is measured, with how many turns and where."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.bench.turns import Row, Starter, Turns, take_turns
from training.config import DEFAULT_SIZE, TrainConfig, load_config
from training.shapes import ModelShape, model_shape

TRAINING = {"schedule": "constant", "learning_rate": 1e-3, "grad_clip": 1.0}
VOCABULARY, BATCH, LENGTH = 512, 16, 256


@dataclass(frozen=True)
class Setting:
    """The model and batch that are measured, and where. `size` None: those of our own sizes, each with its bars."""

    rounds: int
    device: str = "cpu"
    size: str | None = None
    vocab_size: int = VOCABULARY
    batch: int = BATCH
    length: int = LENGTH
    versions: dict[str, str] = field(default_factory=dict)  # of all who took part so far

    @property
    def shape(self) -> ModelShape:
        return model_shape(self.size or DEFAULT_SIZE, self.vocab_size)

    def job(self, shape: ModelShape, **more: Any) -> dict[str, Any]:
        """What every contestant is told."""
        config = {
            "model": {"size": self.size or DEFAULT_SIZE},
            "data": {"max_length": self.length},
            "training": TRAINING | {"steps": 1, "seed": 0},
        }
        base = {"shape": asdict(shape), "training": TRAINING, "config": config, "device": self.device}
        return base | {"rows_at_once": self.batch} | more

    def compete(self, starters: Mapping[str, Starter], rounds: int | None = None) -> Turns:
        turns = take_turns(starters, self.rounds if rounds is None else rounds)
        self.versions.update(turns.versions)
        return turns


Work = Callable[[Setting], list[Row]]


def setting_of(config_file: Path | None, rounds: int, device: str) -> Setting:
    if config_file is None:
        return Setting(rounds, device)
    config: TrainConfig = load_config(config_file)
    return Setting(
        rounds,
        device,
        config.model.size or DEFAULT_SIZE,
        config.tokenizer.vocab_size,
        config.batch_size,
        config.data.max_length,
    )
