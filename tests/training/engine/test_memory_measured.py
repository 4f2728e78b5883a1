"""The memory that is planned, against what the compiler says that the step takes."""

import jax
import numpy as np
import pytest

from training.config import TrainConfig
from training.engine.model import init_params
from training.engine.step import init_state, make_optimizer, make_train_step
from training.memory import run_memory
from training.packing import Batch

INT, FLOAT = np.int32, np.float32


@pytest.mark.slow
@pytest.mark.parametrize(("size", "microbatch", "length"), [("tiny", 4, 512), ("medium", 2, 256)])
def test_the_planned_memory_of_a_device_is_that_of_the_compiled_step_within_some_tenths(size, microbatch, length):
    config = TrainConfig.from_dict(
        {
            "model": {"size": size},
            "data": {"max_length": length},
            "training": {"steps": 10, "microbatch": microbatch},
        }
    )
    shape, optimizer = config.shape(512), make_optimizer(config.training, 10)
    step = make_train_step(shape, optimizer, microbatch=microbatch)
    names = {"tokens": INT, "targets": INT, "positions": INT, "segments": INT, "loss_mask": FLOAT}
    batch = {name: jax.ShapeDtypeStruct((config.batch_size, length), kind) for name, kind in names.items()}
    state = jax.eval_shape(lambda: init_state(init_params(shape, 0), optimizer))
    taken = step.compiled.lower(*step.arguments(state, Batch(**batch))).compile().memory_analysis()
    measured = taken.argument_size_in_bytes + taken.output_size_in_bytes + taken.temp_size_in_bytes
    assert run_memory(config, shape).device == pytest.approx(measured, rel=0.3)
