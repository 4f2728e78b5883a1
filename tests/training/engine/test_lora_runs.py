"""Runs that train adapters, by the command lines: what they save, resume and are examined as."""

import json
import math
import shutil
import signal
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from tests.training.engine.test_train_jax import CONFIG, curve, done, ended, final_parameters, kill_after, place, start
from training.engine.checkpoint import params_sha256
from training.engine.evaluate import load_model
from training.engine.model import init_params

LORA = CONFIG.replace("size: tiny", "size: tiny, lora: {rank: 2, dropout: 0.2, targets: [q_proj, down_proj]}")
TRAINED = 6 * 2 * (128 + 128 + 320 + 128)  # six layers, rank 2, inputs and outputs of two targets

pytestmark = pytest.mark.slow
__all__ = ["place"]


@pytest.fixture(scope="module")
def run(place) -> Path:
    (place / "config.yaml").write_text(LORA)
    return done(place, place / "adapters", "--eval_after_train")


def test_a_checkpoint_holds_the_adapters_and_nothing_of_the_base(run):
    saved = ocp.PyTreeCheckpointHandler().metadata(run.absolute() / "checkpoints" / "8" / "params")
    assert sum(math.prod(array.shape) for array in jax.tree.leaves(saved.tree)) == TRAINED
    assert f"{TRAINED:,} trained of 1,0" in (run / "train.log").read_text()


def test_step_0_is_the_base_and_the_last_step_is_the_base_with_its_adapters(run):
    first, last = (load_model(run / "checkpoints" / step) for step in ("0", "8"))
    base = init_params(first.shape, 3)
    assert params_sha256(first.params) == params_sha256(base)
    moved = jax.tree.map(lambda param, other: not np.array_equal(param, other), last.params, base)
    assert moved["block_3"]["attention"] == moved["block_0"]["attention"]
    assert moved["block_0"]["attention"]["qkv"]
    assert moved["block_0"]["mlp"] == {"gate_up": False, "down": True}
    assert not moved["embedding"]


def test_an_examination_compares_the_base_with_what_it_became(run):
    summary = json.loads((run / "eval.json").read_text())
    assert summary["checkpoint_step"] == 8
    assert summary["metrics"]["loss"] != summary["before"]["metrics"]["loss"]


def test_a_killed_run_goes_on_to_the_same_bits_dropout_included(place, run, tmp_path):
    process = start(place, tmp_path / "run")
    kill_after(process, "checkpoint · step 4", signal.SIGKILL)
    assert ended(process)[0] == -signal.SIGKILL
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "6", ignore_errors=True)
    resumed = done(place, tmp_path / "run", "--resume")
    assert curve(resumed) == curve(run)
    assert final_parameters(resumed) == final_parameters(run)
