"""Our model beside transformers' Gemma 3: same random parameters, same tokens, same logits."""

import json
import os
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from tests.training.engine.models import SHAPE, random_params
from training.engine.model import Gemma3

ROOT = Path(__file__).parents[3]
PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not PEER_PYTHON.exists(), reason="wants the peer environment: `make peers` makes it"),
]

SHAPES = {
    "seven layers, a short window, grouped queries": SHAPE,
    "one key head for all queries": replace(SHAPE, kv_heads=1, query_scale=8),
    "a key head for each query, other bases": replace(SHAPE, kv_heads=4, local_theta=500.0, global_theta=2000.0),
    "every other layer global, wide heads": replace(SHAPE, layers=4, global_every=2, head_dim=16, window=9),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_logits_equal_those_of_transformers(shape, tmp_path):
    params = random_params(shape, seed=3)
    tokens = np.random.default_rng(3).integers(0, shape.vocab_size, (3, 32))
    place, segments = jnp.broadcast_to(jnp.arange(32), (3, 32)), jnp.ones((3, 32), jnp.int32)
    ours = Gemma3(shape).apply({"params": params}, jnp.array(tokens), place, segments)
    theirs = transformers_logits(shape, params, tokens, tmp_path)
    assert np.abs(theirs).max() > 1  # the comparison is about something
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def transformers_logits(shape, params, tokens, directory):
    flat = {f"params/{name}": np.asarray(value) for name, value in flatten_dict(params, sep="/").items()}
    np.savez(directory / "job.npz", tokens=tokens, shape=json.dumps(asdict(shape)), **flat)
    command = [PEER_PYTHON, ROOT / "tests" / "peers" / "gemma3_logits.py", "job.npz", "logits.npy"]
    subprocess.run(command, cwd=directory, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    return np.load(directory / "logits.npy")
