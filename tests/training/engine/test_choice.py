import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.engine import choice
from training.engine.choice import Choice, draw

likeliest = jax.jit(choice.likeliest)
WEIGHTS = st.lists(st.floats(0, 1, width=32), min_size=8, max_size=8).filter(any)


@given(st.lists(st.sampled_from([-np.inf, -1.5, 0.0, 2.0, np.inf]), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_the_likeliest_is_the_first_of_the_largest(row):
    assert choice.first_largest(np.array([row], np.float32)).tolist() == [np.argmax(row)]


def test_a_row_that_is_no_number_still_gets_a_token_that_exists():
    assert choice.first_largest(np.array([[0, np.nan, 1], [2, 1, 0]], np.float32)).tolist() == [2, 0]


@given(WEIGHTS, st.integers(1, 8))
@settings(max_examples=50, deadline=None)
def test_the_k_likeliest_stay_and_ties_with_the_last_of_them(weights, k):
    row = np.array([weights], np.float32)
    kept = np.asarray(likeliest(row, np.ones_like(row), k))[0]
    smallest = sorted(weights, reverse=True)[k - 1]
    assert kept.tolist() == [weight if weight >= smallest else 0 for weight in weights]


@given(st.permutations([1, 2, 4, 8, 16, 32, 64, 128]), st.integers(0, 254))
@settings(max_examples=50, deadline=None)
def test_the_nucleus_is_the_fewest_that_hold_the_probability(weights, below):
    row, wanted = np.array([weights], np.float32), below + 0.5
    kept = np.asarray(likeliest(row, row, np.float32([wanted])))[0]
    least = kept[kept > 0].min()
    assert kept.sum() >= wanted > kept.sum() - least
    assert all(weight < least for weight, left in zip(weights, kept, strict=True) if not left)


def test_draws_are_as_frequent_as_their_weights():
    uniform = (jnp.arange(1000) + 0.5) / 1000
    drawn = np.asarray(draw(jnp.tile(jnp.array([0.0, 1.0, 0.0, 3.0, 0.0]), (1000, 1)), uniform))
    assert np.bincount(drawn, minlength=5).tolist() == [0, 250, 0, 750, 0]
    assert draw(jnp.array([[0.0, 1.0, 0.0]]), jnp.ones(1)).tolist() == [1]


@pytest.mark.parametrize(
    ("choice", "shares"),
    [
        (Choice(temperature=1.0), [0.5, 0.3, 0.15, 0.05]),
        (Choice(temperature=0.5), [0.6849, 0.2466, 0.0616, 0.0068]),
        (Choice(temperature=1.0, top_k=2), [0.625, 0.375, 0, 0]),
        (Choice(temperature=1.0, top_p=0.7), [0.625, 0.375, 0, 0]),
        (Choice(temperature=1.0, top_k=3, top_p=0.85), [0.5263, 0.3158, 0.1579, 0]),
        (Choice(), [1, 0, 0, 0]),
    ],
)
def test_tokens_are_drawn_as_the_choice_says(choice, shares):
    number = 20_000
    logits = jnp.tile(jnp.log(jnp.array([0.5, 0.3, 0.15, 0.05])), (number, 1))
    keys = jnp.stack([jnp.arange(number, dtype=jnp.uint32), jnp.zeros(number, jnp.uint32)], axis=1)
    drawn = np.asarray(choice(logits, keys, jnp.zeros(number, jnp.int32)))
    assert np.bincount(drawn, minlength=4) / number == pytest.approx(shares, abs=0.015)


def test_each_token_of_an_answer_is_a_draw_of_its_own():
    logits, keys = jnp.zeros((200, 64)), jnp.tile(jnp.array([[5, 6]], jnp.uint32), (200, 1))
    drawn = np.asarray(Choice(temperature=1.0)(logits, keys, jnp.arange(200)))
    assert len(set(drawn.tolist())) > 50
