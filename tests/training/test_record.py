import json

import pytest

from training.config import TrainConfig
from training.errors import Invalid
from training.home import home
from training.machine import compile_cache
from training.record import new_record, read_record, write_record

CONFIG = TrainConfig.from_dict({"training": {"steps": 1}}).resolved(seed=2**63 - 1)


def record() -> dict:
    return new_record(CONFIG, run_id="r", dataset_key="d-1", dataset_sha256="0" * 64, parent=None)


def test_the_record_holds_what_a_run_needs_to_be_done_again(tmp_path):
    write_record(tmp_path, record())
    found = read_record(tmp_path)
    assert TrainConfig.from_dict(found["config"]).sha256() == found["config_sha256"]
    assert found["seed"] == 2**63 - 1
    assert (found["recipe"], found["instruction"]) == ("trace_sft_v1", "Show your work as steps")
    assert {"python", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "tokenizers", "numpy"} <= set(
        found["libraries"]
    )
    assert found["machine"]["cores"] >= 1
    assert found["code_version"]
    assert found["format_version"] == 1


def test_a_directory_without_a_run_is_told(tmp_path):
    with pytest.raises(Invalid, match="holds no run"):
        read_record(tmp_path)


def test_a_record_of_a_newer_program_is_refused(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(record() | {"format_version": 2}))
    with pytest.raises(Invalid, match="has format 2; this program reads up to 1"):
        read_record(tmp_path)


def test_home_is_var_unless_the_environment_says_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNIXRT_HOME", str(tmp_path))
    assert home() == tmp_path
    assert compile_cache().is_relative_to(tmp_path / "compile_cache")
    monkeypatch.delenv("TUNIXRT_HOME")
    assert home().name == "var"
