from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training.engine.models import SHAPE, SMALL_SHAPE, batch_of, random_params, random_rows, trained
from training.engine import sampling
from training.engine.model import Gemma3
from training.engine.sampling import Generation, generate

PAD, STOP = 0, 1
LENGTHS = [3, 17, 1, 30, 9, 22]


def answers(params, shape, prompts, *, batch_size=4, max_new_tokens=12, stop_id=STOP):
    return generate(
        params,
        shape,
        prompts,
        max_new_tokens=max_new_tokens,
        stop_id=stop_id,
        pad_id=PAD,
        batch_size=batch_size,
    )


def uncached(params, shape, prompt, *, max_new_tokens=12, stop_id=STOP):
    """The same answer by a whole forward pass a token, over a fixed length: what follows a token cannot move it."""
    length = 48
    tokens = np.zeros(length, np.int32)
    tokens[: len(prompt)] = prompt
    for place in range(len(prompt), len(prompt) + max_new_tokens):
        choice = np.array(whole_forward(params, shape, tokens)[place - 1])
        choice[PAD] = -np.inf
        tokens[place] = choice.argmax()
        if tokens[place] == stop_id:
            return Generation(tokens[len(prompt) : place].tolist(), "stop")
    return Generation(tokens[len(prompt) : len(prompt) + max_new_tokens].tolist(), "length")


@partial(jax.jit, static_argnums=1)
def whole_forward(params, shape, tokens):
    place, segments = jnp.arange(len(tokens)), jnp.ones((1, len(tokens)), jnp.int32)
    return Gemma3(shape).apply({"params": params}, tokens[None], place[None], segments)[0]


@pytest.fixture(scope="module", params=["random", "trained"])
def model(request):
    """A shape, its parameters and prompts of many lengths; the trained one ends some answers by itself."""
    if request.param == "random":
        return SHAPE, random_params(SHAPE), [row.tolist() for row in random_rows(SHAPE, LENGTHS)]
    rows = [np.append(row, STOP) for row in random_rows(SMALL_SHAPE, [8, 12, 16, 10])]
    state, _ = trained(SMALL_SHAPE, batch_of([[row] for row in rows], 20), updates=80)
    return SMALL_SHAPE, state.params, [row[: len(row) // 2 + 1].tolist() for row in rows]


def test_a_batch_of_many_lengths_gets_what_each_prompt_gets_alone_and_uncached(model):
    shape, params, prompts = model
    together = answers(params, shape, prompts)
    assert together == [answers(params, shape, [prompt], batch_size=1)[0] for prompt in prompts]
    assert together == [uncached(params, shape, prompt) for prompt in prompts]


def test_a_model_that_learned_to_stop_stops():
    row = np.array([5, 6, 7, 8, 9, STOP], np.int32)
    state, _ = trained(SMALL_SHAPE, batch_of([[row]], 8), updates=60)
    assert answers(state.params, SMALL_SHAPE, [[5, 6, 7, 8]]) == [Generation([9], "stop")]


def test_pad_is_never_generated_however_likely():
    params = random_params(SMALL_SHAPE)
    prompts = [row.tolist() for row in random_rows(SMALL_SHAPE, LENGTHS)]
    tokens = [token for answer in answers(params, SMALL_SHAPE, prompts) for token in answer.tokens]
    favourite = max(set(tokens), key=tokens.count)
    # The favourite token takes the pad's place in the vocabulary.
    embedding = params["embedding"]
    swapped = embedding.at[jnp.array([PAD, favourite])].set(embedding[jnp.array([favourite, PAD])])
    renamed = [[favourite if t == PAD else PAD if t == favourite else t for t in prompt] for prompt in prompts]
    after = answers({**params, "embedding": swapped}, SMALL_SHAPE, renamed)
    assert all(PAD not in answer.tokens for answer in after)


def test_a_cut_answer_has_exactly_the_tokens_allowed_and_says_so():
    (answer,) = answers(random_params(SMALL_SHAPE), SMALL_SHAPE, [[2, 3]], max_new_tokens=5, stop_id=PAD)
    assert (len(answer.tokens), answer.finish_reason) == (5, "length")


def test_no_prompts_give_no_answers_and_an_empty_prompt_is_refused():
    assert answers({}, SMALL_SHAPE, []) == []
    with pytest.raises(ValueError, match="no tokens"):
        answers({}, SMALL_SHAPE, [[2], []])


def test_prompts_of_many_lengths_compile_few_shapes():
    sampling._generate.clear_cache()
    params = random_params(SMALL_SHAPE)
    answers(params, SMALL_SHAPE, [[2] * length for length in range(1, 65)], batch_size=4, max_new_tokens=3)
    assert sampling._generate._cache_size() == 2
