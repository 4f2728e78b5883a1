"""The Gemma 3 text architecture (arXiv:2503.19786), written to be lean on a CPU and the same function everywhere.

One forward pass serves training (packed rows), prefill and decoding. In shapes, B is sequences, L tokens, W width,
H query heads, K key-value heads, G = H / K query heads that share one of them, D head dimension, S keys, V vocabulary.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from training.shapes import ModelShape

QUERY_CHUNK = 128  # queries that attend together; keys that none of them can see are never multiplied
MASKED = -1e30  # a score that softmax turns into exactly 0

Params = dict
initial_weights = nn.initializers.normal(0.02)


class KeyValues(NamedTuple):
    """What one layer remembers of the tokens it saw: keys and values, each [B, K, S, D]."""

    keys: Array
    values: Array


class Gemma3(nn.Module):
    """Tokens in, logits [.., V] in float32 out. `hidden` and `decode` are its two halves for generation."""

    shape: ModelShape

    def setup(self) -> None:
        shape = self.shape
        self.embedding = self.param("embedding", initial_weights, (shape.vocab_size, shape.width))
        self.blocks = [Block(shape, is_global=shape.is_global(i), name=f"block_{i}") for i in range(shape.layers)]
        self.final_norm = RMSNorm(shape.norm_epsilon)

    def __call__(self, tokens: Array, positions: Array, segments: Array) -> Array:
        """Logits [B, L, V] of packed rows; `tokens`, `positions`, `segments` are int32 [B, L].

        A token sees its own segment only, up to itself. Inside a segment, positions count up by one.
        """
        return self.logits(self.hidden(tokens, positions, segments)[0])

    def hidden(self, tokens: Array, positions: Array, segments: Array) -> tuple[Array, list[KeyValues]]:
        """The last layer's output [B, L, W] and what every layer remembers."""
        remembered = []
        x, angles = self._embed(tokens), rotations(self.shape, positions)
        for block in self.blocks:
            x, memory = block(x, angles, segments)
            remembered.append(memory)
        return self.final_norm(x), remembered

    def decode(
        self, token: Array, position: Array, start: Array, index: Array, memory: list[KeyValues]
    ) -> tuple[Array, list[KeyValues]]:
        """One more token [B] at `position` [B], stored at `index` of the memory; row b's tokens begin at `start[b]`.

        Returns logits [B, V] and the memory with this token in it.
        """
        remembered = []
        x, angles = self._embed(token[:, None]), rotations(self.shape, position[:, None])
        for block, past in zip(self.blocks, memory, strict=True):
            x, past = block.decode(x, angles, start, index, past)
            remembered.append(past)
        return self.logits(self.final_norm(x))[:, 0], remembered

    def logits(self, x: Array) -> Array:
        return jnp.einsum("...w,vw->...v", x, self.embedding, preferred_element_type=jnp.float32)

    def _embed(self, tokens: Array) -> Array:
        # The published code rounds the scale to the weights' type, so the type matters below float32.
        return self.embedding[tokens] * jnp.asarray(self.shape.width**0.5, self.embedding.dtype)


class Block(nn.Module):
    """One layer: attention, then MLP, each normalised before and after."""

    shape: ModelShape
    is_global: bool

    def setup(self) -> None:
        epsilon = self.shape.norm_epsilon
        self.attention_norm, self.after_attention_norm = RMSNorm(epsilon), RMSNorm(epsilon)
        self.mlp_norm, self.after_mlp_norm = RMSNorm(epsilon), RMSNorm(epsilon)
        self.attention = Attention(self.shape, self.is_global)
        self.mlp = MLP(self.shape)

    def __call__(self, x: Array, angles: "Rotations", segments: Array) -> tuple[Array, KeyValues]:
        mixed, memory = self.attention(self.attention_norm(x), angles, segments)
        return self._finish(x, mixed), memory

    def decode(
        self, x: Array, angles: "Rotations", start: Array, index: Array, past: KeyValues
    ) -> tuple[Array, KeyValues]:
        mixed, past = self.attention.decode(self.attention_norm(x), angles, start, index, past)
        return self._finish(x, mixed), past

    def _finish(self, x: Array, mixed: Array) -> Array:
        x = x + self.after_attention_norm(mixed)
        return x + self.after_mlp_norm(self.mlp(self.mlp_norm(x)))


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

    def __call__(self, x: Array, angles: "Rotations", segments: Array) -> tuple[Array, KeyValues]:
        queries, memory = self._project(x, angles)
        length = x.shape[1]
        chunks = []
        for begin in range(0, length, QUERY_CHUNK):
            end = min(begin + QUERY_CHUNK, length)
            first = 0 if self.is_global else max(0, begin + 1 - self.shape.window)
            row, column = jnp.arange(begin, end)[:, None], jnp.arange(first, end)[None, :]
            seen = (segments[:, begin:end, None] == segments[:, None, first:end]) & self._in_reach(row - column)
            keys, values = memory.keys[:, :, first:end], memory.values[:, :, first:end]
            chunks.append(self._attend(queries[:, :, :, begin:end], KeyValues(keys, values), seen))
        return self._output(jnp.concatenate(chunks, axis=3)), memory

    def decode(
        self, x: Array, angles: "Rotations", start: Array, index: Array, past: KeyValues
    ) -> tuple[Array, KeyValues]:
        queries, new = self._project(x, angles)
        store = lambda old, fresh: jax.lax.dynamic_update_slice_in_dim(old, fresh, index, axis=2)  # noqa: E731
        memory = KeyValues(store(past.keys, new.keys), store(past.values, new.values))
        column = jnp.arange(memory.keys.shape[2])[None, :]
        seen = (column >= start[:, None]) & self._in_reach(index - column)
        return self._output(self._attend(queries, memory, seen[:, None, :])), memory

    def _project(self, x: Array, angles: "Rotations") -> tuple[Array, KeyValues]:
        """Rotated queries [B, K, G, L, D], rotated keys and values [B, K, L, D]."""
        shape = self.shape
        merged = jnp.einsum("blw,wnd->bnld", x, self.qkv)
        queries, keys, values = jnp.split(merged, [shape.heads, shape.heads + shape.kv_heads], axis=1)
        sine, cosine = angles.everywhere if self.is_global else angles.nearby
        queries = rotate(self.query_norm(queries), sine, cosine) * shape.query_scale**-0.5
        keys = rotate(self.key_norm(keys), sine, cosine)
        groups = (queries.shape[0], shape.kv_heads, shape.heads // shape.kv_heads, *queries.shape[2:])
        return queries.reshape(groups), KeyValues(keys, values)

    def _in_reach(self, distance: Array) -> Array:
        """Which distances (query minus key) are neither in the future nor beyond the window."""
        return distance >= 0 if self.is_global else (distance >= 0) & (distance < self.shape.window)

    def _attend(self, queries: Array, memory: KeyValues, seen: Array) -> Array:
        """Mix values [B, K, S, D] for queries [B, K, G, T, D]; `seen` is bool [B, T, S]."""
        b, k, g, t, d = queries.shape
        # The queries of a group share their keys, so that one product per key head serves them all.
        scores = jnp.einsum("bkqd,bksd->bkqs", queries.reshape(b, k, g * t, d), memory.keys)
        scores = jnp.where(seen[:, None, None], scores.reshape(b, k, g, t, -1), MASKED)
        weights = jax.nn.softmax(scores, axis=-1).reshape(b, k, g * t, -1)
        return jnp.einsum("bkqs,bksd->bkqd", weights, memory.values).reshape(queries.shape)

    def _output(self, mixed: Array) -> Array:
        b, _, _, length, d = mixed.shape
        return jnp.einsum("bhld,hdw->blw", mixed.reshape(b, self.shape.heads, length, d), self.out)


class MLP(nn.Module):
    """GeGLU: down(gelu(gate(x)) · up(x)), gate and up as one matrix."""

    shape: ModelShape

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width, inner = self.shape.width, self.shape.mlp_width
        gate_up = self.param("gate_up", initial_weights, (width, 2 * inner))
        down = self.param("down", initial_weights, (inner, width))
        gate, up = jnp.split(x @ gate_up, 2, axis=-1)
        return (jax.nn.gelu(gate, approximate=True) * up) @ down


class RMSNorm(nn.Module):
    """x / rms(x) · (1 + weight): a weight of zero leaves the scale at one."""

    epsilon: float

    @nn.compact
    def __call__(self, x: Array) -> Array:
        weight = self.param("weight", nn.initializers.zeros, (x.shape[-1],))
        mean_square = jnp.mean(jnp.square(x), axis=-1, keepdims=True)
        return x * jax.lax.rsqrt(mean_square + self.epsilon) * (1.0 + weight)


class Rotations(NamedTuple):
    """Sine and cosine, each [B, 1, L, D / 2], for local and for global layers."""

    nearby: tuple[Array, Array]
    everywhere: tuple[Array, Array]


def rotations(shape: ModelShape, positions: Array) -> Rotations:
    """Rotary angles of `positions` [B, L] (arXiv:2104.09864), computed once for all layers."""
    exponents = jnp.arange(0, shape.head_dim, 2, dtype=jnp.float32) / shape.head_dim

    def sine_cosine(theta: float) -> tuple[Array, Array]:
        angles = positions[:, None, :, None].astype(jnp.float32) / theta**exponents
        return jnp.sin(angles), jnp.cos(angles)

    return Rotations(nearby=sine_cosine(shape.local_theta), everywhere=sine_cosine(shape.global_theta))


def rotate(x: Array, sine: Array, cosine: Array) -> Array:
    """Turn the pairs (i, i + D/2) of `x` [B, heads, L, D] by their angles."""
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def init_params(shape: ModelShape, seed: int) -> Params:
    """Fresh parameters: every matrix normal(0, 0.02), every norm zero. The same seed gives the same numbers."""
    model, nothing = Gemma3(shape), jnp.zeros((1, 1), jnp.int32)
    return jax.jit(lambda key: model.init(key, nothing, nothing, nothing)["params"])(jax.random.key(seed))
