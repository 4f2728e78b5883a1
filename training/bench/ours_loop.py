"""Our own contestants that do more than a step: a whole `train`, and checkpoints."""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.bench.material import dataset_rows
from training.bench.ours import LIBRARIES, batches, step_of
from training.bench.wire import Arrays, Desk, Round
from training.config import CheckpointConfig, TrainConfig
from training.engine.runtime import start_jax
from training.journal import METRICS
from training.plan import prepare, training_data
from training.record import new_record


def supervised(job: dict, arrays: Arrays, desk: Desk) -> None:
    """`train` as it is, but for the first update, which compiles, and the last, which looks and saves."""
    start_jax(job["device"])
    from training.engine.loop import train

    config, rows = _config(job), list(dataset_rows())
    record = new_record(config, run_id="bench", dataset_key=None, dataset_sha256="", parent=None)
    desk.ready(*LIBRARIES)

    def one_round() -> Round:
        with tempfile.TemporaryDirectory() as directory:
            train(config, rows, Path(directory), record=record)
            lines = [json.loads(line) for line in (Path(directory) / METRICS).read_text().splitlines()]
        at = {line["step"]: line["elapsed_s"] for line in lines if line["split"] == "train"}
        last = job["steps"] - 1
        return {"seconds": at[last] - at[1], "done": last - 1}

    desk.serve(one_round)


def bare(job: dict, arrays: Arrays, desk: Desk) -> None:
    """The same updates, one after the other, by a loop of nothing but the step."""
    start_jax(job["device"])
    from training.engine.loop import own_engine

    config = _config(job)
    prepared = prepare(config, list(dataset_rows()))
    data = training_data(config, prepared.train)
    learner = own_engine(config, prepared.tokenizer.vocab_size, job["steps"])
    desk.ready(*LIBRARIES)

    def one_round() -> Round:
        state, metrics = learner.step(learner.fresh(), data.batch(0))
        float(metrics["loss"])
        begin = time.perf_counter()
        for number in range(1, job["steps"] - 1):
            state, metrics = learner.step(state, data.batch(number))
        float(metrics["loss"])
        return {"seconds": time.perf_counter() - begin, "done": job["steps"] - 2}

    desk.serve(one_round)


def checkpointing(job: dict, arrays: Arrays, desk: Desk) -> None:
    """Seconds to save and restore by ourselves and by bare Orbax, and what a save costs the updates around it."""
    start_jax(job["device"])
    import orbax.checkpoint as ocp

    from training.engine import checkpoint
    from training.engine.saver import Saver

    state, step = step_of(job, arrays)
    batch = batches(arrays)[0]
    desk.ready(*LIBRARIES, "orbax-checkpoint")

    def update() -> float:
        nonlocal state
        state, metrics = step(state, batch)
        return float(metrics["loss"])  # waits for the device

    def one_round() -> Round:
        with tempfile.TemporaryDirectory() as directory:
            folder, parts = Path(directory), {"params": state.params, "optimizer": state.opt_state}
            done = {"save": seconds(lambda: checkpoint.save(folder, 1, **parts, progress={}))}
            done["restore"] = seconds(lambda: checkpoint.restore(folder / "1", **parts))
            with ocp.StandardCheckpointer() as orbax:
                both = (state.params, state.opt_state)
                done["orbax_save"] = seconds(lambda: (orbax.save(folder / "bare", both), orbax.wait_until_finished()))
                done["orbax_restore"] = seconds(lambda: orbax.restore(folder / "bare", both))
            plain, sealed = seconds(lambda: (update(), update())) / 2, list[int]()
            with Saver(folder, CheckpointConfig(), flush=lambda: None, sealed=sealed.append) as saver:
                begin, updates = time.perf_counter(), 0
                saver.save(2, params=state.params, optimizer=state.opt_state, progress={})
                done["call"] = time.perf_counter() - begin
                while not sealed:
                    update()
                    saver.poll()
                    updates += 1
                done["stall"] = time.perf_counter() - begin - updates * plain
            return done | {"hundred_updates": 100 * plain}

    desk.serve(one_round)


def seconds(deed: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    deed()
    return time.perf_counter() - begin


def _config(job: dict) -> TrainConfig:
    config = job["config"] | {"training": job["config"]["training"] | {"steps": job["steps"]}}
    return TrainConfig.from_dict(config).resolved()
