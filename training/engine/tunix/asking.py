"""Models of Tunix's own families, asked: the likeliest answer, and what the model makes of a reference.

Every token computes its sequence anew, by the forward pass that training uses: slow, and right for every family.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from training.engine.model import Params
from training.engine.sampling import Generation, Rules
from training.engine.tunix import forms
from training.engine.tunix.forms import Form, Tree, arrays
from training.packing import Batch

BATCH = 32  # prompts that are answered together
STEP = 32  # sequences are rounded up to a multiple of this, so that few shapes are compiled


def answers(form: Form, params: Params, prompts: Sequence[list[int]], rules: Rules) -> Iterator[dict[int, Generation]]:
    """The likeliest continuations by their prompt's place, those of prompts of similar length together."""
    places = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    for first in range(0, len(places), BATCH):
        chunk = places[first : first + BATCH]
        yield dict(zip(chunk, _continued(form, params, [prompts[place] for place in chunk], rules), strict=True))


def _continued(form: Form, params: Params, prompts: list[list[int]], rules: Rules) -> list[Generation]:
    length = -(-(max(map(len, prompts)) + rules.max_new_tokens) // STEP) * STEP
    tokens = np.full((len(prompts), length), rules.pad_id, np.int32)
    for line, prompt in enumerate(prompts):
        tokens[line, : len(prompt)] = prompt
    ends = np.array([len(prompt) for prompt in prompts], np.int32)
    written = np.asarray(_generate(params, form.frozen, tokens, ends, form, rules)).tolist()
    lines = zip(written, ends.tolist(), strict=True)
    return [_cut(line[end : end + rules.max_new_tokens], rules.stop_id) for line, end in lines]


def token_losses(form: Form, params: Params, batch: Batch) -> np.ndarray:
    """The loss [B, L] at each place of a batch."""
    return np.asarray(_losses(params, form.frozen, arrays(batch), form))


@partial(jax.jit, static_argnames="form")
def _losses(params: Params, frozen: Tree, batch: dict[str, Array], form: Form) -> Array:
    return forms.token_losses(form.merged(params, frozen), batch)


@partial(jax.jit, static_argnames=("form", "rules"))
def _generate(
    params: Params,
    frozen: Tree,
    tokens: Array,
    ends: Array,
    form: Form,
    rules: Rules,
) -> Array:
    """`tokens` [B, L], whose prompts end before `ends` [B], with the answers written behind them."""
    lines, column = jnp.arange(len(tokens)), jnp.arange(tokens.shape[1])
    causal = jnp.broadcast_to(column[:, None] >= column, (len(tokens), len(column), len(column)))
    places = jnp.broadcast_to(column, tokens.shape)

    def next_token(state: tuple) -> tuple:
        count, tokens, done = state
        logits, _ = form.merged(params, frozen)(tokens, places, None, causal)
        likeliest = jnp.argmax(logits[lines, ends + count - 1].at[:, rules.pad_id].set(-jnp.inf), axis=-1)
        token = jnp.where(done, rules.pad_id, likeliest.astype(jnp.int32))
        return count + 1, tokens.at[lines, ends + count].set(token), done | (token == rules.stop_id)

    def unfinished(state: tuple) -> Array:
        return (state[0] < rules.max_new_tokens) & ~state[2].all()

    return jax.lax.while_loop(unfinished, next_token, (0, tokens, jnp.zeros(len(tokens), bool)))[1]


def _cut(tokens: list[int], stop_id: int) -> Generation:
    if stop_id in tokens:
        return Generation(tokens[: tokens.index(stop_id)], "stop")
    return Generation(tokens, "length")
