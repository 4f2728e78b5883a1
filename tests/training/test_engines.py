"""Which engines there are, what each can do, and how the absence of one is told."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from training import lifeline
from training.config import TrainConfig
from training.engines import ENGINES, TUNIX_VERSIONS, check_engine, may_use_accelerator, require_tunix, why_absent
from training.errors import Invalid
from training.published import describe_shape
from training.shapes import model_shape

ROOT = Path(__file__).parents[2]
STEPS = {"training": {"steps": 1}}
CANNOT = {
    ("jax", "model.family"): {"model": {"family": "qwen3", "weights": "w"}},
    ("tunix", "model.weights"): {"model": {"family": "qwen3"}},
    ("tunix", "training.dtype"): {"training": {"steps": 1, "dtype": "bfloat16"}},
    ("tunix", "training.microbatch"): {"training": {"steps": 1, "microbatch": 2}},
    ("tunix", "mesh"): {"mesh": {"fsdp": 2}},
    ("tunix", "model.lora.dropout"): {"model": {"lora": {"dropout": 0.1}}},
    ("tunix", "model.lora.targets"): {"model": {"lora": {"targets": ["q_proj", "k_proj"]}}},
}


def interpreter(path: Path, versions: str) -> Path:
    """A program that answers as an interpreter with these versions would."""
    path.write_text(f"#!/bin/sh\necho {versions}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("engine", "place"), CANNOT, ids=[f"{engine} {place}" for engine, place in CANNOT])
def test_what_an_engine_cannot_do_is_refused_with_its_path(engine, place):
    config = TrainConfig.from_dict(STEPS | CANNOT[engine, place])
    with pytest.raises(Invalid) as caught:
        check_engine(config, engine)
    assert [".".join(map(str, fault.loc)) for fault in caught.value.faults] == [place]


def test_adapters_of_matrices_that_tunix_has_as_one_come_together(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNIXRT_HOME", str(tmp_path))
    (tmp_path / "weights" / "even").mkdir(parents=True)
    shape = replace(model_shape("tiny", 300), kv_heads=4)  # as many as heads
    (tmp_path / "weights" / "even" / "config.json").write_text(json.dumps(describe_shape(shape)))
    for targets in (["q_proj"], ["k_proj", "v_proj"]):
        model = {"weights": "even", "lora": {"targets": targets}}
        with pytest.raises(Invalid, match=r"model\.lora\.targets: q_proj, k_proj, v_proj are one matrix"):
            check_engine(TrainConfig.from_dict(STEPS | {"model": model}), "tunix")
        check_engine(TrainConfig.from_dict(STEPS | {"model": {"lora": {"targets": targets}}}), "tunix")
    model = {"weights": "even", "lora": {"targets": ["q_proj", "k_proj", "v_proj"]}}
    check_engine(TrainConfig.from_dict(STEPS | {"model": model}), "tunix")


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_takes_the_defaults(engine):
    check_engine(TrainConfig.from_dict(STEPS), engine)


def test_tunix_is_there_absent_or_another(tmp_path):
    right = " ".join(TUNIX_VERSIONS.values())
    assert why_absent(interpreter(tmp_path / "right", right)) is None
    assert "not installed: `make tunix`" in why_absent(tmp_path / "missing")
    assert "google-tunix 0.2.0 instead of 0.1.7" in why_absent(interpreter(tmp_path / "newer", "0.2.0 0.1.8"))


def test_tunix_is_found_as_soon_as_it_is_installed(tmp_path):
    python = interpreter(tmp_path / "python", "; exit 1")
    assert "not installed" in why_absent(python)
    interpreter(python, " ".join(TUNIX_VERSIONS.values()))
    assert why_absent(python) is None


def test_plugins_for_accelerators_are_found_without_jax(tmp_path, monkeypatch):
    python = tmp_path / "this"  # an interpreter that was not asked yet
    python.symlink_to(sys.executable)
    assert may_use_accelerator(interpreter(tmp_path / "python", "True"))
    assert not may_use_accelerator(interpreter(tmp_path / "without", "False"))
    (tmp_path / "jax_plugins").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert may_use_accelerator(python)


def test_an_interpreter_that_did_not_answer_is_asked_again(tmp_path):
    assert may_use_accelerator(tmp_path / "later")
    assert not may_use_accelerator(interpreter(tmp_path / "later", "False"))


def test_this_environment_can_be_asked_without_importing_jax():
    code = "import sys; from pathlib import Path; from training.engines import why_absent"
    code += "; why_absent(Path(sys.executable)); assert not {'jax', 'tunix', 'flax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.skipif(why_absent(Path(sys.executable)) is None, reason="Tunix is in this environment")
def test_the_script_ends_with_the_install_line_where_tunix_is_absent(tmp_path):
    with pytest.raises(lifeline.Failure, match="make tunix"):
        require_tunix()
    command = [sys.executable, "-m", "training.train_sft_tunix", "--config", "c", "--data", "d", "--output", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ)
    assert (done.returncode, done.stdout) == (lifeline.BAD_CONFIG, "")
    assert "`make tunix`" in done.stderr
    assert not list(tmp_path.iterdir())


def test_both_environments_compute_with_the_same_libraries():
    wanted, tunix = (_pins(name) for name in ("requirements.txt", "requirements-tunix.txt"))
    assert {name: tunix[name] for name in TUNIX_VERSIONS} == TUNIX_VERSIONS
    for name in ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "msgspec", "pyarrow", "pyyaml", "zstandard"):
        assert tunix[name] == wanted[name]


def _pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    return {line.split("==")[0].lower(): line.split("==")[1] for line in lines if "==" in line and line[0] != "#"}
