"""A checkpoint that needs installed weights is examined beside those it was trained from, or not at all."""

import json

import jax.numpy as jnp
import pytest

from tests.training.test_tokenizer import TOKENIZER
from training import eval_generate
from training.config import TrainConfig
from training.engine import checkpoint
from training.engine.evaluate import load_model
from training.errors import Invalid
from training.lifeline import Failure
from training.record import TOKENIZER as TOKENIZER_FILE
from training.record import new_record, write_record

QWEN = {
    "model_type": "qwen3", "vocab_size": 320, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "rope_theta": 1e6, "rms_norm_eps": 1e-6,
}  # fmt: skip
MODEL = {"family": "qwen3", "weights": "small", "lora": {"rank": 2}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of a family of Tunix's, as far as its files say; its numbers are of no model."""
    monkeypatch.setenv("TUNIXRT_HOME", str(tmp_path))
    weights = tmp_path / "weights" / "small"
    weights.mkdir(parents=True)
    (weights / "config.json").write_text(json.dumps(QWEN))
    (weights / "model.safetensors").write_bytes(b"some numbers")
    TOKENIZER.save(weights / "tokenizer.json")
    config = TrainConfig.from_dict({"model": MODEL, "training": {"steps": 1}}).resolved(seed=1)
    run = tmp_path / "run"
    run.mkdir()
    write_record(run, new_record(config, run_id="r", dataset_key=None, dataset_sha256="0", parent=None))
    TOKENIZER.save(run / TOKENIZER_FILE)
    checkpoint.save(run / "checkpoints", 1, params={"a": jnp.ones(3)}, optimizer={"b": jnp.ones(3)}, progress={})
    return run


def test_other_weights_of_the_same_name_are_refused(run, tmp_path):
    with pytest.raises(Failure, match="Tunix"):  # which would load it, and is absent here
        load_model(run / "checkpoints")
    (tmp_path / "weights" / "small" / "model.safetensors").write_bytes(b"other numbers")
    with pytest.raises(Invalid, match=r"the weights small are not those that .* was trained from"):
        load_model(run / "checkpoints")


def test_how_a_token_is_chosen_is_refused_where_it_is_always_the_likeliest():
    config = TrainConfig.from_dict({"model": MODEL, "training": {"steps": 1}})
    options = type("Options", (), {"temperature": 0.7, "top_k": None, "top_p": 0.9})()
    with pytest.raises(Invalid, match=r"answers of qwen3 are the likeliest here; leave --temperature out") as caught:
        eval_generate._with_choice(config, options)
    assert [fault.loc for fault in caught.value.faults] == [("temperature",), ("top_p",)]
