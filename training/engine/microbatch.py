"""How many sequences to compute at once: tried out on the machine that trains, where that pays."""

import json
import math
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from training.canonical import canonical_json
from training.config import MICROBATCH, TrainConfig
from training.engine.mesh import placed
from training.engine.runtime import require_memory
from training.engine.step import Batch, Step, TrainState
from training.errors import Invalid
from training.files import write_json_atomic
from training.machine import compile_cache, machine
from training.memory import run_memory
from training.shapes import ModelShape

FEW_UPDATES = 300  # a run this short is over before a better choice has paid
SHARE = 0.02  # of a run's time that the trials may take, compiling included
GAIN = 0.03  # of an update's time, for which a larger microbatch is worth its memory
TIMED = 2  # updates a trial, after the one that compiles; the faster counts
REMEMBERED = "microbatch.json"  # beside the compiled programs of this kind of machine


class Choice(NamedTuple):
    microbatch: int  # sequences that a device computes at once
    why: str


class Cost(NamedTuple):
    """Seconds of an update, and those of the trial that found them."""

    update: float
    trial: float


class Trials(NamedTuple):
    """How an update is tried out: the step of each size, a state like the run's own, and one of its batches."""

    step_of: Callable[[int], Step]
    like: Callable[[], TrainState]
    batch: Batch
    mesh: Mesh | None


def choose(config: TrainConfig, shape: ModelShape, trials: Trials, *, updates: int) -> Choice:
    """The microbatch of a config that leaves it open.

    What a long run found out is remembered on this machine, so that the same run chooses the same again. Short runs
    take the usual size, and so do several processes, whose clocks would disagree.
    """
    sequences = sequences_of(config, trials.mesh)
    usual = min(MICROBATCH, sequences)
    if updates < FEW_UPDATES or sequences == 1 or jax.process_count() > 1:
        return Choice(usual, f"microbatch {usual}, as usual")
    sizes = [2**power for power in range(sequences.bit_length()) if _fits(config, shape, 2**power)]
    key = _key(config, shape, trials, updates)
    known = _remembered().get(key)
    if type(known) is int and known in sizes:
        return Choice(known, f"microbatch {known}, found out before on this machine")
    costs = tried(lambda size: _cost(trials, size), sizes, updates)
    size = best(costs)
    with suppress(OSError):
        write_json_atomic(compile_cache() / REMEMBERED, _remembered() | {key: size})
    seconds = ", ".join(f"{costs[tried].update:.3g} s with {tried}" for tried in sorted(costs))
    return Choice(size, f"microbatch {size}: an update took {seconds}")


def sequences_of(config: TrainConfig, mesh: Mesh | None) -> int:
    """Sequences of an update that a device computes: no microbatch is larger."""
    return -(-config.batch_size // (mesh.size if mesh else 1))


def tried(cost: Callable[[int], Cost], sizes: Collection[int], updates: int) -> dict[int, Cost]:
    """Costs by size: from the usual one up for as long as that gains, down where it does not.

    Ends where one more trial would make all of them cost more than their share of a run of so many `updates`.
    """
    costs = {MICROBATCH: cost(MICROBATCH)}
    while size := _next(costs, sizes):
        trials = [cost.trial for cost in costs.values()]
        if sum(trials) + max(trials) > SHARE * updates * costs[best(costs)].update:
            break
        costs[size] = cost(size)
    return costs


def best(costs: dict[int, Cost]) -> int:
    """The fastest size, where a larger one must gain enough to be worth its memory."""
    found, *larger = sorted(costs)
    for size in larger:
        if costs[size].update < (1 - GAIN) * costs[found].update:
            found = size
    return found


def _next(costs: dict[int, Cost], sizes: Collection[int]) -> int | None:
    largest, found = max(costs), best(costs)
    if found == largest and 2 * largest in sizes:
        return 2 * largest
    return 1 if found == MICROBATCH and 1 not in costs else None


def _cost(trials: Trials, size: int) -> Cost:
    """Times updates of a state of zeros, which the run never sees. A size that the device cannot hold takes forever."""
    begin, seconds = time.perf_counter(), []
    like = placed(trials.mesh, jax.eval_shape(trials.like))
    step = trials.step_of(size)
    try:
        state = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype, device=leaf.sharding), like)
        for _ in range(1 + TIMED):
            before = time.perf_counter()
            state, _ = jax.block_until_ready(step(state, trials.batch))
            seconds.append(time.perf_counter() - before)
    except jax.errors.JaxRuntimeError:
        seconds = [math.inf] * 2
    return Cost(min(seconds[1:]), time.perf_counter() - begin)


def _fits(config: TrainConfig, shape: ModelShape, size: int) -> bool:
    planned = replace(config, training=replace(config.training, microbatch=size))
    try:
        require_memory(run_memory(planned, shape, devices=jax.device_count()))
    except Invalid:
        return False
    return True


def _key(config: TrainConfig, shape: ModelShape, trials: Trials, updates: int) -> str:
    """All that the choice follows from."""
    lora, mesh = config.model.lora, trials.mesh
    parts = {
        "shape": asdict(shape),
        "lora": asdict(lora) if lora else None,
        "batch": trials.batch.tokens.shape,
        "dtype": config.training.dtype,
        "mesh": list(mesh.shape.values()) if mesh else None,
        "device": jax.devices()[0].device_kind,
        "cores": machine()["cores"],
        "updates": updates,
    }
    return canonical_json(parts)


def _remembered() -> dict[str, Any]:
    """Choices by key; none when there is no such file or no reading it."""
    try:
        found = json.loads((compile_cache() / REMEMBERED).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
