"""A run that is killed again and again: what its processes do, apart from the test that starts them."""

import os
import signal
import threading
from pathlib import Path
from typing import NamedTuple

from training import shapes
from training.config import TrainConfig
from training.problems import generate_traces
from training.splits import group_of, split_of

SMALL = {
    "width": 32,
    "layers": 2,
    "heads": 2,
    "kv_heads": 1,
    "head_dim": 16,
    "mlp_width": 48,
    "window": 16,
    "query_scale": 16,
}
CONFIG = TrainConfig.from_dict(
    {
        "tokenizer": {"vocab_size": 300},
        "data": {"max_length": 96},
        "training": {"steps": 150, "batch_size": 2, "warmup": 10, "gradient_accumulation": 2},
        "eval": {"every": 20, "samples": 0},
        "checkpoint": {"every": 5, "keep": 2},
    }
).resolved(seed=7)


class Death(NamedTuple):
    """When a process is killed: so long after an update begins, or where saving calls a function for that time."""

    at: int  # update of this process, or call
    seconds: float = 0.0
    function: str | None = None  # of engine.checkpoint


def attempt(home: Path, run_dir: Path, death: Death | None) -> None:
    """One process's part of a run, up to its end or its death."""
    os.environ["TUNIXRT_HOME"] = str(home)
    shapes.SIZES["tiny"] = SMALL
    from training.engine.runtime import start_jax

    start_jax("cpu")
    from training.engine import checkpoint, loop

    engine = loop.own_engine
    if death and death.function:
        calling = _deadly(getattr(checkpoint, death.function), death.at, _kill)
        setattr(checkpoint, death.function, calling)
    elif death:
        timer = threading.Timer(death.seconds, _kill)

        def engine(config: TrainConfig, vocab_size: int, total: int) -> loop.Learner:
            learner = loop.own_engine(config, vocab_size, total)
            return learner._replace(step=_deadly(learner.step, death.at, timer.start))

    loop.train(CONFIG, rows(), run_dir, record={"config_sha256": CONFIG.sha256()}, engine=engine)


def rows() -> list[dict]:
    traces = generate_traces("chain", count=40, seed=1, difficulty=2)
    return [{**trace, "id": f"row{i}", "split": split_of(group_of(trace))} for i, trace in enumerate(traces)]


def _deadly(function, at: int, deed):
    """`function`, which does the deed when it is called for that time."""
    calls = iter(range(1, 10**9))

    def calling(*args, **kwargs):
        if next(calls) == at:
            deed()
        return function(*args, **kwargs)

    return calling


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
