from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.training.engine.models import SMALL_SHAPE, batch_of, random_params, random_rows
from training.config import LORA_TARGETS, LoraConfig, TrainingConfig
from training.engine.checkpoint import params_sha256
from training.engine.lora import init_adapters, merge, variables
from training.engine.model import Gemma3
from training.engine.step import Wrapping, init_state, make_eval_loss, make_optimizer, make_train_step
from training.shapes import adapter_count, projections

LORA = LoraConfig(rank=3, alpha=6.0)
BASE = random_params(SMALL_SHAPE)
ROWS = random_rows(SMALL_SHAPE, [9, 14, 5, 11, 7])
BATCH = batch_of([[ROWS[0]], [ROWS[1], ROWS[4]], [ROWS[2], ROWS[3]]], 24)
PLAIN_SGD = optax.sgd(1.0)  # an update is the negative gradient


@jax.jit
def logits(variables):
    return Gemma3(SMALL_SHAPE).apply(variables, BATCH.tokens, BATCH.positions, BATCH.segments)


def beside(lora: LoraConfig):
    return partial(variables, shape=SMALL_SHAPE, lora=lora, seed=1)


def random_adapters(lora: LoraConfig, seed: int = 1):
    """Adapters that change what the model says, B included."""
    rng = np.random.default_rng(seed)
    fresh = jax.eval_shape(lambda: init_adapters(SMALL_SHAPE, lora, 0))
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.2, leaf.shape), jnp.float32), fresh)


def silent_but_for(target: str, adapters):
    """The same adapters with every B zero except that of one target."""
    return {
        block: {name: pair | {"b": pair["b"] * (name == target)} for name, pair in pairs.items()}
        for block, pairs in adapters.items()
    }


def updates(adapters, lora: LoraConfig, *done: int, microbatch: int = 2) -> list:
    """The gradient of the adapters and the metrics of an update after so many others, for each of `done`."""
    step = make_train_step(SMALL_SHAPE, PLAIN_SGD, microbatch=microbatch, wrapping=Wrapping(BASE, beside(lora)))
    found = []
    for number in done:
        state = init_state(jax.tree.map(jnp.array, adapters), PLAIN_SGD).replace(step=jnp.asarray(number, jnp.int32))
        after, metrics = step(state, BATCH)
        gradient = jax.tree.map(lambda old, new: old - np.asarray(new), adapters, after.params)
        found.append((gradient, metrics))
    return found


@pytest.mark.parametrize("targets", [LORA_TARGETS, ("v_proj",), ("o_proj", "up_proj")])
def test_only_the_targets_named_get_adapters_of_the_rank_named(targets):
    lora = replace(LORA, targets=targets)
    tree = jax.eval_shape(lambda: init_adapters(SMALL_SHAPE, lora, 0))
    sizes = projections(SMALL_SHAPE)
    assert len(tree) == SMALL_SHAPE.layers
    for adapters in tree.values():
        shapes = {target: (pair["a"].shape, pair["b"].shape) for target, pair in adapters.items()}
        assert shapes == {target: ((sizes[target][0], 3), (3, sizes[target][1])) for target in targets}
    assert sum(leaf.size for leaf in jax.tree.leaves(tree)) == adapter_count(SMALL_SHAPE, 3, targets)


def test_fresh_adapters_are_drawn_as_peft_draws_them_and_follow_the_seed():
    lora = replace(LORA, rank=64)
    adapters, same, other = (init_adapters(SMALL_SHAPE, lora, seed) for seed in (1, 1, 2))
    assert params_sha256(adapters) == params_sha256(same) != params_sha256(other)
    for target, pair in adapters["block_0"].items():
        bound = projections(SMALL_SHAPE)[target][0] ** -0.5  # kaiming_uniform_(a=√5)
        assert 0.95 * bound < float(jnp.abs(pair["a"]).max()) <= bound
        assert float(pair["a"].std()) == pytest.approx(bound / 3**0.5, rel=0.1)
        assert not pair["b"].any()
    assert (adapters["block_0"]["q_proj"]["a"] != adapters["block_1"]["q_proj"]["a"]).all()


def test_fresh_adapters_of_a_target_do_not_depend_on_the_other_targets():
    alone = init_adapters(SMALL_SHAPE, replace(LORA, targets=("up_proj",)), 1)
    together = init_adapters(SMALL_SHAPE, LORA, 1)
    assert (alone["block_1"]["up_proj"]["a"] == together["block_1"]["up_proj"]["a"]).all()


def test_before_the_first_update_the_model_is_its_base():
    adapted = logits(beside(LORA)(init_adapters(SMALL_SHAPE, LORA, 1), BASE, None))
    np.testing.assert_allclose(adapted, logits({"params": BASE}), atol=1e-6)


def test_merged_adapters_do_what_they_did_beside_each_target():
    base = logits({"params": BASE})
    for target in LORA_TARGETS:
        adapters = silent_but_for(target, random_adapters(LORA))
        adapted = logits(beside(LORA)(adapters, BASE, None))
        merged = logits({"params": merge(adapters, BASE, shape=SMALL_SHAPE, lora=LORA)})
        assert float(jnp.abs(adapted - base).max()) > 0.01, target
        np.testing.assert_allclose(merged, adapted, atol=1e-5, err_msg=target)


def test_a_matrix_of_which_a_part_is_no_target_keeps_that_part():
    lora = replace(LORA, targets=("k_proj", "up_proj"))
    adapters = random_adapters(lora)
    params = merge(adapters, BASE, shape=SMALL_SHAPE, lora=lora)
    np.testing.assert_allclose(logits({"params": params}), logits(beside(lora)(adapters, BASE, None)), atol=1e-5)
    heads, keys = SMALL_SHAPE.heads, SMALL_SHAPE.kv_heads
    moved = (params["block_0"]["attention"]["qkv"] != BASE["block_0"]["attention"]["qkv"]).any(axis=(0, 2))
    assert np.flatnonzero(moved).tolist() == list(range(heads, heads + keys))
    assert (params["block_0"]["mlp"]["down"] == BASE["block_0"]["mlp"]["down"]).all()


def test_alpha_over_rank_scales_what_adapters_add():
    adapters = random_adapters(LORA)
    doubled = jax.tree.map_with_path(lambda path, leaf: leaf * (2 if path[-1].key == "b" else 1), adapters)
    told = logits(beside(replace(LORA, alpha=2 * LORA.alpha))(adapters, BASE, None))
    np.testing.assert_allclose(told, logits(beside(LORA)(doubled, BASE, None)), atol=1e-5)
    change = (
        merge(adapters, BASE, shape=SMALL_SHAPE, lora=LORA)["block_0"]["mlp"]["down"] - BASE["block_0"]["mlp"]["down"]
    )
    pair = adapters["block_0"]["down_proj"]
    np.testing.assert_allclose(change, LORA.alpha / LORA.rank * pair["a"] @ pair["b"], atol=1e-5)


def test_the_gradient_is_that_of_the_merged_model():
    adapters = random_adapters(LORA)
    ((gradient, metrics),) = updates(adapters, LORA, 0)
    total, tokens = make_eval_loss(SMALL_SHAPE)(merge(adapters, BASE, shape=SMALL_SHAPE, lora=LORA), BATCH)
    assert float(metrics["loss"]) == pytest.approx(float(total / tokens), rel=1e-5)

    @jax.grad
    def expected(adapters):
        params = merge(adapters, BASE, shape=SMALL_SHAPE, lora=LORA)
        out = Gemma3(SMALL_SHAPE).apply({"params": params}, BATCH.tokens, BATCH.positions, BATCH.segments)
        losses = optax.softmax_cross_entropy_with_integer_labels(out, BATCH.targets)
        return (losses * BATCH.loss_mask).sum() / BATCH.loss_mask.sum()

    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-5), gradient, jax.jit(expected)(adapters))


def test_dropout_follows_update_and_sequence_however_the_batch_is_divided():
    lora = replace(LORA, dropout=0.5)
    adapters = random_adapters(lora)
    (gradient, metrics), (_, again), (_, later) = updates(adapters, lora, 0, 0, 1, microbatch=3)
    ((divided, _),) = updates(adapters, lora, 0, microbatch=1)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-5), divided, gradient)
    assert metrics["loss"] == again["loss"] != later["loss"]


def test_dropout_leaves_the_share_it_says_and_keeps_the_mean():
    lora = LoraConfig(rank=1, alpha=1.0, dropout=0.25, targets=("down_proj",))
    placed = beside(lora)(random_adapters(lora), BASE, (jnp.asarray(0), jnp.arange(4)))["adapters"]
    adapter = placed["block_0"]["mlp"]["down"].replace(a=jnp.eye(64), b=jnp.eye(64))  # what it sees, as it is
    seen = np.asarray(adapter(jnp.ones((4, 200, 64))))
    assert set(np.unique(seen)) == {0, np.float32(1 / 0.75)}
    assert (seen == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert (seen[0] != seen[1]).any()


def test_a_look_at_the_valid_split_drops_nothing():
    lora = replace(LORA, dropout=0.9)
    adapters = random_adapters(lora)
    look = make_eval_loss(SMALL_SHAPE, wrapping=Wrapping(BASE, beside(lora)))
    merged = merge(adapters, BASE, shape=SMALL_SHAPE, lora=lora)
    assert float(look(adapters, BATCH)[0]) == pytest.approx(
        float(make_eval_loss(SMALL_SHAPE)(merged, BATCH)[0]), rel=1e-5
    )


def test_adapters_learn_and_the_base_stays_bit_for_bit():
    before, lora = params_sha256(BASE), replace(LORA, rank=8)
    optimizer = make_optimizer(TrainingConfig(learning_rate=2e-2, weight_decay=0.1), 40)
    step = make_train_step(SMALL_SHAPE, optimizer, wrapping=Wrapping(BASE, beside(lora)))
    state, losses = init_state(init_adapters(SMALL_SHAPE, lora, 1), optimizer), []
    for _ in range(40):
        state, metrics = step(state, BATCH)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < losses[0] / 2
    assert params_sha256(BASE) == before
    moments = sum(leaf.size for leaf in jax.tree.leaves(state.opt_state))
    assert moments < 2.1 * adapter_count(SMALL_SHAPE, 8, LORA_TARGETS)
