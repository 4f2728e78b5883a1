"""What a Tunix model is made of: the numbers that are trained, as checkpoints hold them, and those that stay."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array

from training.config import LoraConfig, TrainConfig
from training.engine.model import Params
from training.engine.tunix import adapters, families, gemma3
from training.engine.weights import initial_params
from training.errors import Fault, Invalid
from training.packing import Batch
from training.published import find_weights
from training.shapes import OWN_FAMILY, ModelShape

Tree = dict[Any, Any]  # a model's numbers under Tunix's names, as nnx nests them; layers have numbers


@dataclass(frozen=True, eq=False)
class Form:
    """A model without its trained numbers. `write` and `read` turn a checkpoint's numbers into Tunix's and back."""

    graph: nnx.GraphDef
    shapes: Tree  # of the trained numbers
    fresh: Callable[[], Params]  # the trained numbers before the first update
    write: Callable[[Params], Tree]
    read: Callable[[Tree], Params]
    trained: type[nnx.Variable] = nnx.Param
    frozen: Tree = field(default_factory=dict)  # the other numbers

    def like(self) -> Params:
        """Trained numbers that are all zero."""
        return self.read(jax.tree.map(lambda array: jnp.zeros(array.shape, array.dtype), self.shapes))

    def model(self, params: Params) -> Any:
        """The model with these numbers."""
        return self.merged(params, self.frozen)

    def merged(self, params: Params, frozen: Tree) -> Any:
        """As `model`, for compiled functions, which take all numbers as arguments."""
        return nnx.merge(self.graph, unflatten_dict(flatten_dict(frozen) | flatten_dict(self.write(params))))

    def params(self, model: nnx.Module) -> Params:
        """The trained numbers of a model of this form."""
        return self.read(nnx.to_pure_dict(nnx.state(model, self.trained)))

    def eval_loss(self, params: Params, batch: Batch) -> tuple[Array, Array]:
        """(sum of the trained tokens' losses, their number)"""
        return self._eval_loss(params, self.frozen, arrays(batch))

    @partial(jax.jit, static_argnames="self")
    def _eval_loss(self, params: Params, frozen: Tree, batch: dict[str, Array]) -> tuple[Array, Array]:
        return summed_loss(self.merged(params, frozen), batch)


def form_of(config: TrainConfig, vocab_size: int) -> Form:
    """The form of a resolved config's model. Raises Invalid when its weights are unusable."""
    if config.model.family == OWN_FAMILY:
        form = _own(config, config.shape(vocab_size))
    else:
        form = _published(find_weights(config.model.weights or ""), config.model.family)
        _refuse_far_packing(config, config.shape(vocab_size))
    return _with_adapters(form, config, vocab_size) if config.model.lora else form


def _refuse_far_packing(config: TrainConfig, shape: ModelShape) -> None:
    """Tunix's Gemma 2 measures its window from a row's beginning to places of the sequence."""
    if config.model.family == "gemma2" and config.data.packing and config.data.max_length > shape.window:
        msg = f"Tunix's gemma2 packs rows into sequences of at most its window, {shape.window} tokens; say false"
        raise Invalid(Fault(("data", "packing"), msg, "wrong_value"))


def _own(config: TrainConfig, shape: ModelShape) -> Form:
    graph, state = nnx.split(gemma3.abstract_model(shape))
    return Form(
        graph,
        nnx.to_pure_dict(state),
        fresh=partial(initial_params, config, shape),
        write=partial(gemma3.to_tunix, shape=shape),
        read=partial(gemma3.to_ours, shape=shape),
    )


def _published(directory: Path, family: str) -> Form:
    graph, state = nnx.split(families.abstract_model(directory, family))
    shapes = nnx.to_pure_dict(state)
    return Form(
        graph,
        shapes,
        fresh=lambda: named(nnx.to_pure_dict(nnx.state(families.load_model(directory, family), nnx.Param))),
        write=partial(nested, shapes=shapes),
        read=named,
    )


def _with_adapters(form: Form, config: TrainConfig, vocab_size: int) -> Form:
    """`form` with its numbers frozen and adapters trained beside them."""
    lora, seed = config.model.lora or LoraConfig(), config.training.seed or 0
    base = form.fresh()

    def adapted() -> nnx.Module:
        return adapters.with_adapters(form.model(base), lora, seed)

    parts: Any = nnx.split(nnx.eval_shape(adapted), nnx.LoRAParam, ...)
    graph, trained, _ = parts
    shapes = nnx.to_pure_dict(trained)
    write: Callable[[Params], Tree] = partial(nested, shapes=shapes)
    read: Callable[[Tree], Params] = named
    if config.model.family == OWN_FAMILY:
        ours: dict[str, Any] = {"shape": config.shape(vocab_size), "lora": lora}
        write, read = partial(adapters.to_tunix, **ours), partial(adapters.to_ours, **ours)
    return Form(
        graph,
        shapes,
        fresh=lambda: read(nnx.to_pure_dict(nnx.state(adapted(), nnx.LoRAParam))),
        write=write,
        read=read,
        trained=nnx.LoRAParam,
        frozen=form.write(base),
    )


def named(tree: Tree) -> dict[str, Array]:
    """A tree as a checkpoint can hold it: each array under its path, `layers.0.mlp.up_proj.kernel`."""
    return {".".join(map(str, path)): value for path, value in flatten_dict(tree).items()}


def nested(numbers: dict[str, Array], *, shapes: Tree) -> Tree:
    """The tree, nested as `shapes`, that `named` took apart."""
    return unflatten_dict({path: numbers[".".join(map(str, path))] for path in flatten_dict(shapes)})


def arrays(batch: Batch) -> dict[str, Any]:
    """A batch as compiled functions take it."""
    return {name: getattr(batch, name) for name in ("tokens", "targets", "positions", "segments", "loss_mask")}


def token_losses(model: Any, batch: dict[str, Array]) -> Array:
    """The loss [B, L] of each place's target. A token sees its own row only, up to itself."""
    segments, column = batch["segments"], jnp.arange(batch["tokens"].shape[1])
    together = segments[:, :, None] == segments[:, None, :]
    logits, _ = model(batch["tokens"], batch["positions"], None, together & (column[:, None] >= column))
    return optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), batch["targets"])


def summed_loss(model: Any, batch: dict[str, Array]) -> tuple[Array, Array]:
    """The trained tokens' losses, summed, and how many there are."""
    return (token_losses(model, batch) * batch["loss_mask"]).sum(), batch["loss_mask"].sum()
