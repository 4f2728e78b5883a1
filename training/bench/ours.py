"""Our own contestants. jax is started before anything else of the engine is imported."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from training.bench.material import useful_tokens
from training.bench.wire import Arrays, Desk, Round, timed_answers
from training.config import TrainConfig
from training.engine.runtime import start_jax
from training.packing import Batch
from training.shapes import ModelShape

PEAK_SIDE = 2048  # of the square matrices whose product is the peak
LIBRARIES = ("jax", "jaxlib", "flax", "optax")


def training(job: dict, arrays: Arrays, desk: Desk) -> None:
    """The real step, with the microbatch of a short run."""
    start_jax(job["device"])
    state, step = step_of(job, arrays)
    given = batches(arrays)
    desk.ready(*LIBRARIES)

    def one_round() -> Round:
        nonlocal state
        begin, losses = time.perf_counter(), []
        for batch in given:
            state, metrics = step(state, batch)
            losses.append(metrics["loss"])
        curve = [float(loss) for loss in losses]  # waits for the device
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "done": useful_tokens(arrays), "losses": curve}

    desk.serve(one_round)


def generation(job: dict, arrays: Arrays, desk: Desk) -> None:
    """The answers of an examination; `static` keeps all prompts in one batch until the last answer has ended."""
    start_jax(job["device"])
    weights = params(arrays)
    desk.ready(*LIBRARIES)
    desk.serve(partial(timed_answers, lambda: _answers(job, weights)))


def matrix_product(job: dict, arrays: Arrays, desk: Desk) -> None:
    """The fastest thing jax does on this machine: one large matrix product. `done` is GFLOP."""
    start_jax(job["device"])
    import jax
    import jax.numpy as jnp

    desk.ready()
    side = job.get("side", PEAK_SIDE)
    matrix = jnp.ones((side, side), job["dtype"])
    product = jax.jit(jnp.matmul)

    def one_round() -> Round:
        begin = time.perf_counter()
        for _ in range(job["products"]):
            last = product(matrix, matrix)
        last.block_until_ready()
        return {"seconds": time.perf_counter() - begin, "done": job["products"] * 2e-9 * side**3}

    desk.serve(one_round)


def start(job: dict, arrays: Arrays, desk: Desk) -> None:
    """One update and one generation, once: what a process does first."""
    start_jax(job["device"])
    desk.ready(*LIBRARIES)
    if desk.asked():
        begin = time.perf_counter()
        state, step = step_of(job, arrays)
        state, metrics = step(state, batches(arrays)[0])
        float(metrics["loss"])
        first_step = time.perf_counter() - begin
        _answers(job, state.params)
        desk.answer({"first_step": first_step})


def step_of(job: dict, arrays: Arrays) -> tuple[Any, Callable[[Any, Batch], tuple[Any, dict]]]:
    """(state, step) of a run of the job's config, with the given weights where its own would lie."""
    import jax

    from training.engine.loop import own_engine

    config = TrainConfig.from_dict(job["config"])
    learner = own_engine(config, job["shape"]["vocab_size"], 1)
    state = learner.fresh()
    placed = jax.tree.map(lambda new, old: jax.device_put(new, old.sharding), params(arrays), state.params)
    return replace(state, params=placed), learner.step


def _answers(job: dict, weights: Any) -> list[list[int]]:
    from training.engine.sampling import Rules, generate

    prompts, rules = job["prompts"], Rules(job["max_new_tokens"], stop_id=job["stop_id"], pad_id=0)
    shape = ModelShape(**job["shape"])
    if job["static"]:
        answers = generate(weights, shape, prompts, rules, slots=len(prompts), streams=1)
    else:
        answers = generate(weights, shape, prompts, rules)
    return [answer.tokens for answer in answers]


def batches(arrays: Arrays) -> list[Batch]:
    """One batch an update."""
    return [Batch(*fields) for fields in zip(*(arrays[name] for name in Batch._fields), strict=True)]


def params(arrays: Arrays) -> Any:
    """The given weights as the tree our model wants."""
    import jax.numpy as jnp
    from flax.traverse_util import unflatten_dict

    prefix = "params/"
    flat = {name.removeprefix(prefix): jnp.asarray(a) for name, a in arrays.items() if name.startswith(prefix)}
    return unflatten_dict(flat, sep="/")
