"""Tiny real models and sequences for the engine's tests."""

import jax
import jax.numpy as jnp
import numpy as np

from training.config import TrainingConfig
from training.engine.model import Params, init_params
from training.engine.step import TrainState, init_state, make_optimizer, make_train_step
from training.packing import Batch
from training.shapes import ModelShape

# Seven layers: six local, the sixth global; two query heads a key head; a window shorter than the sequences.
SHAPE = ModelShape(
    vocab_size=64, width=32, layers=7, heads=4, kv_heads=2, head_dim=8, mlp_width=48, window=6, query_scale=16
)
SMALL_SHAPE = ModelShape(
    vocab_size=32, width=32, layers=2, heads=4, kv_heads=2, head_dim=8, mlp_width=64, window=8, query_scale=8,
    global_every=2,
)  # fmt: skip


def random_params(shape: ModelShape, seed: int = 0) -> Params:
    """Parameters none of which is zero, norms included, large enough that every part matters."""
    leaves, tree = jax.tree.flatten(jax.eval_shape(lambda: init_params(shape, 0)))
    rng = np.random.default_rng(seed)
    return jax.tree.unflatten(tree, [jnp.asarray(rng.normal(0, 0.2, leaf.shape), jnp.float32) for leaf in leaves])


def random_rows(shape: ModelShape, lengths: list[int], seed: int = 0) -> list[np.ndarray]:
    """Rows of tokens without pad (0) and stop (1)."""
    rng = np.random.default_rng(seed)
    return [rng.integers(2, shape.vocab_size, length).astype(np.int32) for length in lengths]


def batch_of(sequences: list[list[np.ndarray]], length: int) -> Batch:
    """Rows packed as told: a list of rows a sequence. The second half of each row is trained."""
    shape = (len(sequences), length)
    tokens, targets, positions, segments = (np.zeros(shape, np.int32) for _ in range(4))
    loss_mask = np.zeros(shape, np.float32)
    for i, rows in enumerate(sequences):
        begin = 0
        for segment, row in enumerate(rows, start=1):
            place = (i, slice(begin, begin + len(row) - 1))
            tokens[place], targets[place] = row[:-1], row[1:]
            positions[place], segments[place] = np.arange(len(row) - 1), segment
            loss_mask[i, begin + len(row) // 2 : begin + len(row) - 1] = 1
            begin += len(row) - 1
    return Batch(tokens, targets, positions, segments, loss_mask)


def trained(
    shape: ModelShape, batch: Batch, *, updates: int, seed: int = 0, dtype: str = "float32"
) -> tuple[TrainState, list[float]]:
    """The state after some updates on one batch, and the losses on the way."""
    optimizer = make_optimizer(TrainingConfig(learning_rate=1e-2, warmup=5), updates)
    state, losses = init_state(init_params(shape, seed), optimizer), []
    step = make_train_step(shape, optimizer, dtype=dtype)
    for _ in range(updates):
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"]))
    return state, losses
