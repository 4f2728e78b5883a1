"""What asking a model of Tunix takes beside its parameters, with a large vocabulary: `tunix_asking.py`.

Prints bytes as JSON: of one sequence's logits, and at the peak of the losses of eight sequences and of an answer.
"""

import json
from typing import Any

import jax
import numpy as np

from training.config import TrainConfig
from training.engine.sampling import Rules
from training.engine.tunix import asking
from training.engine.tunix.forms import form_of

SEQUENCES, LENGTH, VOCABULARY = 8, 64, 65_536


def main() -> None:
    form = form_of(TrainConfig.from_dict({"training": {"steps": 1}}).resolved(seed=1), VOCABULARY)
    params, rows = jax.eval_shape(form.like), (SEQUENCES, LENGTH)
    whole = jax.ShapeDtypeStruct(rows, np.int32)
    batch = dict.fromkeys(("tokens", "targets", "positions", "segments"), whole)
    batch["loss_mask"] = jax.ShapeDtypeStruct(rows, np.float32)
    tokens = jax.ShapeDtypeStruct((LENGTH,), np.int32)
    print(
        json.dumps(
            {
                "logits": 4 * LENGTH * VOCABULARY,
                "losses": _peak(asking._losses.lower(params, form.frozen, batch, form)),
                "answer": _peak(asking._generate.lower(params, form.frozen, tokens, 8, form, Rules(8, 1, 0))),
            }
        )
    )


def _peak(lowered: Any) -> int:
    return lowered.compile().memory_analysis().temp_size_in_bytes


if __name__ == "__main__":
    main()
