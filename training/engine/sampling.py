"""Greedy generation: one compiled loop over a batch of prompts, which ends when every answer has."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from training.engine.model import Gemma3, Params
from training.shapes import ModelShape

PROMPT_STEP = 32  # prompt lengths are rounded up to a multiple of this, so that few shapes are compiled


class Generation(NamedTuple):
    """An answer: its tokens without the stop token, and whether it ended by itself ("stop") or was cut ("length")."""

    tokens: list[int]
    finish_reason: str


def generate(
    params: Params,
    shape: ModelShape,
    prompts: list[list[int]],
    *,
    max_new_tokens: int,
    stop_id: int,
    pad_id: int,
    batch_size: int,
) -> list[Generation]:
    """The most likely continuation of each prompt, in the order of `prompts`.

    A prompt gets the tokens it would get alone. `pad_id` is never generated. Raises ValueError on an empty prompt.
    """
    if not all(prompts):
        raise ValueError("a prompt has no tokens")
    answers: dict[int, Generation] = {}
    for rows in _alike(prompts, batch_size):
        tokens, start = _left_padded([prompts[row] for row in rows], batch_size, pad_id)
        written = _generate(params, tokens, start, shape, max_new_tokens, stop_id, pad_id)
        answers |= zip(rows, (_cut(answer, stop_id) for answer in np.asarray(written).tolist()), strict=False)
    return [answers[row] for row in range(len(prompts))]


@partial(jax.jit, static_argnames=("shape", "max_new_tokens", "stop_id", "pad_id"))
def _generate(
    params: Params, tokens: Array, start: Array, shape: ModelShape, max_new_tokens: int, stop_id: int, pad_id: int
) -> Array:
    """Answers [B, max_new_tokens] to left-padded prompts [B, P] whose first tokens stand at `start` [B]."""
    model, length = Gemma3(shape).bind({"params": params}), tokens.shape[1]
    never = jnp.zeros(shape.vocab_size).at[pad_id].set(-jnp.inf)

    def choose(logits: Array) -> Array:
        return jnp.argmax(logits + never, axis=-1).astype(jnp.int32)

    def unfinished(state: tuple) -> Array:
        count, _, done, _, _ = state
        return (count < max_new_tokens) & ~done.all()

    def next_token(state: tuple) -> tuple:
        count, token, done, answers, memory = state
        index = length + count - 1
        logits, memory = model.decode(token, start, index, memory)
        token = jnp.where(done, pad_id, choose(logits))
        return count + 1, token, done | (token == stop_id), answers.at[:, count].set(token), memory

    column = jnp.arange(length)
    x, memory = model.hidden(tokens, column - start[:, None], (column >= start[:, None]).astype(jnp.int32))
    memory = jax.tree.map(lambda past: jnp.pad(past, ((0, 0), (0, 0), (0, max_new_tokens), (0, 0))), memory)
    token = choose(model.logits(x[:, -1]))
    token = jnp.where(start == length, stop_id, token)  # rows that only fill the batch are done at once
    answers = jnp.full((len(tokens), max_new_tokens), pad_id, jnp.int32).at[:, 0].set(token)
    return jax.lax.while_loop(unfinished, next_token, (1, token, token == stop_id, answers, memory))[3]


def _alike(prompts: list[list[int]], batch_size: int) -> Iterator[list[int]]:
    """Rows in batches of similar prompt length, so that little is padded."""
    rows = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
    for first in range(0, len(rows), batch_size):
        yield rows[first : first + batch_size]


def _left_padded(prompts: list[list[int]], batch_size: int, pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [batch_size, P] with each prompt at the right end, and where each starts (P for rows without one)."""
    length = -(-max(map(len, prompts)) // PROMPT_STEP) * PROMPT_STEP
    tokens = np.full((batch_size, length), pad_id, np.int32)
    start = np.full(batch_size, length, np.int32)
    for row, prompt in enumerate(prompts):
        start[row] = length - len(prompt)
        tokens[row, start[row] :] = prompt
    return tokens, start


def _cut(tokens: list[int], stop_id: int) -> Generation:
    if stop_id in tokens:
        return Generation(tokens[: tokens.index(stop_id)], "stop")
    return Generation(tokens, "length")
