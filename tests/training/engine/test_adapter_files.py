"""Our adapters beside PEFT's: the files that we write, loaded there, give the same logits."""

import json
import os
import subprocess
from dataclasses import asdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from tests.training.engine.models import SHAPE, random_params
from tests.training.engine.test_parity import PEER_PYTHON, ROOT, pytestmark  # noqa: F401 (marks these tests too)
from training.config import LORA_TARGETS, LoraConfig
from training.engine.adapter_files import save_adapter
from training.engine.lora import init_adapters, merge
from training.engine.model import Gemma3

TOKENS = np.random.default_rng(5).integers(0, SHAPE.vocab_size, (3, 24))


@pytest.mark.parametrize("targets", [LORA_TARGETS, ("k_proj", "up_proj")], ids=["all targets", "two targets"])
def test_logits_equal_those_of_peft(targets, tmp_path):
    lora = LoraConfig(rank=3, alpha=7.0, dropout=0.1, targets=targets)
    base, rng = random_params(SHAPE, seed=4), np.random.default_rng(6)
    fresh = jax.eval_shape(lambda: init_adapters(SHAPE, lora, 0))
    adapters = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.1, leaf.shape), jnp.float32), fresh)
    save_adapter(tmp_path / "adapter", adapters, lora, base="a-base")
    theirs = peft_logits(base, tmp_path)

    place, segments = jnp.broadcast_to(jnp.arange(24), (3, 24)), jnp.ones((3, 24), jnp.int32)
    ours = jax.jit(lambda params: Gemma3(SHAPE).apply({"params": params}, jnp.array(TOKENS), place, segments))
    assert np.abs(theirs - ours(base)).max() > 1  # the adapters change something
    np.testing.assert_allclose(ours(merge(adapters, base, shape=SHAPE, lora=lora)), theirs, atol=1e-4)


def peft_logits(base, directory) -> np.ndarray:
    flat = {f"params/{name}": np.asarray(value) for name, value in flatten_dict(base, sep="/").items()}
    np.savez(directory / "job.npz", tokens=TOKENS, shape=json.dumps(asdict(SHAPE)), **flat)
    command = [PEER_PYTHON, ROOT / "tests" / "peers" / "adapter_logits.py", "job.npz", "adapter", "logits.npy"]
    subprocess.run(command, cwd=directory, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    return np.load(directory / "logits.npy")
