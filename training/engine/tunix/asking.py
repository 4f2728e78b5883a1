"""Models of Tunix's own families, asked: the likeliest answer, and what the model makes of a reference.

Every token computes its sequence anew, by the forward pass that training uses: slow, and right for every family. One
sequence's logits exist at a time, since a published vocabulary makes them large.
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

STEP = 64  # sequences are rounded up to a multiple of this, so that few shapes are compiled


def answers(form: Form, params: Params, prompts: Sequence[list[int]], rules: Rules) -> Iterator[dict[int, Generation]]:
    """The likeliest continuations by their prompt's place, one after the other: a stop is heard between them."""
    for place, prompt in enumerate(prompts):
        yield {place: _continued(form, params, prompt, rules)}


def _continued(form: Form, params: Params, prompt: list[int], rules: Rules) -> Generation:
    end = len(prompt)
    tokens = np.full(-(-(end + rules.max_new_tokens) // STEP) * STEP, rules.pad_id, np.int32)
    tokens[:end] = prompt
    written = np.asarray(_generate(params, form.frozen, tokens, end, form, rules)).tolist()
    return _cut(written[end : end + rules.max_new_tokens], rules.stop_id)


def token_losses(form: Form, params: Params, batch: Batch) -> np.ndarray:
    """The loss [B, L] at each place of a batch."""
    return np.asarray(_losses(params, form.frozen, arrays(batch), form))


@partial(jax.jit, static_argnames="form")
def _losses(params: Params, frozen: Tree, batch: dict[str, Array], form: Form) -> Array:
    def losses(row: dict[str, Array]) -> Array:
        alone = {name: array[None] for name, array in row.items()}
        return forms.token_losses(form.merged(params, frozen), alone)[0]

    return jax.lax.map(losses, batch)


@partial(jax.jit, static_argnames=("form", "rules"))
def _generate(
    params: Params,
    frozen: Tree,
    tokens: Array,
    end: Array,
    form: Form,
    rules: Rules,
) -> Array:
    """`tokens` [L], whose prompt ends before `end`, with the answer written behind it."""
    column = jnp.arange(len(tokens))
    causal = (column[:, None] >= column)[None]

    def next_token(state: tuple) -> tuple:
        count, tokens, _ = state
        logits, _ = form.merged(params, frozen)(tokens[None], column[None], None, causal)
        token = jnp.argmax(logits[0, end + count - 1].at[rules.pad_id].set(-jnp.inf)).astype(jnp.int32)
        return count + 1, tokens.at[end + count].set(token), token == rules.stop_id

    def unfinished(state: tuple) -> Array:
        return (state[0] < rules.max_new_tokens) & ~state[2]

    return jax.lax.while_loop(unfinished, next_token, (0, tokens, jnp.zeros((), bool)))[1]


def _cut(tokens: list[int], stop_id: int) -> Generation:
    if stop_id in tokens:
        return Generation(tokens[: tokens.index(stop_id)], "stop")
    return Generation(tokens, "length")
