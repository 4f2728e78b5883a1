from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training.engine.models import SHAPE, SMALL_SHAPE, batch_of, random_params, random_rows, trained
from training.engine import sampling
from training.engine.choice import Choice
from training.engine.model import Gemma3
from training.engine.sampling import Generation, Rules, answers, generate

PAD, STOP = 0, 1
LENGTHS = [3, 17, 1, 30, 9, 22, 40, 33, 32, 5, 31]  # in the window, beyond it, around the tokens read at once
RULES = Rules(max_new_tokens=12, stop_id=STOP, pad_id=PAD)
WARM = Choice(temperature=0.8, top_k=20, top_p=0.9)


def uncached(params, shape, prompt, rules=RULES):
    """The same answer by a whole forward pass a token, over a fixed length: what follows a token cannot move it."""
    length = 64
    tokens = np.zeros(length, np.int32)
    tokens[: len(prompt)] = prompt
    for place in range(len(prompt), len(prompt) + rules.max_new_tokens):
        choice = np.array(whole_forward(params, shape, tokens)[place - 1])
        choice[PAD] = -np.inf
        tokens[place] = choice.argmax()
        if tokens[place] == rules.stop_id:
            return Generation(tokens[len(prompt) : place].tolist(), "stop")
    return Generation(tokens[len(prompt) : len(prompt) + rules.max_new_tokens].tolist(), "length")


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
    return SMALL_SHAPE, state.params, [row[:cut].tolist() for row in rows for cut in (len(row) // 2 + 1, 2)]


def test_every_prompt_gets_what_the_uncached_forward_gives_it(model):
    shape, params, prompts = model
    found = generate(jax.tree.map(np.asarray, params), shape, prompts, RULES, slots=5)  # as a checkpoint holds them
    assert found == [uncached(params, shape, prompt) for prompt in prompts]


@pytest.mark.parametrize(("choice", "stop_id"), [(Choice(), 35), (WARM, 4)], ids=["greedy", "drawn"])
def test_company_order_and_number_of_slots_and_streams_change_nothing(choice, stop_id):
    params, prompts = random_params(SHAPE), [row.tolist() for row in random_rows(SHAPE, LENGTHS)]
    rules = Rules(max_new_tokens=12, stop_id=stop_id, pad_id=PAD, choice=choice)
    keys = np.random.default_rng(0).integers(0, 2**32, (len(prompts), 2), np.uint32)
    found = generate(params, SHAPE, prompts, rules, keys=keys, slots=5, streams=1)
    assert {answer.finish_reason for answer in found} == {"stop", "length"}  # some slots are freed before others
    order = [4, 10, 0, 7, 2, 9, 5, 1, 8, 3, 6]
    shuffled = generate(params, SHAPE, [prompts[i] for i in order], rules, keys=keys[order], slots=9, streams=3)
    assert shuffled == [found[i] for i in order]
    alone = [generate(params, SHAPE, [prompts[i]], rules, keys=keys[[i]], slots=5)[0] for i in (0, 3, 6)]
    assert alone == [found[i] for i in (0, 3, 6)]


def test_a_drawn_answer_follows_its_key():
    params, prompt = random_params(SMALL_SHAPE), [2, 3, 4]
    rules = Rules(max_new_tokens=12, stop_id=STOP, pad_id=PAD, choice=Choice(temperature=1.0))
    keys = np.array([[1, 2], [1, 2], [3, 4]], np.uint32)
    first, same, other = generate(params, SMALL_SHAPE, [prompt] * 3, rules, keys=keys)
    assert first == same != other


def test_the_choice_among_one_token_is_the_greedy_one():
    params, prompts = random_params(SMALL_SHAPE), [row.tolist() for row in random_rows(SMALL_SHAPE, LENGTHS[:4])]
    greedy = generate(params, SMALL_SHAPE, prompts, RULES)
    for choice in (Choice(temperature=1.0, top_k=1), Choice(temperature=1.0, top_p=1e-6)):
        rules = Rules(max_new_tokens=12, stop_id=STOP, pad_id=PAD, choice=choice)
        assert generate(params, SMALL_SHAPE, prompts, rules) == greedy


def test_a_model_that_learned_to_stop_stops():
    row = np.array([5, 6, 7, 8, 9, STOP], np.int32)
    state, _ = trained(SMALL_SHAPE, batch_of([[row]], 8), updates=60)
    assert generate(state.params, SMALL_SHAPE, [[5, 6, 7, 8]], RULES) == [Generation([9], "stop")]


@pytest.mark.parametrize("choice", [Choice(), Choice(temperature=1.0)], ids=["greedy", "drawn"])
def test_pad_is_never_generated_however_likely(choice):
    params, rules = random_params(SMALL_SHAPE), Rules(max_new_tokens=12, stop_id=STOP, pad_id=PAD, choice=choice)
    prompts = [row.tolist() for row in random_rows(SMALL_SHAPE, LENGTHS)]
    tokens = [token for answer in generate(params, SMALL_SHAPE, prompts, rules) for token in answer.tokens]
    favourite = max(set(tokens), key=tokens.count)
    # The favourite token takes the pad's place in the vocabulary.
    embedding = params["embedding"]
    swapped = embedding.at[jnp.array([PAD, favourite])].set(embedding[jnp.array([favourite, PAD])])
    renamed = [[favourite if t == PAD else PAD if t == favourite else t for t in prompt] for prompt in prompts]
    after = generate({**params, "embedding": swapped}, SMALL_SHAPE, renamed, rules)
    assert all(PAD not in answer.tokens for answer in after)


@pytest.mark.parametrize("allowed", [1, 5])
def test_a_cut_answer_has_exactly_the_tokens_allowed_and_says_so(allowed):
    rules = Rules(max_new_tokens=allowed, stop_id=PAD, pad_id=PAD)
    (answer,) = generate(random_params(SMALL_SHAPE), SMALL_SHAPE, [[2, 3]], rules)
    assert (len(answer.tokens), answer.finish_reason) == (allowed, "length")


def test_answers_come_as_they_end_and_a_long_one_holds_up_no_other():
    params, prompts = random_params(SHAPE), [row.tolist() for row in random_rows(SHAPE, LENGTHS)]
    rules = Rules(max_new_tokens=40, stop_id=35, pad_id=PAD)
    told = list(answers(params, SHAPE, prompts, rules, slots=8))
    when = {row: look for look, ended in enumerate(told) for row in ended}
    written = {row: len(answer.tokens) for ended in told for row, answer in ended.items()}
    assert sorted(when) == list(range(len(prompts)))
    assert (written[6], written[7]) == (40, 2)  # of those that are taken first
    assert when[7] < when[6]


def test_no_prompts_give_no_answers_and_an_empty_prompt_is_refused():
    assert generate({}, SMALL_SHAPE, [], RULES) == []
    with pytest.raises(ValueError, match="no tokens"):
        generate({}, SMALL_SHAPE, [[2], []], RULES)


def test_prompts_of_many_lengths_compile_two_programs():
    sampling._read.clear_cache()
    sampling._write.clear_cache()
    prompts = [[2] * length for length in range(1, 65)]
    generate(random_params(SMALL_SHAPE), SMALL_SHAPE, prompts, RULES, slots=4)
    assert (sampling._read._cache_size(), sampling._write._cache_size()) == (1, 1)
