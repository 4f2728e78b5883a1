"""Which token comes next: the likeliest, or one drawn at a temperature from the top k or the nucleus."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array


@dataclass(frozen=True)
class Choice:
    """How a token is chosen. A temperature of 0 means the likeliest, whatever the rest says."""

    temperature: float = 0.0
    top_k: int | None = None  # draw among the k likeliest (Fan et al. 2018, arXiv:1805.04833)
    top_p: float = 1.0  # of these, among the fewest that hold this much probability (Holtzman et al. 2019, 1904.09751)

    def __call__(self, logits: Array, keys: Array, index: Array) -> Array:
        """A token [B] for each row of `logits` [B, V]; the draw is a function of its key [B, 2] and `index` [B]."""
        if self.temperature == 0:
            return first_largest(logits)
        weights = jnp.exp((logits - logits.max(axis=-1, keepdims=True)) / self.temperature)
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            weights = likeliest(weights, jnp.ones_like(weights), self.top_k)
        if self.top_p < 1:
            weights = likeliest(weights, weights, self.top_p * weights.sum(axis=-1))
        return draw(weights, jax.vmap(_uniform)(keys, index))


GREEDY = Choice()


def first_largest(logits: Array) -> Array:
    """The index [B] of the largest of each row [B, V], the first of equals: argmax, in two passes quick on a CPU.

    A row with NaN in it gets the last token.
    """
    places, last = jnp.arange(logits.shape[-1], dtype=jnp.int32), logits.shape[-1] - 1
    return jnp.where(logits == logits.max(axis=-1, keepdims=True), places, last).min(axis=-1)


def likeliest(weights: Array, amounts: Array, enough: Array | float) -> Array:
    """`weights` [B, V] with all but the largest of each row at 0: as many as have `amounts` [B, V] of `enough` [B].

    Equal ones stay or go together. A search for the smallest weight that stays: sorting a vocabulary costs more.
    """

    def halve(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = low + (high - low) // 2
        holds = jnp.where(_bits(weights) >= middle[:, None], amounts, 0).sum(axis=-1) >= enough
        return jnp.where(holds, middle, low), jnp.where(holds, high, middle)

    # Floats that are not negative are ordered as their bits are.
    bounds = jnp.zeros(len(weights), jnp.int32), _bits(weights).max(axis=-1) + 1
    smallest, _ = jax.lax.fori_loop(0, 31, halve, bounds)
    return jnp.where(_bits(weights) >= smallest[:, None], weights, 0)


def draw(weights: Array, uniform: Array) -> Array:
    """A token [B] with probability as its weight [B, V]: where the running sum passes a `uniform` [B] share of it."""
    below = jnp.cumsum(weights, axis=-1)
    reached = below > uniform[:, None] * below[:, -1:]
    last = weights.shape[-1] - 1 - jnp.argmax(weights[:, ::-1] > 0, axis=-1)  # if rounding lets none be reached
    return jnp.where(reached.any(axis=-1), jnp.argmax(reached, axis=-1), last).astype(jnp.int32)


def _uniform(key: Array, index: Array) -> Array:
    return jax.random.uniform(jax.random.fold_in(jax.random.wrap_key_data(key), index))


def _bits(weights: Array) -> Array:
    return jax.lax.bitcast_convert_type(weights.astype(jnp.float32), jnp.int32)
