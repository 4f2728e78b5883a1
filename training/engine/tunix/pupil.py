"""Updates computed by Tunix's `PeftTrainer`, for the loop that writes the files of every run.

Each update is one call of the trainer's own `train` with one batch, managed from outside as Tunix's reinforcement
learning manages it. What the trainer would do around it stays with our loop, which takes a batch by its number where
the trainer skips the data up to it, seals checkpoints, and stops when asked.
"""

from typing import Any

import jax.numpy as jnp
import optax
from flax import nnx
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array
from tunix.sft.metrics_logger import MetricsLogger
from tunix.sft.peft_trainer import PeftTrainer, TrainingConfig

from training.config import TrainConfig
from training.engine.loop import Learner
from training.engine.model import Params
from training.engine.step import Metrics, TrainState, make_optimizer
from training.engine.tunix.forms import Form, arrays, form_of, summed_loss
from training.packing import Batch


def tunix_engine(config: TrainConfig, vocab_size: int, total: int) -> Learner:
    """A model of Tunix, taught by its `PeftTrainer`."""
    form = form_of(config, vocab_size)
    pupil = Pupil(form, make_optimizer(config.training, total))
    return Learner(fresh=pupil.fresh, like=pupil.like, step=pupil.step, eval_loss=form.eval_loss)


class Pupil:
    """A model and its trainer, which is made when the first update asks for it."""

    def __init__(self, form: Form, optimizer: optax.GradientTransformation):
        self._form, self._optimizer = form, optimizer
        self._trainer: _Trainer | None = None
        self._latest: object = None

    def fresh(self) -> TrainState:
        """The state before the first update."""
        return self._begun(self._form.fresh())

    def like(self) -> TrainState:
        """A state of the same structure, shapes and types."""
        return self._begun(self._form.like())

    def _begun(self, params: Params) -> TrainState:
        optimizer = nnx.Optimizer(self._form.model(params), self._optimizer, wrt=self._form.trained)
        return TrainState(step=jnp.zeros((), jnp.int32), params=params, opt_state=_numbers(optimizer))

    def step(self, state: Any, batch: Batch) -> tuple[Any, Metrics]:
        """One update. The state that comes back holds until the next."""
        if self._trainer is None or state is not self._latest:
            self._trainer = _Trainer(self._form.model(state.params), self._optimizer)
            _put_in(self._trainer.optimizer, state.opt_state)
        self._trainer.train([arrays(batch)])
        self._latest = state = _State(int(state.step) + 1, self._form, self._trainer)
        return state, self._trainer.measured


class _State:
    """Where a trainer stands, as a checkpoint has it: converted when somebody looks."""

    def __init__(self, step: int, form: Form, trainer: "_Trainer"):
        self.step, self._form, self._trainer = step, form, trainer

    @property
    def params(self) -> Params:
        return self._form.params(self._trainer.model)

    @property
    def opt_state(self) -> dict[str, Array]:
        return _numbers(self._trainer.optimizer)


class _Trainer(PeftTrainer):  # type: ignore[misc]
    """A `PeftTrainer` with our loss; the numbers of its last update stay on the device until somebody reads them."""

    measured: Metrics

    def __init__(self, model: nnx.Module, optimizer: optax.GradientTransformation):
        # Updates in flight without a bound of the trainer's: `train` would wait for each, and our loop reads one late.
        settings = TrainingConfig(eval_every_n_steps=1, max_inflight_computations=0)
        super().__init__(model, optimizer, settings, metrics_logger=_Silent())
        self.is_managed_externally = True  # `train` neither skips data nor closes anything
        self.with_gen_model_input_fn(lambda batch: {"batch": batch})
        self.with_loss_fn(_mean_loss, has_aux=True)

    def _train_step(self, model: nnx.Module, optimizer: nnx.Optimizer, inputs: Any) -> tuple[Array, Metrics, Array]:
        loss, metrics, grad_norm = super()._train_step(model, optimizer, inputs)
        return loss, metrics | {"grad_norm": grad_norm}, grad_norm

    def _post_process_train_step(self, aux: Metrics) -> None:
        self.measured = aux


class _Silent(MetricsLogger):  # type: ignore[misc]
    """Keeps no history: the run's journal does."""

    def log(self, *_: Any) -> None:
        pass


def _mean_loss(model: nnx.Module, batch: dict[str, Array]) -> tuple[Array, Metrics]:
    """The mean loss per trained token, as our own step has it."""
    loss, tokens = summed_loss(model, batch)
    loss = loss / jnp.maximum(tokens, 1)
    return loss, {"loss": loss, "tokens": tokens}


def _numbers(optimizer: nnx.Optimizer) -> dict[str, Array]:
    """An optimiser's state, each array under its path in Tunix's trees."""
    return {_name(path): value for path, value in flatten_dict(nnx.to_pure_dict(nnx.state(optimizer))).items()}


def _put_in(optimizer: nnx.Optimizer, numbers: dict[str, Array]) -> None:
    """Gives an optimiser the state that `_numbers` read from one like it."""
    paths = flatten_dict(nnx.to_pure_dict(nnx.state(optimizer)))
    nnx.update(optimizer, unflatten_dict({path: numbers[_name(path)] for path in paths}))


def _name(path: tuple) -> str:
    return ".".join(map(str, path))
