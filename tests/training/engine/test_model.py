from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training.engine.models import SHAPE, SMALL_SHAPE, random_params
from training.engine import model as model_module
from training.engine.model import MASKED, Gemma3, attend, init_params, multiply
from training.shapes import SIZES, model_shape, parameter_count

LENGTH = 24


@pytest.fixture(scope="module")
def logits():
    """`logits(tokens, segments) -> [L, V]` of one sequence of LENGTH tokens."""
    params = random_params(SHAPE)
    apply = jax.jit(lambda *arrays: Gemma3(SHAPE).apply({"params": params}, *(array[None] for array in arrays))[0])

    def of(tokens, segments):
        starts = np.flatnonzero(np.diff(segments, prepend=-1))
        positions = np.arange(LENGTH) - starts[np.searchsorted(starts, np.arange(LENGTH), side="right") - 1]
        return np.asarray(apply(jnp.array(tokens), jnp.array(positions), jnp.array(segments)))

    return of


@pytest.fixture
def tokens():
    return np.random.default_rng(1).integers(1, SHAPE.vocab_size, LENGTH)


def places_moved(logits, tokens, segments, changed):
    """Where the logits differ after the token at `changed` became another one."""
    other = tokens.copy()
    other[changed] = tokens[changed] % (SHAPE.vocab_size - 1) + 1
    moved = np.abs(logits(tokens, segments) - logits(other, segments)).max(axis=-1)
    return set(np.flatnonzero(moved).tolist())


@pytest.mark.parametrize("changed", [0, 7, LENGTH - 1])
def test_a_token_moves_itself_and_every_later_one_and_no_earlier(logits, tokens, changed):
    one_segment = np.ones(LENGTH, np.int32)
    assert places_moved(logits, tokens, one_segment, changed) == set(range(changed, LENGTH))


@pytest.mark.parametrize(("changed", "end"), [(2, 9), (9, 17), (16, 17), (20, LENGTH)])
def test_a_token_moves_nothing_in_another_segment(logits, tokens, changed, end):
    segments = np.repeat([1, 2, 0], [9, 8, 7])
    assert places_moved(logits, tokens, segments, changed) == set(range(changed, end))


def test_a_local_layer_sees_its_window_and_nothing_before():
    """With one local layer, a token moves `window` places: itself and window − 1 after it."""
    shape = replace(SHAPE, layers=1)
    variables, apply = {"params": random_params(shape)}, Gemma3(shape).apply
    place, segments = jnp.arange(LENGTH)[None], jnp.ones((1, LENGTH), jnp.int32)
    before = jnp.ones((1, LENGTH), jnp.int32)
    moved = apply(variables, before, place, segments) != apply(variables, before.at[0, 5].set(3), place, segments)
    assert np.flatnonzero(moved[0].any(axis=-1)).tolist() == list(range(5, 5 + shape.window))


@pytest.mark.parametrize("chunk", [5, 8])
def test_chunks_of_queries_change_nothing(monkeypatch, tokens, chunk):
    params, segments = random_params(SMALL_SHAPE), jnp.ones((1, LENGTH), jnp.int32)
    arrays = (jnp.array(tokens)[None] % SMALL_SHAPE.vocab_size, jnp.arange(LENGTH)[None], segments)
    whole = Gemma3(SMALL_SHAPE).apply({"params": params}, *arrays)
    monkeypatch.setattr(model_module, "QUERY_CHUNK", chunk)
    np.testing.assert_allclose(Gemma3(SMALL_SHAPE).apply({"params": params}, *arrays), whole, atol=2e-5)


@pytest.mark.parametrize("size", SIZES)
def test_parameter_count_is_the_size_of_the_real_tree(size):
    shape = model_shape(size, 512)
    tree = jax.eval_shape(lambda: init_params(shape, 0))
    assert sum(leaf.size for leaf in jax.tree.leaves(tree)) == parameter_count(shape)


def test_fresh_parameters_follow_the_seed_and_no_matrix_is_zero():
    params, same, other = (init_params(SMALL_SHAPE, seed) for seed in (1, 1, 2))
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, params, same)))
    for leaf, different in zip(jax.tree.leaves(params), jax.tree.leaves(other), strict=True):
        if leaf.ndim > 1:
            assert 0.018 < float(leaf.std()) < 0.022
            assert not np.array_equal(leaf, different)


def test_every_bit_of_a_seed_counts():
    low, high = (init_params(SMALL_SHAPE, seed)["embedding"] for seed in (1, 1 + 2**32))
    assert (low != high).any()


def test_the_gradients_written_out_are_those_that_follow_from_the_formulas():
    queries, keys, values, sent = (
        jax.random.normal(jax.random.key(n), shape)
        for n, shape in enumerate([(2, 3, 2, 5, 4), (2, 3, 7, 4), (2, 3, 7, 4), (2, 3, 2, 5, 4)])
    )
    bias = jnp.where(jnp.arange(7) <= jnp.arange(5)[:, None] + 2, 0.0, MASKED)[None].repeat(2, axis=0)

    def attended(queries, keys, values):
        scores = jnp.einsum("bkgtd,bksd->bkgts", queries, keys) + bias[:, None, None]
        return jnp.einsum("bkgts,bksd->bkgtd", jax.nn.softmax(scores), values)

    check_same_gradients(lambda *of: attend(*of, bias), attended, [queries, keys, values], sent)
    for wide, thin in [(6, 2), (2, 6)]:  # the larger factor is never turned, whichever it is
        x, matrix = jax.random.normal(jax.random.key(4), (2, 5, wide)), jnp.linspace(-1, 1, wide * thin)
        check_same_gradients(multiply, jnp.matmul, [x, matrix.reshape(wide, thin)], jnp.ones((2, 5, thin)))


def test_the_gradients_of_attention_have_the_type_of_what_they_belong_to():
    given = [jax.random.normal(jax.random.key(n), (1, 2, *rest, 4)) for n, rest in enumerate([(1, 3), (3,), (3,)])]
    sent, bias = jnp.ones_like(given[0]), jnp.zeros((1, 3, 3))
    exact = jax.vjp(lambda *of: attend(*of, bias), *given)[1](sent)
    mixed, back = jax.vjp(lambda *of: attend(*of, bias), *(array.astype(jnp.bfloat16) for array in given))
    assert mixed.dtype == jnp.float32
    for found, wanted in zip(back(sent), exact, strict=True):
        assert found.dtype == jnp.bfloat16
        np.testing.assert_allclose(found.astype(jnp.float32), wanted, rtol=0.05, atol=0.05)


def check_same_gradients(ours, derived, given, sent):
    for found, wanted in zip(jax.vjp(ours, *given)[1](sent), jax.vjp(derived, *given)[1](sent), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
