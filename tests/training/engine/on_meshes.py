"""Run with eight devices: the same updates on every mesh, and what each device holds, as JSON."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh

from tests.training.engine.models import batch_of, random_rows
from training.config import MeshConfig, TrainingConfig
from training.engine.mesh import make_mesh, spread, spread_fresh, whole
from training.engine.model import Params, init_params
from training.engine.step import TrainState, init_state, make_eval_loss, make_optimizer, make_train_step
from training.engine.weights import load_params, save_published
from training.shapes import ModelShape
from training.tokenizer import Tokenizer

MESHES = ((1, 1), (8, 1), (4, 2), (2, 4), (1, 8))
SHAPE = ModelShape(
    vocab_size=24, width=16, layers=1, heads=2, kv_heads=1, head_dim=8, mlp_width=32, window=6, query_scale=8
)
OPTIMIZER = make_optimizer(TrainingConfig(learning_rate=1e-2, warmup=2), 6)
# 19 sequences: no number of devices divides them, nor does a microbatch of two what a device is dealt.
BATCH = batch_of([random_rows(SHAPE, [9, 5 + number % 4], seed=number) for number in range(19)], 16)


def main() -> None:
    print(json.dumps({f"{data}x{fsdp}": measured(make_mesh(MeshConfig(data, fsdp))) for data, fsdp in MESHES}))


def measured(mesh: Mesh | None) -> dict:
    """Losses of six updates; after three of them the state leaves the devices and comes back, as by a checkpoint."""
    step, state, losses = make_train_step(SHAPE, OPTIMIZER, microbatch=2, mesh=mesh), fresh(mesh), []
    loaded = loaded_alike(mesh, state.params)
    for update in range(6):
        if update == 3:
            state = spread(mesh, whole(state))
        state, metrics = step(state, BATCH)
        losses.append(float(metrics["loss"]))
    loss, tokens = make_eval_loss(SHAPE, microbatch=2, mesh=mesh)(state.params, BATCH)
    moment = state.opt_state[1][0].mu["block_0"]["mlp"]["gate_up"]
    return {
        "losses": losses,
        "by_place": np.asarray(metrics["losses"])[: len(BATCH.tokens)].tolist(),
        "valid": float(loss / tokens),
        "loaded": loaded,
        "gate_up": np.shape(state.params["block_0"]["mlp"]["gate_up"].addressable_shards[0].data),
        "moment": np.shape(moment.addressable_shards[0].data),
        "norm": np.shape(state.params["final_norm"]["weight"].addressable_shards[0].data),
    }


def fresh(mesh: Mesh | None) -> TrainState:
    return init_state(spread_fresh(mesh, lambda: init_params(SHAPE, 7)), OPTIMIZER, mesh)


def loaded_alike(mesh: Mesh | None, params: Params) -> bool:
    """Whether published files of these parameters are loaded as they are, each device with its part."""
    with TemporaryDirectory() as home:
        save_published(Path(home) / "weights", params, SHAPE, Tokenizer.train(["some text"], 300))
        loaded = load_params(Path(home) / "weights", SHAPE, mesh)

    def alike(one: Array, other: Array) -> bool:
        return np.array_equal(one, other) and (mesh is None or one.sharding == other.sharding)

    return all(jax.tree.leaves(jax.tree.map(alike, params, loaded)))


if __name__ == "__main__":
    main()
