"""Adapters (Hu et al. 2021, arXiv:2106.09685): W x becomes W x + alpha / rank · B A dropout(x), and W stays as it is.

They are named as published, `{"block_0": {"q_proj": {"a": [inputs, rank], "b": [rank, outputs]}}}`, although the model
multiplies several of the published matrices at once. `variables` puts them beside its matrices for training, `merge`
into them for everything else.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from training.config import LORA_TARGETS, LoraConfig
from training.engine.model import Params, Place, key_of
from training.shapes import ModelShape, projections

Adapters = dict[str, dict[str, dict[str, Array]]]

FRESH, DROPOUT = 1, 2  # what the seed is folded with: adapters have random numbers of their own


class Matrix(NamedTuple):
    """One of the model's matrices: the published ones in it, side by side, and how it is multiplied.

    In the sums, r is the rank; the other letters are those of the model's shapes.
    """

    module: str
    name: str
    targets: tuple[str, ...]
    down: str  # input and A
    up: str  # what came of it and B


MATRICES = (
    Matrix("attention", "qkv", ("q_proj", "k_proj", "v_proj"), "btw,wr->btr", "btr,rnd->bntd"),
    Matrix("attention", "out", ("o_proj",), "bhtd,hdr->btr", "btr,rw->btw"),
    Matrix("mlp", "gate_up", ("gate_proj", "up_proj"), "btw,wr->btr", "btr,rm->btm"),
    Matrix("mlp", "down", ("down_proj",), "btm,mr->btr", "btr,rw->btw"),
)


@struct.dataclass
class Adapter:
    """What stands beside one of the model's matrices: the adapters of all its targets as one."""

    a: Array  # [inputs, R], shaped as the matrix is
    b: Array  # [R, outputs] likewise
    keys: Array | None  # for dropout: of each sequence [B]
    matrix: Matrix = struct.field(pytree_node=False)
    rate: float = struct.field(pytree_node=False)

    def __call__(self, x: Array) -> Array:
        """What is added to the product of `x` and the matrix."""
        seen = x if self.keys is None else _drop(x, self.keys, self.rate)
        thin = jnp.einsum(self.matrix.down, seen, self.a.astype(x.dtype))
        return jnp.einsum(self.matrix.up, thin, self.b.astype(x.dtype))


def init_adapters(shape: ModelShape, lora: LoraConfig, seed: int) -> Adapters:
    """Fresh adapters, which change nothing: A uniform in ±1 / √inputs as PEFT draws it, B zero.

    The numbers of a target do not depend on which others there are.
    """
    key, sizes = jax.random.fold_in(key_of(seed), FRESH), projections(shape)

    def fresh(layer: int, target: str) -> dict[str, Array]:
        inputs, outputs = sizes[target]
        bound = inputs**-0.5  # kaiming_uniform with a = √5
        own = jax.random.fold_in(key, layer * len(LORA_TARGETS) + LORA_TARGETS.index(target))
        a = jax.random.uniform(own, (inputs, lora.rank), minval=-bound, maxval=bound)
        return {"a": a, "b": jnp.zeros((lora.rank, outputs))}

    return {_block(i): {target: fresh(i, target) for target in lora.targets} for i in range(shape.layers)}


def variables(
    adapters: Adapters, base: Params, place: Place | None, *, shape: ModelShape, lora: LoraConfig, seed: int
) -> dict[str, Any]:
    """What `Gemma3.apply` takes for a base with adapters beside it.

    At a `place` in training, inputs of the adapters are dropped out; which ones is a function of seed, update,
    sequence, layer and matrix, however the batch is divided.
    """
    keys = _keys(seed, *place, shape.layers) if place and lora.dropout else None
    placed: dict[str, Any] = {}
    for layer in range(shape.layers):
        for number, matrix in _adapted(lora):
            a, b = _together(adapters[_block(layer)], matrix, shape, lora)
            module = placed.setdefault(_block(layer), {}).setdefault(matrix.module, {})
            module[matrix.name] = Adapter(a, b, None if keys is None else keys[layer, number], matrix, lora.dropout)
    return {"params": base, "adapters": placed}


def merge(adapters: Adapters, base: Params, *, shape: ModelShape, lora: LoraConfig) -> Params:
    """The parameters of a model that does alone what the base does with its adapters."""
    merged = jax.tree.map(lambda param: param, base)  # dicts of our own around the same arrays
    for layer in range(shape.layers):
        for _, matrix in _adapted(lora):
            change = jnp.tensordot(*_together(adapters[_block(layer)], matrix, shape, lora), 1)
            module = merged[_block(layer)][matrix.module]
            module[matrix.name] = module[matrix.name] + change
    return merged


def _adapted(lora: LoraConfig) -> list[tuple[int, Matrix]]:
    """The matrices that hold a target, with their numbers."""
    return [(number, matrix) for number, matrix in enumerate(MATRICES) if set(matrix.targets) & set(lora.targets)]


def _together(
    adapters: dict[str, dict[str, Array]], matrix: Matrix, shape: ModelShape, lora: LoraConfig
) -> tuple[Array, Array]:
    """The adapters of a matrix as one: A side by side, B scaled and each where its target's outputs are, else zero."""
    present = [target for target in matrix.targets if target in adapters]
    outputs = [_dimensions(shape, target)[1] for target in matrix.targets]
    a = jnp.concatenate([adapters[target]["a"] for target in present], axis=1)
    b = jnp.zeros((len(present) * lora.rank, sum(own[0] for own in outputs), *outputs[0][1:]))
    row = column = 0
    for target, own in zip(matrix.targets, outputs, strict=True):
        if target in present:
            scaled = adapters[target]["b"].reshape(lora.rank, *own) * (lora.alpha / lora.rank)
            b = b.at[row : row + lora.rank, column : column + own[0]].set(scaled)
            row += lora.rank
        column += own[0]
    return a.reshape(*_dimensions(shape, present[0])[0], -1), b


def _dimensions(shape: ModelShape, target: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Inputs and outputs of a published matrix, with heads apart as the model has them."""
    inputs, outputs = projections(shape)[target]
    if target == "o_proj":
        return (shape.heads, shape.head_dim), (outputs,)
    if target in ("q_proj", "k_proj", "v_proj"):
        return (inputs,), (outputs // shape.head_dim, shape.head_dim)
    return (inputs,), (outputs,)


def _drop(x: Array, keys: Array, rate: float) -> Array:
    """`x` [B, …] with a share of `rate` set to zero and the rest scaled up, by one key a sequence."""
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]))(keys)
    return jnp.where(kept, x / (1 - rate), 0)


def _keys(seed: int, update: Array, sequences: Array, layers: int) -> Array:
    """Random keys [layers, MATRICES, B] of an update."""
    key = jax.random.fold_in(jax.random.fold_in(key_of(seed), DROPOUT), update)
    of_sequences = jax.vmap(partial(jax.random.fold_in, key))(sequences)
    keys = jax.vmap(lambda key: jax.random.split(key, (layers, len(MATRICES))))(of_sequences)
    return jnp.moveaxis(keys, 0, -1)


def _block(layer: int) -> str:
    return f"block_{layer}"
