"""What the compiler says that a gradient by Tunix takes, beside what is planned: `tunix_memory.py`.

Prints {"SIZE SEQUENCESxLENGTH": [bytes taken, bytes planned]} as JSON.
"""

import json

import jax
import numpy as np

from training.config import TrainConfig
from training.engine.tunix.forms import form_of, summed_loss
from training.engines import TUNIX
from training.memory import run_memory

CASES = (("tiny", 4, 512), ("tiny", 8, 64), ("small", 4, 256))
VOCABULARY = 512


def main() -> None:
    print(json.dumps({f"{size} {batch}x{length}": held(size, batch, length) for size, batch, length in CASES}))


def held(size: str, batch: int, length: int) -> list[int]:
    sections = {"model": {"size": size}, "data": {"max_length": length}, "training": {"steps": 1, "batch_size": batch}}
    config = TrainConfig.from_dict(sections).resolved(seed=1)
    form = form_of(config, VOCABULARY)
    whole = jax.ShapeDtypeStruct((batch, length), np.int32)
    rows = dict.fromkeys(("tokens", "targets", "positions", "segments"), whole)
    rows["loss_mask"] = jax.ShapeDtypeStruct((batch, length), np.float32)
    gradient = jax.jit(jax.value_and_grad(lambda params, rows: summed_loss(form.model(params), rows)[0]))
    taken = gradient.lower(jax.eval_shape(form.like), rows).compile().memory_analysis().temp_size_in_bytes
    return [taken, run_memory(config, config.shape(VOCABULARY), engine=TUNIX).activations]


if __name__ == "__main__":
    main()
