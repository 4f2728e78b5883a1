"""The Gemma 3 text architecture (arXiv:2503.19786), written to be lean on a CPU and the same function everywhere.

One model serves training (packed rows) and generation (a memory of what was read). It computes in the type of its
matrices; what sums many numbers, norms, softmax and logits, is float32 in any case. In shapes, B is sequences, L
tokens, T queries, S keys, W width, H query heads, K key-value heads, G = H / K query heads that share one of them,
D head dimension, V vocabulary.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from training.shapes import ModelShape

QUERY_CHUNK = 128  # queries that attend together; keys that none of them can see are never multiplied
MASKED = -1e30  # added to a score, it leaves a weight of exactly 0

Params = dict[str, Any]
Place = tuple[Array, Array]  # the number of an update (int32 []) and those of its sequences in the batch (int32 [B])
initial_weights = nn.initializers.normal(0.02)


class KeyValues(NamedTuple):
    """Keys and values of some tokens, each [B, K, T, D]."""

    keys: Array
    values: Array


class Memory(NamedTuple):
    """What one layer remembers: the token at position p lies in column p mod S, over the one it pushes out."""

    keys: Array  # [B, K, D, S]: the products with one query, which decoding is made of, run along the columns
    values: Array  # [B, K, S, D]


class Past(NamedTuple):
    """What a layer remembers, and the columns [B, T] of it where new tokens belong; beyond S: nowhere."""

    memory: Memory
    columns: Array

    def with_new(self, new: KeyValues) -> Memory:
        row, old = jnp.arange(len(self.columns))[:, None], self.memory
        keys, values = (array.swapaxes(1, 2) for array in new)
        return Memory(
            old.keys.at[row, :, :, self.columns].set(keys, mode="drop", unique_indices=True),
            old.values.at[row, :, self.columns].set(values, mode="drop", unique_indices=True),
        )


class Angles(NamedTuple):
    """Of rotary embedding, for some positions."""

    sine: Array  # [B, 1, T, D / 2]
    cosine: Array

    def at(self, positions: Array) -> "Angles":
        """Those of `positions` [B, T], looked up in those of all positions from 0, of one sequence."""
        return Angles(*(turned[0, 0][positions][:, None] for turned in self))


AllAngles = dict[bool, Angles]  # of global layers and of local ones


class Sight(NamedTuple):
    """Where the tokens of a layer stand and what they see; one for all local layers, one for all global ones."""

    sine: Array  # [B, 1, T, D / 2]
    cosine: Array
    bias: Array  # [B, T, S], 0 where a query sees a key, MASKED where it does not


class Gemma3(nn.Module):
    """Tokens in, logits out. `read` and `decode` are the two halves of generation."""

    shape: ModelShape

    def setup(self) -> None:
        shape = self.shape
        self.embedding = self.param("embedding", initial_weights, (shape.vocab_size, shape.width))
        self.blocks = [Block(shape, is_global=shape.is_global(i), name=f"block_{i}") for i in range(shape.layers)]
        self.final_norm = RMSNorm(shape.norm_epsilon)

    def __call__(self, tokens: Array, positions: Array, segments: Array) -> Array:
        """Logits [B, L, V] in float32 of packed rows; `tokens`, `positions`, `segments` are int32 [B, L].

        A token sees its own segment only, up to itself. Inside a segment, positions count up by one; all lie below L.
        """
        return self.logits(self.hidden(tokens, positions, segments))

    def hidden(self, tokens: Array, positions: Array, segments: Array) -> Array:
        """The last layer's output [B, L, W]."""
        column = jnp.arange(tokens.shape[1])  # and every position there can be
        together = segments[:, :, None] == segments[:, None, :]
        angles, distance = all_angles(self.shape, tokens.shape[1]), column[:, None] - column
        sights = {
            is_global: self._sight(is_global, angles[is_global].at(positions), distance, together)
            for is_global in (True, False)
        }
        x = self._embed(tokens)
        for block in self.blocks:
            x, _ = block(x, sights[block.is_global])
        return self.final_norm(x)

    def read(self, tokens: Array, begin: Array, length: Array, memory: list[Memory]) -> tuple[Array, list[Memory]]:
        """The next T tokens [B, T] of texts of `length` [B], all from position `begin`; what follows a text is ignored.

        Returns the last layer's output [B, T, W] and the memory with these tokens in it.
        """
        place = jnp.arange(tokens.shape[1])
        end = jnp.minimum(length, begin + len(place))[:, None]
        sights, columns = {}, {}
        for is_global, size in self._sizes(memory).items():
            # What came before, by how long before `begin`, then these tokens among themselves.
            age = jnp.concatenate([1 + (begin - 1 - jnp.arange(size)) % size, -place])
            distance = place[None, :, None] + age
            angles = angles_of(self.shape, is_global, begin + place[None])
            sights[is_global] = self._sight(is_global, angles, distance, age <= begin)
            position = begin + place
            kept = (position < end) & (position >= end - size)
            columns[is_global] = jnp.where(kept, position % size, size + place)
        return self._go_on(tokens, sights, columns, memory)

    def decode(
        self, token: Array, position: Array, memory: list[Memory], angles: AllAngles
    ) -> tuple[Array, list[Memory]]:
        """One more token a row, [B], at `position` [B], all of which `angles` has. Returns logits [B, V] and the
        memory with it."""
        sights, columns = {}, {}
        for is_global, size in self._sizes(memory).items():
            age = (position[:, None] - jnp.arange(size)) % size
            seen = age <= position[:, None]
            turned = angles[is_global].at(position[:, None])
            sights[is_global] = self._sight(is_global, turned, age[:, None], seen[:, None])
            columns[is_global] = position[:, None] % size
        x, memory = self._go_on(token[:, None], sights, columns, memory)
        return self.logits(x[:, 0]), memory

    def blank_memory(self, rows: int, size: int) -> list[Memory]:
        """Room for `rows` texts of up to `size` tokens; local layers remember no more than their window."""
        heads, depth, dtype = self.shape.kv_heads, self.shape.head_dim, self.embedding.dtype
        sizes = [size if block.is_global else min(size, self.shape.window) for block in self.blocks]
        keys = (jnp.zeros((rows, heads, depth, columns), dtype) for columns in sizes)
        values = (jnp.zeros((rows, heads, columns, depth), dtype) for columns in sizes)
        return [Memory(*both) for both in zip(keys, values, strict=True)]

    def _go_on(
        self, tokens: Array, sights: dict[bool, Sight], columns: dict[bool, Array], memory: list[Memory]
    ) -> tuple[Array, list[Memory]]:
        x, remembered = self._embed(tokens), list[Any]()
        for block, layer in zip(self.blocks, memory, strict=True):
            x, new = block(x, sights[block.is_global], Past(layer, columns[block.is_global]))
            remembered.append(new)
        return self.final_norm(x), remembered

    def _sizes(self, memory: list[Memory]) -> dict[bool, int]:
        """The columns of global and of local layers."""
        return {block.is_global: past.values.shape[2] for block, past in zip(self.blocks, memory, strict=True)}

    def logits(self, x: Array) -> Array:
        return jnp.einsum("...w,vw->...v", x, self.embedding, preferred_element_type=jnp.float32)

    def _embed(self, tokens: Array) -> Array:
        # The published code rounds the scale to the weights' type, which matters below float32.
        return self.embedding[tokens] * jnp.asarray(self.shape.width**0.5, self.embedding.dtype)

    def _sight(self, is_global: bool, angles: Angles, distance: Array, together: Array) -> Sight:
        """Global or local sight of queries turned by `angles` that stand `distance` [T, S] after the keys."""
        seen = together & (distance >= 0)
        if not is_global:
            seen &= distance < self.shape.window
        return Sight(*angles, jnp.where(seen, 0.0, MASKED))


class Block(nn.Module):
    """One layer: attention, then MLP, each normalised before and after."""

    shape: ModelShape
    is_global: bool

    @nn.compact
    def __call__(self, x: Array, sight: Sight, past: Past | None = None) -> tuple[Array, Memory | None]:
        def norm(name: str) -> RMSNorm:
            return RMSNorm(self.shape.norm_epsilon, name=name)

        attention = Attention(self.shape, self.is_global, name="attention")
        mixed, memory = attention(norm("attention_norm")(x), sight, past)
        x = x + norm("after_attention_norm")(mixed)
        return x + norm("after_mlp_norm")(MLP(self.shape, name="mlp")(norm("mlp_norm")(x))), memory


class Attention(nn.Module):
    """Grouped-query attention with normalised queries and keys, over everything or over the last `window` tokens."""

    shape: ModelShape
    is_global: bool

    def setup(self) -> None:
        shape = self.shape
        # One matrix for queries, keys and values: [W, H + 2 K, D]. Query head k·G + g reads key-value head k.
        self.qkv = self.param("qkv", initial_weights, (shape.width, shape.heads + 2 * shape.kv_heads, shape.head_dim))
        self.out = self.param("out", initial_weights, (shape.heads, shape.head_dim, shape.width))
        self.query_norm, self.key_norm = RMSNorm(shape.norm_epsilon), RMSNorm(shape.norm_epsilon)

    def __call__(self, x: Array, sight: Sight, past: Past | None) -> tuple[Array, Memory | None]:
        """Mixes among the tokens of `x` [B, T, W] and what is remembered, which it returns with them in it."""
        if past is not None and x.shape[1] == 1:
            return self._attend_one(x, sight, past)
        queries, new = self._project(x, sight)
        if past is None:
            mixed, memory = self._attend_in_chunks(queries, new, sight.bias), None
        else:  # stored afterwards: the first of several tokens still sees what the last may push out
            keys = jnp.concatenate([past.memory.keys.swapaxes(2, 3), new.keys], axis=2)
            values = jnp.concatenate([past.memory.values, new.values], axis=2)
            mixed, memory = attend(queries, keys, values, sight.bias), past.with_new(new)
        b, k, g, t, d = mixed.shape
        mixed = mixed.reshape(b, k * g, t, d).astype(x.dtype)  # the sums of a softmax are float32 whatever comes in
        return adapted(self, "out", mixed, jnp.einsum("bhtd,hdw->btw", mixed, self.out)), memory

    def _project(self, x: Array, sight: Sight) -> tuple[Array, KeyValues]:
        """Turned and scaled queries [B, K, G, T, D], turned keys and values [B, K, T, D]."""
        merged = adapted(self, "qkv", x, jnp.einsum("btw,wnd->bntd", x, self.qkv))
        return self._turned(merged, sight)

    def _turned(self, merged: Array, sight: Sight) -> tuple[Array, KeyValues]:
        """The same from all heads before they are turned, [B, H + 2 K, T, D]."""
        heads, kv_heads = self.shape.heads, self.shape.kv_heads
        queries, keys, values = jnp.split(merged, [heads, heads + kv_heads], axis=1)
        queries = turn(self.query_norm(queries), sight) * self.shape.query_scale**-0.5
        grouped = queries.reshape(len(queries), kv_heads, heads // kv_heads, *queries.shape[2:])
        return grouped, KeyValues(turn(self.key_norm(keys), sight), values)

    def _attend_one(self, x: Array, sight: Sight, past: Past) -> tuple[Array, Memory]:
        """The same for one token a row, in products of matrices that lie ready: nothing is transposed on the way."""
        b, width = len(x), self.shape.width
        merged = (x[:, 0] @ self.qkv.reshape(width, -1)).reshape(b, -1, 1, self.shape.head_dim)
        queries, new = self._turned(merged, sight)
        memory = past.with_new(new)
        scores = jnp.einsum("bkgd,bkds->bkgs", queries[:, :, :, 0], memory.keys) + sight.bias[:, None]
        weights = jnp.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = jnp.einsum("bkgs,bksd->bkgd", weights, memory.values) / weights.sum(axis=-1, keepdims=True)
        return (mixed.reshape(b, -1) @ self.out.reshape(-1, width))[:, None], memory

    def _attend_in_chunks(self, queries: Array, new: KeyValues, bias: Array) -> Array:
        length, chunks = queries.shape[3], []
        for begin in range(0, length, QUERY_CHUNK):
            end = min(begin + QUERY_CHUNK, length)
            first = 0 if self.is_global else max(0, begin + 1 - self.shape.window)
            keys, values = new.keys[:, :, first:end], new.values[:, :, first:end]
            chunks.append(attend(queries[:, :, :, begin:end], keys, values, bias[:, begin:end, first:end]))
        return jnp.concatenate(chunks, axis=3)


class MLP(nn.Module):
    """GeGLU: down(gelu(gate(x)) · up(x)), gate and up as one matrix."""

    shape: ModelShape

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width, inner = self.shape.width, self.shape.mlp_width
        gate_up = self.param("gate_up", initial_weights, (width, 2 * inner))
        down = self.param("down", initial_weights, (inner, width))
        gate, up = jnp.split(adapted(self, "gate_up", x, multiply(x, gate_up)), 2, axis=-1)
        x = jax.nn.gelu(gate, approximate=True) * up
        return adapted(self, "down", x, multiply(x, down))


class RMSNorm(nn.Module):
    """x / rms(x) · (1 + weight): a weight of zero leaves the scale at one."""

    epsilon: float

    @nn.compact
    def __call__(self, x: Array) -> Array:
        weight = self.param("weight", nn.initializers.zeros, (x.shape[-1],))
        wide = x.astype(jnp.float32)
        mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        return (wide * jax.lax.rsqrt(mean_square + self.epsilon) * (1.0 + weight)).astype(x.dtype)


def adapted(module: nn.Module, name: str, x: Array, product: Array) -> Array:
    """`product` of `x` and the matrix `name` of `module`, and what an adapter beside it adds: a function of `x` in the
    collection "adapters", under the same names as the matrix."""
    adapter: Callable[[Array], Array] | None = module.get_variable("adapters", name)
    return product if adapter is None else product + adapter(x)


@jax.custom_vjp
def multiply(x: Array, matrix: Array) -> Array:
    """`x @ matrix` of [..., W] and [W, N], whose gradient turns the thinner factor and not the wider."""
    return x @ matrix


def _multiply_forward(x: Array, matrix: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ matrix, (x, matrix)


def _multiply_backward(factors: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, matrix = factors
    rows = tuple(range(x.ndim - 1))
    over_rows = ((rows, rows), ((), ()))
    # A CPU turns the first factor, by copying it. The barrier keeps the product from being turned itself instead.
    if gradient.shape[-1] < x.shape[-1]:
        for_matrix = jax.lax.optimization_barrier(jax.lax.dot_general(gradient, x, over_rows)).T
    else:
        for_matrix = jax.lax.dot_general(x, gradient, over_rows)
    return gradient @ matrix.T, for_matrix


multiply.defvjp(_multiply_forward, _multiply_backward)


@jax.custom_vjp
def attend(queries: Array, keys: Array, values: Array, bias: Array) -> Array:
    """Values [B, K, S, D] mixed for queries [B, K, G, T, D] by softmax(queries · keys + bias), summed in float32.

    The gradient is written out (that of FlashAttention, arXiv:2205.14135, without its blocks): derived by itself, it
    multiplies turned matrices and sums short rows, both of which a CPU does at a third of its speed. `bias` has none.
    """
    return _attend_forward(queries, keys, values, bias)[0]


def _attend_forward(queries: Array, keys: Array, values: Array, bias: Array) -> tuple[Array, tuple[Array, ...]]:
    b, k, g, t, d = queries.shape
    # The queries of a group share their keys: one product per key head serves them all.
    grouped = queries.reshape(b, k, g * t, d)
    scores = jnp.einsum("bkqd,bksd->bkqs", grouped, keys, preferred_element_type=jnp.float32)
    scores = scores.reshape(b, k, g, t, -1) + bias[:, None, None]
    weights = jnp.exp(scores - scores.max(axis=-1, keepdims=True))
    total = weights.sum(axis=-1).reshape(b, k, g * t, 1)
    weights = weights.reshape(b, k, g * t, -1).astype(values.dtype)
    # Dividing the D mixed values instead of the S weights saves a pass over the largest array, and its gradient.
    mixed = jnp.einsum("bkqs,bksd->bkqd", weights, values, preferred_element_type=jnp.float32) / total
    return mixed.reshape(queries.shape), (grouped, keys, values, weights, total, mixed)


def _attend_backward(kept: tuple[Array, ...], gradient: Array) -> tuple[Array, Array, Array, None]:
    queries, keys, values, weights, total, mixed = kept
    shape, gradient = gradient.shape, gradient.reshape(mixed.shape) / total
    # A product with ones is a sum that runs at the speed of products, and as exact as one where it is asked to be.
    shared = jnp.matmul(gradient * mixed, jnp.ones((mixed.shape[-1], 1)), precision="highest")
    gradient = gradient.astype(values.dtype)
    for_weights = jnp.einsum("bkqd,bksd->bkqs", gradient, values, preferred_element_type=jnp.float32)
    for_scores = (weights * (for_weights - shared)).astype(keys.dtype)
    for_queries = jnp.einsum("bkqs,bksd->bkqd", for_scores, keys)
    for_keys, for_values = _summed_over_queries(queries, for_scores), _summed_over_queries(gradient, weights)
    return for_queries.reshape(shape), for_keys, for_values, None


def _summed_over_queries(left: Array, right: Array) -> Array:
    """Of [B, K, Q, D] and [B, K, Q, S]: [B, K, S, D]. Only the thin result is turned, never the wide factor."""
    return jax.lax.optimization_barrier(jnp.einsum("bkqd,bkqs->bkds", left, right)).swapaxes(2, 3)


attend.defvjp(_attend_forward, _attend_backward)


def all_angles(shape: ModelShape, length: int) -> AllAngles:
    """Those of the positions below `length`, of global and of local layers. Sines are dear: they are taken once for all
    sequences, or for all tokens to come, then looked up."""
    return {is_global: angles_of(shape, is_global, jnp.arange(length)[None]) for is_global in (True, False)}


def angles_of(shape: ModelShape, is_global: bool, positions: Array) -> Angles:
    """The rotary angles of `positions` [B, T] in a global or a local layer (arXiv:2104.09864)."""
    theta = shape.global_theta if is_global else shape.local_theta
    exponents = jnp.arange(0, shape.head_dim, 2, dtype=jnp.float32) / shape.head_dim
    angles = positions[:, None, :, None].astype(jnp.float32) / theta**exponents
    return Angles(jnp.sin(angles), jnp.cos(angles))


def turn(x: Array, sight: Sight) -> Array:
    """`x` [B, heads, T, D] with each pair (i, i + D/2) turned by its angle."""
    first, second = jnp.split(x, 2, axis=-1)
    sine, cosine = sight.sine, sight.cosine
    turned = jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)
    return turned.astype(x.dtype)


def init_params(shape: ModelShape, seed: int) -> Params:
    """Fresh parameters: every matrix normal(0, 0.02), every norm zero. The same seed gives the same numbers."""
    model, nothing = Gemma3(shape), jnp.zeros((1, 1), jnp.int32)
    return jax.jit(lambda key: model.init(key, nothing, nothing, nothing)["params"])(key_of(seed))


def key_of(seed: int) -> Array:
    """The random key of a run's seed: all 64 bits of it, where jax.random.key drops the upper half."""
    return jax.random.wrap_key_data(jnp.asarray(np.array(divmod(seed, 2**32), np.uint32)))
