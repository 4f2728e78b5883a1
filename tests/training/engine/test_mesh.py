"""Devices that train together: the same losses on every mesh, each device with its part of the state."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from training.config import MeshConfig
from training.engine.mesh import make_mesh
from training.errors import Invalid

ROOT = Path(__file__).parents[3]
# Compiled fast instead of well: it is small.
EIGHT = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"


@pytest.fixture(scope="module")
def meshes() -> dict[str, dict]:
    """What tests.training.engine.on_meshes prints: a process has as many devices as it started with."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.training.engine.on_meshes"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"XLA_FLAGS": EIGHT, "JAX_PLATFORMS": "cpu"},
        timeout=600,
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


@pytest.mark.slow
def test_every_mesh_gives_the_losses_of_one_device(meshes):
    alone = meshes["1x1"]
    for name, found in meshes.items():
        assert found["losses"] == pytest.approx(alone["losses"], abs=1e-5), name
        assert found["valid"] == pytest.approx(alone["valid"], abs=1e-5), name
        assert np.allclose(found["by_place"], alone["by_place"], atol=1e-4), name
    assert alone["losses"][-1] < alone["losses"][0] - 0.1


@pytest.mark.slow
def test_a_device_holds_its_part_of_the_matrices_and_their_moments(meshes):
    for fsdp, name in ((1, "1x1"), (1, "8x1"), (2, "4x2"), (4, "2x4"), (8, "1x8")):
        assert meshes[name]["gate_up"] == meshes[name]["moment"] == [16, 64 // fsdp], name
        assert meshes[name]["norm"] == [16], name


@pytest.mark.slow
def test_published_weights_are_spread_like_fresh_ones(meshes):
    assert [found["loaded"] for found in meshes.values()] == [True] * len(meshes)


def test_one_device_needs_no_mesh():
    assert make_mesh(MeshConfig()) is None


def test_a_mesh_of_more_devices_than_there_are_is_refused_with_what_is_there():
    with pytest.raises(Invalid, match=r"^mesh: wants 2 x 4 = 8 devices \(data x fsdp\), here are 1 \(cpu\)"):
        make_mesh(MeshConfig(data=2, fsdp=4))
    assert len(jax.devices()) == 1
