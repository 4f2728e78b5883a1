"""Which published models belong to the families that Tunix computes, and how large they are. Known without jax."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.errors import echo
from training.published import CONFIG, MOST_CONFIG_BYTES, positive_number, read_object, unusable, wrong_field
from training.shapes import FamilyShape

MODEL_TYPES = {"gemma2": "gemma2", "llama3": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
# What Tunix does not compute, by the field that says it, and the values that are none of it.
ABSENT = {
    "attention_bias": (None, False),
    "mlp_bias": (None, False),
    "use_sliding_window": (None, False),
    "quantization_config": (None,),
}
ROPE_TYPES = {"gemma2": ("default",), "llama3": ("default", "llama3"), "qwen2": ("default",), "qwen3": ("default",)}
LLAMA3_ROPE = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
NAMED_HEADS = ("gemma2", "qwen3")  # whose heads are not as wide as their share of the layer
GEMMA2_THETA, GEMMA2_EPSILON = 10_000.0, 1e-6  # Tunix's own, whatever a config says
LARGEST = 2**31


def require_family(published: Mapping[str, Any], family: str) -> None:
    """Raises Invalid unless a config.json describes a model of the family that Tunix computes as published.

    What other parts read of it is there afterwards, and of its kind.
    """
    if published.get("model_type") != MODEL_TYPES[family]:
        found = echo(published.get("model_type"))
        raise wrong_field("model_type", f"is {found}; the family {family} has {MODEL_TYPES[family]}")
    for name in (*SIZES, "intermediate_size"):
        _require_whole(published, name)
    for name, allowed in ABSENT.items():
        if published.get(name) not in allowed:
            raise wrong_field(name, f"is {echo(published[name])}, which Tunix does not compute")
    if published.get("tie_word_embeddings") not in (None, True, False):
        raise wrong_field("tie_word_embeddings", f"must be true or false, not {echo(published['tie_word_embeddings'])}")
    _require_heads(published, family)
    rope = rope_of(published)
    if rope["rope_type"] not in ROPE_TYPES[family]:
        msg = f"{CONFIG}: rotary positions of the type {echo(rope['rope_type'])}, which Tunix does not compute"
        raise unusable(msg)
    if rope["rope_type"] == "llama3":
        _require_llama3_rope(rope)
    if family == "gemma2":
        _require_gemma2(published, rope)
    else:
        positive_number(rope, "rope_theta")
        positive_number(published, "rms_norm_eps")


def rope_of(published: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary positions: their type, base and scaling, from `rope_parameters` or older fields. Raises Invalid."""
    name = "rope_parameters" if published.get("rope_parameters") is not None else "rope_scaling"
    given = published.get(name)
    if given is not None and not isinstance(given, Mapping):
        raise wrong_field(name, f"must be an object, not {echo(given)}")
    rope = {"rope_theta": published.get("rope_theta")} | dict(given or {})
    return rope | {"rope_type": rope.get("rope_type", rope.get("type", "default"))}


def head_dim_of(published: Mapping[str, Any]) -> int:
    """Numbers of a head, of a config.json that `require_family` let pass."""
    return published.get("head_dim") or published["hidden_size"] // published["num_attention_heads"]


def is_tied(published: Mapping[str, Any], family: str) -> bool:
    """Whether the embedding is the output matrix too."""
    return family == "gemma2" or bool(published.get("tie_word_embeddings"))


def read_family_shape(directory: Path, family: str) -> FamilyShape:
    """The sizes of a published model, for plans. Raises Invalid."""
    published = read_object(directory / CONFIG, MOST_CONFIG_BYTES)
    require_family(published, family)
    vocab_size, width, layers, heads, kv_heads = (published[name] for name in SIZES)
    head_dim = head_dim_of(published)
    return FamilyShape(
        vocab_size,
        width,
        layers,
        heads,
        kv_heads,
        head_dim,
        mlp_width=published["intermediate_size"],
        window=published["sliding_window"] if family == "gemma2" else LARGEST,
        query_scale=head_dim,
        family=family,
        is_tied=is_tied(published, family),
    )


def _require_whole(published: Mapping[str, Any], name: str) -> None:
    value = published.get(name)
    if type(value) is not int or not 0 < value < LARGEST:
        raise wrong_field(name, f"must be a whole number above 0, not {echo(value)}")


def _require_heads(published: Mapping[str, Any], family: str) -> None:
    width, heads, kv_heads = (published[name] for name in ("hidden_size", *SIZES[-2:]))
    if family in NAMED_HEADS or published.get("head_dim") is not None:
        _require_whole(published, "head_dim")
    elif width % heads:
        raise wrong_field("num_attention_heads", f"{heads} does not divide a hidden_size of {width}")
    if heads % kv_heads:
        raise wrong_field("num_key_value_heads", f"{kv_heads} does not divide {heads} attention heads")
    if head_dim_of(published) % 2:
        raise wrong_field("head_dim", f"{head_dim_of(published)} is odd; rotary positions turn pairs")


def _require_llama3_rope(rope: Mapping[str, Any]) -> None:
    for name in LLAMA3_ROPE:
        positive_number(rope, name)
    if rope["low_freq_factor"] >= rope["high_freq_factor"]:
        raise wrong_field("low_freq_factor", f"{rope['low_freq_factor']} is not below that of high frequencies")


def _require_gemma2(published: Mapping[str, Any], rope: Mapping[str, Any]) -> None:
    if published.get("tie_word_embeddings") is False:
        raise wrong_field("tie_word_embeddings", "is false, which Tunix's gemma2 does not compute")
    _require_whole(published, "sliding_window")
    for name in ("attn_logit_softcapping", "final_logit_softcapping"):
        positive_number(published, name)
    theta = GEMMA2_THETA if rope["rope_theta"] is None else rope["rope_theta"]
    scale, head_dim = published.get("query_pre_attn_scalar", 256), published["head_dim"]
    found = (theta, published.get("rms_norm_eps", GEMMA2_EPSILON), scale)
    if found != (GEMMA2_THETA, GEMMA2_EPSILON, head_dim):
        msg = f"rope_theta, rms_norm_eps and query_pre_attn_scalar are {echo(found)}; Tunix computes"
        raise unusable(f"{CONFIG}: {msg} {(GEMMA2_THETA, GEMMA2_EPSILON, head_dim)}")
