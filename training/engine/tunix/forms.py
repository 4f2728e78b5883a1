"""What a Tunix model is made of: the numbers that are trained, as checkpoints hold them, and those that stay."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array

from training.config import TrainConfig
from training.engine.model import Params, init_params
from training.engine.tunix import gemma3
from training.packing import Batch

Tree = dict[Any, Any]  # a model's numbers under Tunix's names


@dataclass(frozen=True)
class Form:
    """A model without its trained numbers. `write` and `read` turn a checkpoint's numbers into Tunix's and back."""

    graph: nnx.GraphDef
    fresh: Callable[[], Params]  # the trained numbers before the first update
    write: Callable[[Params], Tree]
    read: Callable[[Tree], Params]
    trained: type[nnx.Variable] = nnx.Param
    frozen: Tree = field(default_factory=dict)  # the other numbers

    def model(self, params: Params) -> nnx.Module:
        """The model with these numbers."""
        return self._merged(self.write(params), self.frozen)

    def params(self, model: nnx.Module) -> Params:
        """The trained numbers of a model of this form."""
        return self.read(nnx.to_pure_dict(nnx.state(model, self.trained)))

    def eval_loss(self, params: Params, batch: Batch) -> tuple[Array, Array]:
        """(sum of the trained tokens' losses, their number)"""
        return self._eval_loss(params, self.frozen, arrays(batch))

    @partial(jax.jit, static_argnames="self")
    def _eval_loss(self, params: Params, frozen: Tree, batch: dict[str, Array]) -> tuple[Array, Array]:
        return summed_loss(self._merged(self.write(params), frozen), batch)

    def _merged(self, trained: Tree, frozen: Tree) -> nnx.Module:
        return nnx.merge(self.graph, unflatten_dict(flatten_dict(trained) | flatten_dict(frozen)))

    def __hash__(self) -> int:
        return id(self)


def form_of(config: TrainConfig, vocab_size: int) -> Form:
    """The form of a config's model."""
    shape = config.shape(vocab_size)
    graph, _ = nnx.split(gemma3.abstract_model(shape))
    return Form(
        graph,
        fresh=partial(init_params, shape, config.training.seed or 0),
        write=partial(gemma3.to_tunix, shape=shape),
        read=partial(gemma3.to_ours, shape=shape),
    )


def arrays(batch: Batch) -> dict[str, Any]:
    """A batch as compiled functions take it."""
    return {name: getattr(batch, name) for name in ("tokens", "targets", "positions", "segments", "loss_mask")}


def summed_loss(model: Any, batch: dict[str, Array]) -> tuple[Array, Array]:
    """The trained tokens' losses, summed, and how many there are. A token sees its own row only, up to itself."""
    segments, column = batch["segments"], jnp.arange(batch["tokens"].shape[1])
    together = segments[:, :, None] == segments[:, None, :]
    logits, _ = model(batch["tokens"], batch["positions"], None, together & (column[:, None] >= column))
    losses = optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), batch["targets"])
    return (losses * batch["loss_mask"]).sum(), batch["loss_mask"].sum()
