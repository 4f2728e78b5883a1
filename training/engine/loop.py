"""Training: a frozen config in, a short loop over one compiled step, files out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from training.config import TrainConfig
from training.engine import checkpoint
from training.engine.model import Params
from training.engine.step import (
    Metrics,
    TrainState,
    init_state,
    learning_rate,
    make_eval_loss,
    make_optimizer,
    make_train_step,
)
from training.errors import Fault, Invalid
from training.journal import Journal, Update
from training.lifeline import TRANSIENT, stop_requested
from training.packing import Batch, Example, PackedData
from training.plan import Prepared, RunPlan, plan_prepared, prepare, total_updates, training_data
from training.record import CHECKPOINTS, TOKENIZER, write_record
from training.renderers import Row


def train(
    config: TrainConfig,
    rows: Sequence[Row],
    run_dir: Path,
    *,
    record: dict[str, Any],
    engine: "Engine | None" = None,
) -> None:
    """Trains a resolved config on dataset rows, from the newest sealed checkpoint in `run_dir` if there is one.

    The updates are computed by our own engine or by the one given.

    Writes run.json (`record`), tokenizer.json, metrics.jsonl, train.log and checkpoints/. The same arguments give the
    same losses and parameters bit for bit on one machine, however often the process was killed between. Raises
    Invalid when config and rows do not go together (before anything is written), Failure when a loss is no number or
    a stop was asked for, OSError when the disk is full.
    """
    prepared = prepare(config, rows)
    task = _task(config, prepared, engine or own_engine)
    write_record(run_dir, record)
    prepared.tokenizer.save(run_dir / TOKENIZER)
    state, journal = _begin(task, run_dir)
    for sentence in _opening(plan_prepared(config, prepared, rows)):
        journal.say(sentence)
    _update(task, state, journal, run_dir / CHECKPOINTS)


class Learner(NamedTuple):
    """What computes the updates; it knows no files."""

    fresh: Callable[[], TrainState]  # the state before the first update
    step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]]  # consumes the state given
    eval_loss: Callable[[Params, Batch], tuple[Array, Array]]  # sum of the trained tokens' losses, their number


Engine = Callable[[TrainConfig, int, int], Learner]  # of a resolved config, its vocabulary and its number of updates


def own_engine(config: TrainConfig, vocab_size: int, total: int) -> Learner:
    """The model of `engine.model`, taught by `engine.step`."""
    shape, optimizer = config.shape(vocab_size), make_optimizer(config.training, total)
    return Learner(
        fresh=partial(init_state, shape, optimizer, config.training.seed or 0),
        step=make_train_step(shape, optimizer),
        eval_loss=make_eval_loss(shape),
    )


@dataclass(frozen=True)
class _Task:
    """Everything that stays the same from update to update."""

    config: TrainConfig
    data: PackedData
    total: int  # updates
    rates: np.ndarray  # learning rate by update
    learner: Learner
    valid_loss: Callable[[Params], float] | None


def _task(config: TrainConfig, prepared: Prepared, engine: Engine) -> _Task:
    data = training_data(config, prepared.train)
    total = total_updates(config, data)
    learner = engine(config, prepared.tokenizer.vocab_size, total)
    return _Task(
        config=config,
        data=data,
        total=total,
        rates=np.asarray(learning_rate(config.training, total)(jnp.arange(total)), dtype=float),
        learner=learner,
        valid_loss=_valid_loss(config, prepared.valid, learner) if prepared.valid else None,
    )


def _begin(task: _Task, run_dir: Path) -> tuple[TrainState, Journal]:
    """The state to go on from: the newest sealed checkpoint's, or a fresh one that is saved as step 0."""
    directory = run_dir / CHECKPOINTS
    repairs = list(checkpoint.clean_up(directory))
    newest = checkpoint.latest_sealed(directory)
    state, progress = (
        _restore(task, newest) if newest else (task.learner.fresh(), dict[str, Any](tokens=0, elapsed=0.0))
    )
    journal = Journal(
        run_dir,
        step=int(state.step),
        total=task.total,
        log_every=task.config.training.log_every,
        tokens=progress["tokens"],
        elapsed=progress["elapsed"],
    )
    for sentence in repairs:
        journal.say(sentence)
    if newest:
        journal.phase(f"resuming after step {state.step}")
    else:
        _save(task, state, journal, directory)
    return state, journal


def _update(task: _Task, state: TrainState, journal: Journal, directory: Path) -> None:
    """The updates that are left. Numbers are read one update late, while the next is under way."""
    every, first = task.config.checkpoint.every, int(state.step) + 1
    journal.phase("compiling")
    waiting: tuple[int, Batch, Metrics] | None = None
    for done in range(first, task.total + 1):
        batch = task.data.batch(done - 1)
        state, metrics = task.learner.step(state, batch)
        if waiting:
            journal.update(_read(task, *waiting))
        waiting = done, batch, metrics

        last, stopping = done == task.total, stop_requested()
        watching = last or done % task.config.eval.every == 0
        saving = last or stopping or done % every == 0
        if watching or saving or done == first:
            update = _read(task, *waiting)
            journal.update(update)
            waiting = None
            if done == first:
                journal.phase("training")
            if watching and task.valid_loss:
                journal.valid(update, task.valid_loss(state.params))
            if saving:
                _save(task, state, journal, directory)
            journal.restart_clock()
        if stopping and not last:
            journal.fail(TRANSIENT, "stopped", f"stopped on request after step {done}; its checkpoint is sealed")


def _read(task: _Task, done: int, batch: Batch, metrics: Metrics) -> Update:
    """The numbers of an update; waits until it is computed."""
    return Update(
        step=done,
        epoch=done * len(batch.tokens) / task.data.sequences,
        tokens=batch.useful_tokens,
        learning_rate=float(task.rates[done - 1]),
        loss=float(metrics["loss"]),
        grad_norm=float(metrics["grad_norm"]),
    )


def _valid_loss(config: TrainConfig, examples: Sequence[Example], learner: Learner) -> Callable[[Params], float]:
    """`params -> mean loss per trained token` of the valid split."""
    data = PackedData(
        examples,
        length=config.data.max_length,
        batch_size=config.batch_size,
        packing=config.data.packing,
        seed=0,
        epochs=1,
    )
    batches = list(data)

    def mean(params: Params) -> float:
        sums = [learner.eval_loss(params, batch) for batch in batches]
        return sum(float(loss) for loss, _ in sums) / sum(float(tokens) for _, tokens in sums)

    return mean


def _save(task: _Task, state: TrainState, journal: Journal, directory: Path) -> None:
    done = int(state.step)
    progress = {
        "tokens": journal.tokens,
        "elapsed": journal.elapsed,
        "position": task.data.position(done),
        "params_sha256": checkpoint.params_sha256(state.params),
    }
    checkpoint.save(directory, done, params=state.params, optimizer=state.opt_state, progress=progress)
    checkpoint.keep_newest(directory, task.config.checkpoint.keep)
    journal.checkpoint(done)


def _restore(task: _Task, path: Path) -> tuple[TrainState, dict[str, Any]]:
    """The state of a sealed checkpoint. Raises Invalid when it stands at another place in the data."""
    like, done = jax.eval_shape(task.learner.fresh), int(path.name)
    params, optimizer, progress = checkpoint.restore(path, params=like.params, optimizer=like.opt_state)
    if tuple(progress["position"]) != task.data.position(done):
        msg = f"{path} was made with other data or another batch size"
        raise Invalid(Fault(("checkpoint",), msg, "dataset_changed"))
    return TrainState(step=jnp.asarray(done, jnp.int32), params=params, opt_state=optimizer), progress


def _opening(plan: RunPlan) -> list[str]:
    """The first lines of the log: what is about to happen."""
    rows = ", ".join(f"{count} {split}" for split, count in plan.rows.items())
    lines = [
        f"{plan.parameters:,} parameters, vocabulary {plan.vocab_size}, rows: {rows}",
        f"{plan.updates} updates of about {plan.tokens_per_update} tokens ({plan.fill:.0%} of the places filled), "
        f"{plan.epochs:.1f} epochs",
    ]
    if plan.overlong:
        lines.append(f"{len(plan.overlong)} rows longer than the sequence left out: {', '.join(plan.overlong)}")
    return lines
