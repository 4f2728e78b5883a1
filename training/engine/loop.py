"""Training: a frozen config in, a short loop over one compiled step, files out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from training.config import MICROBATCH, TrainConfig
from training.engine import checkpoint, lora, microbatch
from training.engine.mesh import any_of_all, leads, make_mesh, placed, spread_fresh, wait_for_all, whole
from training.engine.model import Params, init_params
from training.engine.runtime import device, peak_memory, require_memory
from training.engine.samples import Samples, whole_model
from training.engine.saver import Saver
from training.engine.step import (
    UNWRAPPED,
    Metrics,
    Step,
    TrainState,
    Wrapping,
    init_state,
    learning_rate,
    make_eval_loss,
    make_optimizer,
    make_train_step,
)
from training.engine.weights import initial_params
from training.engines import JAX
from training.errors import Fault, Invalid
from training.journal import Journal, Update
from training.ledger import looks_at
from training.lifeline import TRANSIENT, stop_requested
from training.memory import run_memory
from training.packing import Batch, Example, PackedData, tokens_sha256
from training.plan import Prepared, plan_prepared, prepare, total_updates, training_data
from training.record import CHECKPOINTS, TOKENIZER, recorded_microbatch, write_record
from training.renderers import Row
from training.shapes import ModelShape
from training.stopping import PATIENCE, TIME, Looks, out_of_patience, out_of_time, reason


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

    Writes run.json (`record`), tokenizer.json, metrics.jsonl, samples.jsonl, ledger/, train.log and checkpoints/. The
    same arguments give the same losses and parameters bit for bit on one machine, however often the process was killed
    between; only after which update `max_seconds` ends it, the clock decides. Raises Invalid when config and rows do
    not go together, or the tokens are not those that the run began with (before anything is written), Failure when a
    loss is no number or a stop was asked for, OSError when the disk is full. Of several processes that train together
    the first writes; they end together, and all read what was sealed.
    """
    config = _divided(config, recorded_microbatch(record, config))
    prepared = prepare(config, rows)
    tokens = _tokens(prepared, record)
    engine_name, devices = record.get("engine", JAX), jax.device_count()
    plan = plan_prepared(config, prepared, rows, engine=engine_name, devices=devices)
    require_memory(plan.memory)
    task = _task(config, prepared, engine or own_engine)
    plan = replace(plan, memory=run_memory(task.config, task.shape, engine=engine_name, devices=devices))
    if leads():
        shown = {"device": device(), "tokens_sha256": tokens}
        write_record(run_dir, shown | record | {"microbatch": task.config.training.microbatch})
        prepared.tokenizer.save(run_dir / TOKENIZER)
    state, progress, journal = _begin(task, run_dir, record)
    journal.taught(prepared.taught(rows))
    journal.planned(plan, peak_memory_bytes=require_memory(plan.memory))
    if task.why:
        journal.say(task.why)
    checkpoints = run_dir / CHECKPOINTS
    with Saver(
        checkpoints,
        config.checkpoint,
        flush=journal.flush,
        sealed=journal.checkpoint,
        keep_all=config.eval.checkpoints,
    ) as saver:
        samples = _samples(task, prepared, rows, run_dir, int(state.step))
        attempt = _Attempt(task, record, journal, saver, Looks(*progress.get("looks", ())), samples)
        if not (checkpoints / "0").exists():  # or it was damaged: it can be made again
            attempt.save(0, task.learner.fresh() if progress else state, tokens=0, elapsed=0.0, looks=Looks())
        attempt.ask(int(state.step), state.params)  # should the attempt before have ended between the two
        if not progress.get("ended"):
            _update(attempt, state)


def _tokens(prepared: Prepared, record: dict[str, Any]) -> str:
    """The hash of the tokens. Raises Invalid when they are not those that the run of `record` began with."""
    now = tokens_sha256(prepared.train, prepared.valid)
    if record.get("tokens_sha256", now) != now:
        msg = "the tokenizer gives other tokens than when this run began; start a new run instead of resuming this one"
        raise Invalid(Fault(("tokens",), msg, "tokens_changed"))
    return now


class Learner(NamedTuple):
    """What computes the updates; it knows no files."""

    fresh: Callable[[], TrainState]  # the state before the first update
    like: Callable[[], TrainState]  # one of the same structure, shapes and types, which is never computed
    step: Step  # its metrics hold `losses` where the engine gives them by place: then there is a ledger
    eval_loss: Callable[[Params, Batch], tuple[Array, Array]]  # sum of the trained tokens' losses, their number
    mesh: Mesh | None = None  # the devices that share this work; None for one
    model: Callable[[Params], Params] | None = None  # parameters that can be asked, of those trained; None: it cannot
    divided: Callable[[int], "Learner"] | None = None  # this with another microbatch; None: it is not ours to choose


Engine = Callable[[TrainConfig, int, int], Learner]  # of a resolved config, its vocabulary and its number of updates


def own_engine(config: TrainConfig, vocab_size: int, total: int) -> Learner:
    """The model of `engine.model`, taught by `engine.step`."""
    shape, optimizer = config.shape(vocab_size), make_optimizer(config.training, total)
    mesh = make_mesh(config.mesh)
    first, like, wrapping = _trained_part(config, shape, mesh)
    compiled = partial(make_train_step, shape, optimizer, dtype=config.training.dtype, wrapping=wrapping, mesh=mesh)
    examined = partial(make_eval_loss, shape, dtype=config.training.dtype, wrapping=wrapping, mesh=mesh)

    @cache  # what a trial compiled is not compiled again
    def divided(size: int) -> Learner:
        return Learner(
            fresh=lambda: init_state(first(), optimizer, mesh),
            like=lambda: init_state(like(), optimizer),
            step=compiled(microbatch=size),
            eval_loss=examined(microbatch=size),
            mesh=mesh,
            model=None if mesh else whole_model(config, shape, wrapping.frozen),
            divided=divided,
        )

    return divided(min(config.training.microbatch or MICROBATCH, microbatch.sequences_of(config, mesh)))


def _trained_part(
    config: TrainConfig, shape: ModelShape, mesh: Mesh | None
) -> tuple[Callable[[], Params], Callable[[], Params], Wrapping]:
    """What is trained, all parameters or adapters beside them: how it is made, what is made alike on one device, and
    what surrounds it."""
    first = partial(initial_params, config, shape, mesh)
    if config.model.lora is None:
        return first, partial(init_params, shape, 0), UNWRAPPED
    adapters, seed = config.model.lora, config.training.seed or 0
    fresh = partial(lora.init_adapters, shape, adapters, seed)
    beside = partial(lora.variables, shape=shape, lora=adapters, seed=seed)
    return partial(spread_fresh, mesh, fresh), fresh, Wrapping(first(), beside)


@dataclass(frozen=True)
class _Task:
    """Everything that stays the same from update to update."""

    config: TrainConfig  # with its microbatch, if there is one
    shape: ModelShape
    data: PackedData
    total: int  # updates
    rates: np.ndarray  # learning rate by update
    learner: Learner
    valid_loss: Callable[[Params], float] | None
    why: str  # the microbatch was chosen, in words; empty where it was given


def _task(config: TrainConfig, prepared: Prepared, engine: Engine) -> _Task:
    data = training_data(config, prepared.train)
    total = total_updates(config, data)
    shape = config.shape(prepared.tokenizer.vocab_size)
    learner, why = engine(config, prepared.tokenizer.vocab_size, total), ""
    if config.training.microbatch is None and (divided := learner.divided):
        trials = microbatch.Trials(lambda size: divided(size).step, learner.like, data.batch(0), learner.mesh)
        size, why = microbatch.choose(config, shape, trials, updates=total)
        config, learner = _divided(config, size), divided(size)
    return _Task(
        config=config,
        shape=shape,
        data=data,
        total=total,
        rates=np.asarray(learning_rate(config.training, total)(jnp.arange(total)), dtype=float),
        learner=learner,
        valid_loss=_valid_loss(config, prepared.valid, learner) if prepared.valid else None,
        why=why,
    )


def _divided(config: TrainConfig, size: int | None) -> TrainConfig:
    """The config of a run whose microbatch is known, if it is."""
    return replace(config, training=replace(config.training, microbatch=size)) if size else config


@dataclass
class _Attempt:
    """One process's part of a run."""

    task: _Task
    record: dict[str, Any]
    journal: Journal
    saver: Saver
    looks: Looks
    samples: Samples | None

    def wants_look(self, done: int) -> bool:
        """Whether the loss on the valid split is due: in its turn, or for a checkpoint that may be the best."""
        saving = self.task.config.checkpoint
        in_turn = done == self.task.total or done % self.task.config.eval.every == 0
        return in_turn or (saving.best and done % saving.every == 0)

    def look(self, update: Update, params: Params) -> float | None:
        """The loss on the valid split after `update`; None without such a split, or if the loss is no number."""
        if self.task.valid_loss is None:
            return None
        loss = self.task.valid_loss(params)
        self.journal.valid(update, loss)
        self.looks = self.looks.after(update.step, loss)
        return loss if math.isfinite(loss) else None

    def save(self, done: int, state: TrainState, **progress: Any) -> None:
        """Saves the state after `done` updates and what the next attempt needs to go on as if it were this one."""
        progress = {"looks": self.looks} | progress | _place(self.task, self.record, done)
        params, optimizer = whole((state.params, state.opt_state))
        if leads():
            self.saver.save(done, params=params, optimizer=optimizer, progress=progress)

    def ask(self, done: int, params: Params) -> None:
        """Has the fixed questions answered after `done` updates."""
        if self.samples and (model := self.task.learner.model):
            self.samples.ask(done, model(params))

    def ending(self, done: int, late: bool) -> str | None:
        """How the run ends before its last update, if it does."""
        if done == self.task.total:
            return None
        return TIME if late else PATIENCE if out_of_patience(self.task.config.training, self.looks) else None


def _samples(task: _Task, prepared: Prepared, rows: Sequence[Row], run_dir: Path, step: int) -> Samples | None:
    if not (task.learner.model and leads()):
        return None
    return Samples(task.config, task.shape, prepared.tokenizer, rows, run_dir=run_dir, step=step)


def _begin(task: _Task, run_dir: Path, record: dict[str, Any]) -> tuple[TrainState, dict[str, Any], Journal]:
    """The state to go on from and its progress: the newest sealed checkpoint's, or a fresh one without."""
    directory = run_dir / CHECKPOINTS
    unsealed: list[int] = []
    damaged: list[int] = []
    if leads():
        unsealed, damaged = checkpoint.remove_unsealed(directory), checkpoint.set_damaged_aside(directory)
    wait_for_all("the checkpoints that are there count")
    newest = next((directory / str(step) for step in reversed(checkpoint.steps(directory))), None)
    state, progress = _restore(task, newest, record) if newest else (task.learner.fresh(), {})
    journal = Journal(
        run_dir if leads() else None,
        step=int(state.step),
        total=task.total,
        log_every=task.config.training.log_every,
        tokens=progress.get("tokens", 0),
        elapsed=progress.get("elapsed", 0.0),
        memory=peak_memory,
    )
    for step in unsealed:
        journal.say(f"checkpoint {step} was never sealed: removed")
    for step in damaged:
        journal.warn(f"checkpoint {step} is damaged and set aside as bad-{step}; going on after step {state.step}")
    if newest:
        journal.phase(f"resuming after step {state.step}")
    return state, progress, journal


def _update(attempt: _Attempt, state: TrainState) -> None:
    """The updates that are left. Numbers are read one update late, while the next is under way."""
    task, journal, saver = attempt.task, attempt.journal, attempt.saver
    training, every, first = task.config.training, task.config.checkpoint.every, int(state.step) + 1
    if first <= task.total:
        journal.phase("compiling")
    waiting: tuple[int, Batch, list[list[int]], Metrics] | None = None
    for done in range(first, task.total + 1):
        batch = task.data.batch(done - 1)
        state, metrics = task.learner.step(state, batch)
        if waiting:
            journal.update(_read(task, *waiting))
        waiting = done, batch, task.data.rows(done - 1), metrics
        saver.poll()

        late, stopping = any_of_all(out_of_time(training, journal.elapsed), stop_requested())
        looking = late or attempt.wants_look(done)
        saving = late or stopping or done == task.total or done % every == 0
        if not (looking or saving or done == first):
            continue
        update, waiting = _read(task, *waiting), None
        journal.update(update, shown=looking)
        if done == first:
            journal.phase("training")
        loss = attempt.look(update, state.params) if looking else None
        ended = attempt.ending(done, late)
        if saving or ended:
            judged = loss if task.config.checkpoint.best else None
            numbers = {"tokens": journal.tokens, "elapsed": journal.elapsed, "valid_loss": judged}
            attempt.save(done, state, ended=ended, **numbers)
            if not stopping:
                attempt.ask(done, state.params)
        if ended:
            return journal.end(done, reason(ended, task.config, attempt.looks))
        if stopping and done < task.total:
            saver.wait()
            journal.fail(TRANSIENT, "stopped", f"stopped on request after step {done}; its checkpoint is sealed")
        journal.restart_clock()


def _read(task: _Task, done: int, batch: Batch, rows: list[list[int]], metrics: Metrics) -> Update:
    """The numbers of an update; waits until it is computed."""
    losses = metrics.get("losses")
    return Update(
        step=done,
        epoch=done * len(batch.tokens) / task.data.sequences,
        tokens=batch.useful_tokens,
        learning_rate=float(task.rates[done - 1]),
        loss=float(metrics["loss"]),
        grad_norm=float(metrics["grad_norm"]),
        looks=None if losses is None else looks_at(done, batch, rows, np.asarray(losses)),
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


def _place(task: _Task, record: dict[str, Any], done: int) -> dict[str, Any]:
    """What a checkpoint must agree with: the order of the data and every chance are functions of these alone."""
    return {
        "seed": task.config.training.seed,
        "config_sha256": record["config_sha256"],
        "position": list(task.data.position(done)),
    }


def _restore(task: _Task, path: Path, record: dict[str, Any]) -> tuple[TrainState, dict[str, Any]]:
    """The state of a sealed checkpoint. Raises Invalid when it belongs to other data, or another seed or config."""
    like, done = placed(task.learner.mesh, jax.eval_shape(task.learner.like)), int(path.name)
    params, optimizer, progress = checkpoint.restore(path, params=like.params, optimizer=like.opt_state)
    for name, here in _place(task, record, done).items():
        there = progress.get(name, here)  # older ones know their position only
        if there != here:
            msg = f"{path} belongs to another run: its {name} is {there}, this run's is {here}"
            raise Invalid(Fault(("checkpoint", name), msg, "checkpoint_foreign"))
    return TrainState(step=jnp.asarray(done, jnp.int32), params=params, opt_state=optimizer), progress
