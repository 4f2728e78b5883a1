"""config.json of the families that Tunix computes: how large the real ones are, and everything that can be wrong."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from training.errors import Invalid
from training.published_families import read_family_shape, rope_of
from training.shapes import parameter_count

LLAMA3_ROPE = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip


def config(model_type: str, sizes: tuple[int, ...], **more: Any) -> dict[str, Any]:
    names = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    return {"model_type": model_type, **dict(zip((*names, "intermediate_size"), sizes, strict=True)), **more}


# As published, without what we do not read; and how many numbers each model is.
PUBLISHED = {
    "llama3": (
        config(
            "llama", (128_256, 4096, 32, 32, 8, 14_336), rope_theta=500_000.0, rope_scaling=LLAMA3_ROPE,
            rms_norm_eps=1e-5, tie_word_embeddings=False, attention_bias=False, mlp_bias=False,
        ),
        8_030_261_248,  # Llama 3.1 8B
    ),
    "qwen2": (
        config(
            "qwen2", (151_936, 896, 24, 14, 2, 4864), rope_theta=1e6, rms_norm_eps=1e-6, tie_word_embeddings=True,
            use_sliding_window=False, sliding_window=32_768,
        ),
        494_032_768,  # Qwen 2.5 0.5B
    ),
    "qwen3": (
        config(
            "qwen3", (151_936, 1024, 28, 16, 8, 3072), head_dim=128, rope_theta=1_000_000, rope_scaling=None,
            rms_norm_eps=1e-6, tie_word_embeddings=True, attention_bias=False, sliding_window=None,
        ),
        596_049_920,  # Qwen 3 0.6B
    ),
    "gemma2": (
        config(
            "gemma2", (256_000, 2304, 26, 8, 4, 9216), head_dim=256, rope_theta=10_000.0, rms_norm_eps=1e-6,
            query_pre_attn_scalar=256, attn_logit_softcapping=50.0, final_logit_softcapping=30.0, sliding_window=4096,
        ),
        2_614_341_888,  # Gemma 2 2B
    ),
}  # fmt: skip
STRANGE = ("x", "", [], [1], {}, {"a": 1}, True, -1, 0, 0.5, 2**40, 10**400)
NEEDED = {
    "llama3": ("num_key_value_heads", "intermediate_size", "rope_theta", "rms_norm_eps"),
    "qwen2": ("hidden_size", "rope_theta", "rms_norm_eps"),
    "qwen3": ("head_dim", "rope_theta", "rms_norm_eps"),
    "gemma2": ("head_dim", "sliding_window", "attn_logit_softcapping", "final_logit_softcapping"),
}
WRONG = {
    "scaling that is text": ("llama3", {"rope_scaling": "x"}, "rope_scaling must be an object"),
    "parameters that are a list": ("qwen3", {"rope_parameters": [1]}, "rope_parameters must be an object"),
    "heads of text": ("llama3", {"head_dim": "a"}, "head_dim must be a whole number above 0, not 'a'"),
    "odd heads": ("qwen3", {"head_dim": 7}, "head_dim 7 is odd"),
    "a width that heads do not share": ("qwen2", {"hidden_size": 897}, "14 does not divide a hidden_size of 897"),
    "heads that do not share keys": ("qwen3", {"num_key_value_heads": 3}, "num_key_value_heads 3 does not divide"),
    "no epsilon": ("qwen2", {"rms_norm_eps": None}, "rms_norm_eps must be a number above 0, not None"),
    "a base within nothing": ("llama3", {"rope_parameters": {"rope_theta": None}}, "rope_theta must be a number"),
    "a scaling without its factor": ("llama3", {"rope_scaling": {"rope_type": "llama3"}}, "factor must be a number"),
    "a scaling of the old name": ("llama3", {"rope_scaling": {"type": "linear"}}, "of the type 'linear'"),
    "frequencies that cross": ("llama3", {"rope_scaling": LLAMA3_ROPE | {"low_freq_factor": 4.0}}, "low_freq_factor"),
    "a tie of text": ("qwen3", {"tie_word_embeddings": "no"}, "tie_word_embeddings must be true or false"),
    "an untied Gemma": ("gemma2", {"tie_word_embeddings": False}, "tie_word_embeddings is false"),
    "no softcap": ("gemma2", {"final_logit_softcapping": None}, "final_logit_softcapping must be a number"),
    "no window": ("gemma2", {"sliding_window": None}, "sliding_window must be a whole number"),
    "an epsilon of another Gemma": ("gemma2", {"rms_norm_eps": None}, "rms_norm_eps and query_pre_attn_scalar are"),
}


def shape_of(published: Mapping[str, Any], family: str, directory):
    (directory / "config.json").write_text(json.dumps(published))
    return read_family_shape(directory, family)


@pytest.mark.parametrize("family", PUBLISHED)
def test_a_published_model_has_as_many_numbers_as_its_publisher_says(family, tmp_path):
    published, numbers = PUBLISHED[family]
    assert parameter_count(shape_of(published, family, tmp_path)) == numbers


@pytest.mark.parametrize(("family", "change", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_its_field(family, change, message, tmp_path):
    with pytest.raises(Invalid) as caught:
        shape_of(PUBLISHED[family][0] | change, family, tmp_path)
    assert message in str(caught.value)
    assert caught.value.faults[0].loc == ("model", "weights")


@pytest.mark.parametrize("family", PUBLISHED)
def test_any_field_with_any_value_gives_a_shape_or_a_sentence(family, tmp_path):
    published, _ = PUBLISHED[family]
    for name in (*published, *LLAMA3_ROPE, "rope_parameters", "head_dim", "sliding_window", "quantization_config"):
        for value in (None, *STRANGE, *({inner: value} for inner in ("rope_type", "rope_theta") for value in STRANGE)):
            with suppress(Invalid):
                assert parameter_count(shape_of(published | {name: value}, family, tmp_path)) > 0


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, names in NEEDED.items() for name in names])
def test_what_is_read_must_be_there(family, name, tmp_path):
    published = {field: value for field, value in PUBLISHED[family][0].items() if field != name}
    with pytest.raises(Invalid, match=rf"config\.json: {name} must be a"):
        shape_of(published, family, tmp_path)


def test_the_scaling_of_the_old_name_is_the_same():
    named = {name: value for name, value in LLAMA3_ROPE.items() if name != "rope_type"} | {"type": "llama3"}
    assert rope_of({"rope_scaling": named, "rope_theta": 1e6})["rope_type"] == "llama3"
