"""Adapters of Gemma 3 by Tunix and qwix, and the same merged into our own model: `tunix_adapters.py`.

Prints {shape: [largest logit, how much the adapters moved one, largest difference of one]} as JSON.
"""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from training.config import LORA_TARGETS, TrainConfig
from training.engine import lora
from training.engine.model import Gemma3
from training.engine.tunix.forms import form_of
from training.engine.weights import initial_params
from training.shapes import SIZES

SMALL = {"width": 32, "layers": 2, "head_dim": 8, "mlp_width": 48, "window": 6, "query_scale": 8}
SIZES["grouped"] = SMALL | {"heads": 4, "kv_heads": 2}
SIZES["even"] = SMALL | {"heads": 4, "kv_heads": 4}
CASES = {
    "grouped": ("grouped", LORA_TARGETS),
    "even": ("even", LORA_TARGETS),
    "grouped, some": ("grouped", ("q_proj", "down_proj")),
}
VOCABULARY = 300


def main() -> None:
    print(json.dumps({name: compared(*case) for name, case in CASES.items()}))


def compared(size: str, targets: tuple[str, ...]) -> list[float]:
    model = {"lora": {"rank": 3, "alpha": 5.0, "targets": list(targets)}}
    config = TrainConfig.from_dict({"model": model, "training": {"steps": 1, "seed": 1}})
    config = replace(config, model=replace(config.model, size=size))
    shape, form, rng = config.shape(VOCABULARY), form_of(config, VOCABULARY), np.random.default_rng(0)
    theirs = jax.tree.map(lambda array: jnp.asarray(rng.normal(0, 0.3, array.shape), jnp.float32), form.shapes)
    adapters = form.read(theirs)
    same = jax.tree.map(np.array_equal, form.write(adapters), theirs)
    assert all(jax.tree.leaves(same)), "there and back is not the same"
    tokens, places = jnp.asarray(rng.integers(0, VOCABULARY, (2, 24))), jnp.broadcast_to(jnp.arange(24), (2, 24))
    causal = jnp.broadcast_to(jnp.tril(jnp.ones((24, 24), bool)), (2, 24, 24))
    found, _ = form.model(adapters)(tokens, places, None, causal)
    base = initial_params(config, shape)
    merged = lora.merge(adapters, base, shape=shape, lora=config.model.lora)
    ours, before = (
        Gemma3(shape).apply({"params": params}, tokens, places, jnp.ones_like(tokens)) for params in (merged, base)
    )
    return [float(jnp.abs(ours).max()), float(jnp.abs(ours - before).max()), float(jnp.abs(ours - found).max())]


if __name__ == "__main__":
    main()
