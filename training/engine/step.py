"""One update of the parameters, compiled once: gradients gathered over small microbatches, then AdamW."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import Array
from jax.sharding import Mesh

from training.config import MICROBATCH, TrainingConfig
from training.engine.mesh import everywhere, held, keep, share
from training.engine.model import Gemma3, Params, Place
from training.shapes import ModelShape

THIN = 128  # widths up to this

Batch = Any  # has tokens, targets, positions, segments (int32 [B, L]) and loss_mask (float32 [B, L])
Metrics = dict[str, Array]


class Wrapping(NamedTuple):
    """How a model is made of what is trained and what is not.

    `variables(trained, frozen, place)` is what `Gemma3.apply` takes; at a `place` in training, what is drawn by chance
    follows from it, and without one nothing is.
    """

    frozen: Params
    variables: Callable[[Params, Params, Place | None], dict[str, Any]]


UNWRAPPED = Wrapping({}, lambda trained, frozen, place: {"params": trained})


@struct.dataclass
class TrainState:
    """All that changes from update to update: how many were done, what is trained, optimiser state."""

    step: Array
    params: Params
    opt_state: optax.OptState


Step = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]  # consumes the state given


@dataclass(frozen=True)
class TrainStep:
    """One update as a function, compiled when it is first called: no part of another compiled function."""

    compiled: jax.stages.Wrapped
    frozen: Params
    mesh: Mesh | None

    def __call__(self, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        return self.compiled(*self.arguments(state, batch))

    def arguments(self, state: TrainState, batch: Batch) -> tuple[TrainState, Params, dict[str, Array]]:
        """What `compiled` takes."""
        return state, self.frozen, share(self.mesh, _arrays(batch))


def init_state(params: Params, optimizer: optax.GradientTransformation, mesh: Mesh | None = None) -> TrainState:
    """The state before the first update; with a `mesh`, which holds the parameters, its devices hold the rest alike."""

    def make(params: Params) -> TrainState:
        return TrainState(step=jnp.zeros((), jnp.int32), params=params, opt_state=optimizer.init(params))

    if mesh is None:
        return make(params)
    return jax.jit(make, out_shardings=held(mesh, jax.eval_shape(make, params)), donate_argnums=0)(params)


def make_train_step(
    shape: ModelShape,
    optimizer: optax.GradientTransformation,
    *,
    microbatch: int = MICROBATCH,
    dtype: str = "float32",
    wrapping: Wrapping = UNWRAPPED,
    mesh: Mesh | None = None,
) -> TrainStep:
    """`(state, batch) -> (state, metrics)`; the state given is consumed.

    The gradient is that of the mean loss per trained token of the whole batch, whatever the microbatch size. Forward
    and backward pass compute in `dtype`; parameters, the sum of the gradients and the optimiser are float32
    (arXiv:1710.03740).
    Metrics, on the device: that `loss`, its `grad_norm` before clipping, the number of trained `tokens`, and `losses`
    float32 [B, L]: what was summed, the loss at every place, 0 where none is trained.
    """
    gradient_of = jax.value_and_grad(_summed_loss(shape, dtype, wrapping), has_aux=True)

    def train_step(state: TrainState, frozen: Params, batch: dict[str, Array]) -> tuple[TrainState, Metrics]:
        def add_part(gathered: Any, part: dict[str, Array]) -> tuple[Any, Array]:
            (loss, losses), gradients = gradient_of(state.params, frozen, part, state.step)
            return jax.tree.map(jnp.add, gathered, (loss, gradients)), losses

        nothing = (jnp.zeros(()), keep(mesh, jax.tree.map(jnp.zeros_like, state.params)))
        numbered = batch | {"number": jnp.arange(len(batch["tokens"]))[:, None]}
        (loss, gradients), losses = jax.lax.scan(add_part, nothing, _split(numbered, microbatch, mesh))
        tokens = batch["loss_mask"].sum()
        per_token = 1 / jnp.maximum(tokens, 1)
        gradients = jax.tree.map(lambda gradient: gradient * per_token, gradients)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = {"loss": loss * per_token, "grad_norm": optax.tree.norm(gradients), "tokens": tokens}
        metrics["losses"] = everywhere(mesh, _joined(losses, len(batch["tokens"]), mesh))
        return keep(mesh, TrainState(step=state.step + 1, params=params, opt_state=opt_state)), metrics

    compiled = jax.jit(train_step, donate_argnums=0, compiler_options=_compiler_options(shape))
    return TrainStep(compiled, wrapping.frozen, mesh)


def make_eval_loss(
    shape: ModelShape,
    *,
    microbatch: int = MICROBATCH,
    dtype: str = "float32",
    wrapping: Wrapping = UNWRAPPED,
    mesh: Mesh | None = None,
) -> Callable[[Params, Batch], tuple[Array, Array]]:
    """`(params, batch) -> (sum of the trained tokens' losses, their number)`."""
    summed_loss = _summed_loss(shape, dtype, wrapping)

    @jax.jit
    def eval_loss(params: Params, frozen: Params, batch: dict[str, Array]) -> tuple[Array, Array]:
        losses = jax.lax.map(lambda part: summed_loss(params, frozen, part)[0], _split(batch, microbatch, mesh))
        return losses.sum(), batch["loss_mask"].sum()

    return lambda params, batch: eval_loss(params, wrapping.frozen, share(mesh, _arrays(batch)))


def make_optimizer(config: TrainingConfig, total_steps: int) -> optax.GradientTransformation:
    """AdamW with the config's clipping, schedule and weight decay, which spares the norms' weights."""
    return optax.chain(
        optax.clip_by_global_norm(config.grad_clip),
        optax.adamw(
            learning_rate(config, total_steps),
            b2=0.95,  # a memory of 20 updates suits runs of hundreds (arXiv:2005.14165, appendix B)
            weight_decay=config.weight_decay,
            mask=lambda params: jax.tree.map(lambda param: param.ndim > 1, params),
        ),
    )


def learning_rate(config: TrainingConfig, total_steps: int) -> optax.Schedule:
    """`step -> rate` of the update that follows `step` updates: up to the highest in `warmup` updates, then down."""
    highest, falling = config.learning_rate, max(1, total_steps - config.warmup)
    after = {
        "constant": optax.constant_schedule(highest),
        "linear": optax.linear_schedule(highest, 0.0, falling),
        "cosine": optax.cosine_decay_schedule(highest, falling),
    }[config.schedule]
    rising = optax.linear_schedule(highest / (config.warmup + 1), highest, config.warmup)
    return optax.join_schedules([rising, after], [config.warmup])


def _compiler_options(shape: ModelShape) -> dict[str, str] | None:
    """On a CPU, XLA multiplies with YNNPACK. The small products of a thin model are shared out among cores at less
    cost by Eigen, which it multiplied with before: that saves 5 to 9 % of an update at width 128, and costs 5 % at 256.
    """
    if jax.default_backend() != "cpu" or shape.width > THIN:
        return None
    return {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}


def _summed_loss(shape: ModelShape, dtype: str, wrapping: Wrapping) -> Callable[..., tuple[Array, Array]]:
    """`(params, frozen, batch, update) -> (sum of the trained tokens' losses, what was summed [B, L])`."""
    model = Gemma3(shape)

    def summed_loss(
        params: Params, frozen: Params, batch: dict[str, Array], update: Array | None = None
    ) -> tuple[Array, Array]:
        place = None if update is None else (update, batch["number"][:, 0])
        variables = wrapping.variables(params, frozen, place)
        variables |= {"params": _matrices_as(dtype, variables["params"])}  # adapters follow what they stand beside
        logits = model.apply(variables, batch["tokens"], batch["positions"], batch["segments"])
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"]) * batch["loss_mask"]
        return losses.sum(), losses

    return summed_loss


def _matrices_as(dtype: str, params: Params) -> Params:
    """Vectors are the norms' weights, which stay what they are."""
    return jax.tree.map(lambda param: param.astype(dtype) if param.ndim > 1 else param, params)


def _arrays(batch: Batch) -> dict[str, Array]:
    return {name: getattr(batch, name) for name in ("tokens", "targets", "positions", "segments", "loss_mask")}


def _split(batch: dict[str, Array], size: int, mesh: Mesh | None) -> dict[str, Array]:
    """[B, L] arrays as [parts, size, L], with empty sequences after the last when B is no multiple of `size`.

    On a mesh, a part has `size` sequences of every device, from those that it was dealt. Fewer are one smaller part.
    """
    devices = mesh.size if mesh else 1

    def split(array: Array) -> Array:
        own = array.reshape(devices, -1, array.shape[1])
        part = min(size, own.shape[1])
        own = jnp.pad(own, ((0, 0), (0, -own.shape[1] % part), (0, 0)))
        parts = own.reshape(devices, -1, part, array.shape[1]).swapaxes(0, 1)
        return parts.reshape(-1, devices * part, array.shape[1])

    return jax.tree.map(split, batch)


def _joined(parts: Array, sequences: int, mesh: Mesh | None) -> Array:
    """What `_split` made of [B, L], as [B, L] again."""
    devices = mesh.size if mesh else 1
    own = parts.reshape(len(parts), devices, -1, parts.shape[2]).swapaxes(0, 1)
    own = own.reshape(devices, -1, parts.shape[2])[:, : sequences // devices]
    return own.reshape(sequences, parts.shape[2])
