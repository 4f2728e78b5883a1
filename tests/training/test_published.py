"""config.json of published weights: real ones, and those of models that ours is not."""

import json
import os
import shutil
from dataclasses import replace

import pytest

from training.config import TrainConfig
from training.errors import Invalid
from training.published import describe_shape, find_weights, fingerprint, installed, read_shape
from training.shapes import model_shape

# As published with google/gemma-3-270m and google/gemma-3-1b-pt, without what we do not read.
PUBLISHED_270M = {
    "_sliding_window_pattern": 6,
    "architectures": ["Gemma3ForCausalLM"],
    "attention_bias": False,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 640,
    "intermediate_size": 2048,
    "layer_types": ["sliding_attention", *["sliding_attention"] * 4, "full_attention"] * 3,
    "model_type": "gemma3_text",
    "num_attention_heads": 4,
    "num_hidden_layers": 18,
    "num_key_value_heads": 1,
    "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06,
    "rope_local_base_freq": 10000.0,
    "rope_scaling": None,
    "rope_theta": 1000000.0,
    "sliding_window": 512,
    "use_bidirectional_attention": False,
    "vocab_size": 262144,
}
PUBLISHED_1B = {
    "architectures": ["Gemma3ForCausalLM"],
    "attention_bias": False,
    "cache_implementation": "hybrid",
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 1152,
    "intermediate_size": 6912,
    "model_type": "gemma3_text",
    "num_attention_heads": 4,
    "num_hidden_layers": 26,
    "num_key_value_heads": 1,
    "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06,
    "rope_local_base_freq": 10000,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": 512,
    "sliding_window_pattern": 6,
    "vocab_size": 262144,
}


def shape_of(config: object, directory):
    (directory / "config.json").write_text(json.dumps(config))
    return read_shape(directory)


@pytest.mark.parametrize(("size", "config"), [("270m", PUBLISHED_270M), ("1b", PUBLISHED_1B)])
def test_published_models_have_the_shapes_we_call_by_their_sizes(size, config, tmp_path):
    assert shape_of(config, tmp_path) == model_shape(size, 262_144)


def test_the_newer_form_and_the_text_part_of_a_model_that_sees_are_read(tmp_path):
    bases = {"sliding_attention": 500.0, "full_attention": 2000.0}
    newer = PUBLISHED_1B | {
        "rope_parameters": {kind: {"rope_type": "default", "rope_theta": base} for kind, base in bases.items()}
    }
    wanted = replace(model_shape("1b", 262_144), local_theta=500.0, global_theta=2000.0)
    assert shape_of({"model_type": "gemma3", "text_config": newer, "vision_config": {}}, tmp_path) == wanted


@pytest.mark.parametrize("shape", [model_shape("tiny", 300), replace(model_shape("1b", 9), global_every=27)])
def test_what_we_write_is_read_as_the_same_shape(shape, tmp_path):
    assert shape_of(describe_shape(shape), tmp_path) == shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llama"}, "model_type is 'llama'"),
        ({"final_logit_softcapping": 30.0}, "no soft-capped logits"),
        ({"rope_scaling": {"factor": 8.0}}, "no scaled rotary positions"),
        ({"attention_bias": True}, "no biases in attention"),
        ({"use_bidirectional_attention": True}, "no attention in both directions"),
        ({"quantization_config": {"bits": 4}}, "no quantised weights"),
        ({"hidden_activation": "silu"}, "hidden_activation is 'silu'"),
        ({"hidden_size": 0}, "hidden_size must be a number above 0"),
        ({"hidden_size": True}, "hidden_size must be a number above 0"),
        ({"hidden_size": "640"}, "hidden_size must be a number above 0"),
        ({"hidden_size": 640.5}, "hidden_size must be a whole number"),
        ({"num_key_value_heads": 3}, "3 does not divide 4"),
        ({"head_dim": 7}, "head_dim 7 is odd"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types must name 18 layers"),
        ({"layer_types": ["full_attention"] + ["sliding_attention"] * 17}, "layer_types must be"),
        ({"rope_parameters": {"rope_theta": 1e4}}, "rope_parameters must name a rope_theta"),
        ({"rope_parameters": {"sliding_attention": {"rope_type": "yarn"}}}, "rope_parameters must name a rope_theta"),
    ],
)
def test_a_model_that_ours_is_not_is_refused_by_its_field(change, message, tmp_path):
    with pytest.raises(Invalid, match=message) as caught:
        shape_of(PUBLISHED_270M | change, tmp_path)
    assert caught.value.faults[0].loc == ("model", "weights")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1, "a": 2}', "{}" + " " * 2**20])
def test_a_file_that_holds_no_config_is_refused(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(Invalid):
        read_shape(tmp_path)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNIXRT_HOME", str(tmp_path))
    (tmp_path / "weights" / "small").mkdir(parents=True)
    (tmp_path / "weights" / "small" / "config.json").write_text(json.dumps(PUBLISHED_270M))
    return tmp_path


def config(**model: object) -> TrainConfig:
    return TrainConfig.from_dict({"model": model, "training": {"steps": 1}})


def test_a_config_that_names_weights_has_their_shape(home):
    assert config(weights="small").shape(9000) == model_shape("270m", 262_144)
    with pytest.raises(Invalid, match="their tokenizer has 262145 tokens and their embedding 262144"):
        config(weights="small").shape(262_145)


def test_weights_that_are_not_installed_are_refused_with_those_that_are(home):
    with pytest.raises(Invalid, match=r"there are no weights 'large' in .*; installed are small") as caught:
        config(weights="large").shape(9)
    assert caught.value.faults[0].to_dict()["loc"] == ["model", "weights"]


@pytest.mark.parametrize("name", ["..", "../small", "/etc", "a/b", ".hidden", "", "a\0b", 7])
def test_a_name_cannot_lead_elsewhere(name):
    with pytest.raises(Invalid, match="must be a name"):
        config(weights=name)


def test_a_directory_may_be_a_link_to_where_large_files_are_kept(home):
    (home / "weights" / "small").rename(home / "elsewhere")
    (home / "weights" / "linked").symlink_to(home / "elsewhere")
    assert installed() == ["linked"]
    assert find_weights("linked") == home / "weights" / "linked"


def test_what_no_config_can_name_is_not_listed(home):
    for name in (b"\xff", b"my model", b".hidden"):
        shutil.copytree(home / "weights" / "small", home / "weights" / os.fsdecode(name))
    assert installed() == ["small"]


def test_a_fingerprint_changes_with_any_file_that_says_what_the_model_is(home):
    directory = home / "weights" / "small"
    (directory / "model.safetensors").write_bytes(b"1")
    before = fingerprint(directory)
    assert sorted(before) == ["config.json", "model.safetensors"]
    (directory / "README.md").write_text("not the model")
    assert fingerprint(directory) == before
    (directory / "model.safetensors").write_bytes(b"2")
    assert fingerprint(directory) != before
