import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.training.engine.models import SMALL_SHAPE, batch_of, random_params, random_rows, trained
from training.config import MICROBATCH, TrainingConfig
from training.engine.model import Gemma3
from training.engine.step import (
    TrainState,
    _split,
    learning_rate,
    make_eval_loss,
    make_optimizer,
    make_train_step,
)

ROWS = random_rows(SMALL_SHAPE, [9, 14, 5, 11, 7])
PACKED = batch_of([[ROWS[0], ROWS[1]], [ROWS[2], ROWS[3], ROWS[4]]], 24)
UNPACKED = batch_of([[row] for row in ROWS], 24)
PLAIN_SGD = optax.sgd(1.0)  # an update is the negative gradient


def one_update(batch, *, microbatch=MICROBATCH, dtype="float32"):
    """The gradient and metrics of one update on random parameters."""
    params = random_params(SMALL_SHAPE)
    step = make_train_step(SMALL_SHAPE, PLAIN_SGD, microbatch=microbatch, dtype=dtype)
    state = TrainState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.array, params), PLAIN_SGD.init(params))
    after, metrics = step(state, batch)
    return jax.tree.map(lambda old, new: old - np.asarray(new), params, after.params), metrics


def assert_close(tree, other, tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=tolerance), tree, other)


def test_packed_rows_have_the_loss_and_the_gradient_of_rows_alone():
    packed_gradient, packed = one_update(PACKED)
    gradient, alone = one_update(UNPACKED)
    assert packed["tokens"] == alone["tokens"] == PACKED.loss_mask.sum()
    assert float(packed["loss"]) == pytest.approx(float(alone["loss"]), abs=1e-5)
    assert_close(packed_gradient, gradient, 1e-5)


@pytest.mark.parametrize("microbatch", [1, 3])
def test_the_microbatch_changes_neither_the_loss_nor_the_update(microbatch):
    whole_gradient, whole = one_update(UNPACKED, microbatch=5)
    gradient, metrics = one_update(UNPACKED, microbatch=microbatch)
    assert float(metrics["loss"]) == pytest.approx(float(whole["loss"]), rel=1e-6)
    assert float(metrics["grad_norm"]) == pytest.approx(float(whole["grad_norm"]), rel=1e-5)
    np.testing.assert_allclose(metrics["losses"], whole["losses"], rtol=1e-5)
    assert_close(gradient, whole_gradient, 2e-6)


def test_fewer_sequences_than_a_microbatch_are_not_filled_up():
    assert _split({"tokens": UNPACKED.tokens[:1]}, 2, None)["tokens"].shape == (1, 1, 24)
    assert _split({"tokens": UNPACKED.tokens[:3]}, 2, None)["tokens"].shape == (2, 2, 24)


def test_the_loss_is_the_mean_over_trained_tokens_only():
    logits = Gemma3(SMALL_SHAPE).apply(
        {"params": random_params(SMALL_SHAPE)}, PACKED.tokens, PACKED.positions, PACKED.segments
    )
    losses = -np.take_along_axis(np.asarray(jax.nn.log_softmax(logits)), PACKED.targets[..., None], axis=-1)[..., 0]
    expected = losses[PACKED.loss_mask == 1].mean()
    gradient, metrics = one_update(PACKED)
    np.testing.assert_allclose(metrics["losses"], losses * PACKED.loss_mask, rtol=1e-4)
    assert float(metrics["loss"]) == pytest.approx(expected, rel=1e-5)
    norm = np.sqrt(sum(np.square(leaf).sum() for leaf in jax.tree.leaves(gradient)))
    assert float(metrics["grad_norm"]) == pytest.approx(norm, rel=1e-4)


def test_eval_loss_is_the_train_loss_times_its_tokens():
    total, tokens = make_eval_loss(SMALL_SHAPE)(random_params(SMALL_SHAPE), UNPACKED)
    assert float(total / tokens) == pytest.approx(float(one_update(UNPACKED)[1]["loss"]), rel=1e-6)


def test_a_batch_without_trained_tokens_moves_nothing():
    gradient, metrics = one_update(PACKED._replace(loss_mask=np.zeros_like(PACKED.loss_mask)))
    assert (float(metrics["loss"]), float(metrics["tokens"])) == (0, 0)
    assert all(not leaf.any() for leaf in jax.tree.leaves(gradient))


def test_two_runs_are_equal_bit_for_bit():
    rows = batch_of([[row] for row in random_rows(SMALL_SHAPE, [12] * 4)], 16)
    (state, losses), (again, same_losses) = (trained(SMALL_SHAPE, rows, updates=5) for _ in range(2))
    assert losses == same_losses
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, state, again)))


def test_a_tiny_model_learns_a_few_sequences_by_heart():
    rows = batch_of([[row] for row in random_rows(SMALL_SHAPE, [12] * 4)], 16)
    state, losses = trained(SMALL_SHAPE, rows, updates=150)
    assert losses[0] > 3
    assert losses[-1] < 0.05
    assert int(state.step) == 150


def test_in_bfloat16_gradients_are_nearly_those_of_float32():
    gradient, metrics = one_update(PACKED)
    rounded, near = one_update(PACKED, dtype="bfloat16")
    assert float(near["loss"]) == pytest.approx(float(metrics["loss"]), rel=0.01)
    assert float(near["loss"]) != float(metrics["loss"])
    apart = jax.tree.map(np.subtract, rounded, gradient)
    assert float(optax.tree.norm(apart)) < 0.05 * float(metrics["grad_norm"])


def test_in_bfloat16_a_model_learns_with_parameters_and_moments_in_float32():
    rows = batch_of([[row] for row in random_rows(SMALL_SHAPE, [12] * 4)], 16)
    state, losses = trained(SMALL_SHAPE, rows, updates=150, dtype="bfloat16")
    assert losses[-1] < 0.1
    kept = jax.tree.leaves((state.params, state.opt_state))
    assert {leaf.dtype for leaf in kept if leaf.ndim} == {np.dtype("float32")}
    total, tokens = make_eval_loss(SMALL_SHAPE, dtype="bfloat16")(state.params, rows)
    assert float(total / tokens) == pytest.approx(losses[-1], abs=0.05)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [("constant", [0.5, 1, 1, 1, 1]), ("linear", [0.5, 1, 0.75, 0.5, 0.25]), ("cosine", [0.5, 1, 0.854, 0.5, 0.146])],
)
def test_the_rate_rises_in_the_warm_up_and_then_follows_its_schedule(schedule, rates):
    rate = learning_rate(TrainingConfig(learning_rate=1.0, schedule=schedule, warmup=1), total_steps=5)
    assert [float(rate(step)) for step in range(5)] == pytest.approx(rates, abs=1e-3)


def test_weight_decay_shrinks_matrices_and_spares_norms():
    params = random_params(SMALL_SHAPE)
    optimizer = make_optimizer(TrainingConfig(learning_rate=0.1, schedule="constant", weight_decay=0.5), 10)
    nothing = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(nothing, optimizer.init(params), params)
    jax.tree.map(
        lambda update, param: np.testing.assert_allclose(update, -0.05 * param if param.ndim > 1 else 0, rtol=1e-5),
        updates,
        params,
    )


def test_a_large_gradient_is_cut_to_the_norm_given():
    params = {"matrix": jnp.zeros((2, 2))}
    small, large = ({"matrix": jnp.full((2, 2), size)} for size in (0.5, 500.0))
    optimizer = make_optimizer(TrainingConfig(grad_clip=1.0), 10)
    cut, uncut = (optimizer.update(gradient, optimizer.init(params), params)[0] for gradient in (large, small))
    np.testing.assert_allclose(cut["matrix"], uncut["matrix"], rtol=1e-6)


def test_a_larger_batch_takes_no_more_memory():
    def at_work(sequences: int) -> int:
        batch = batch_of([[row] for row in random_rows(SMALL_SHAPE, [25] * sequences)], 24)
        params = random_params(SMALL_SHAPE)
        state = TrainState(jnp.zeros((), jnp.int32), params, PLAIN_SGD.init(params))
        step = make_train_step(SMALL_SHAPE, PLAIN_SGD)
        compiled = step.compiled.lower(*step.arguments(state, batch)).compile()
        return compiled.memory_analysis().temp_size_in_bytes - sum(array.nbytes for array in batch)

    assert at_work(32) < 1.2 * at_work(4)
