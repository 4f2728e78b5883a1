"""Which published models belong to the families that Tunix computes, and how large they are. Known without jax."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.errors import echo
from training.published import CONFIG, read_object, unusable
from training.shapes import ModelShape

MOST_CONFIG_BYTES = 2**20
MODEL_TYPES = {"gemma2": "gemma2", "llama3": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
# What Tunix does not compute, by the field that says it, and the values that are none of it.
ABSENT = {
    "attention_bias": (None, False),
    "mlp_bias": (None, False),
    "use_sliding_window": (None, False),
    "quantization_config": (None,),
}
ROPE_TYPES = {"gemma2": ("default",), "llama3": ("default", "llama3"), "qwen2": ("default",), "qwen3": ("default",)}
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
GEMMA2_THETA, GEMMA2_EPSILON = 10_000.0, 1e-6  # Tunix's own, whatever a config says


def require_family(published: Mapping[str, Any], family: str) -> None:
    """Raises Invalid unless a config.json describes a model of the family that Tunix computes as published."""
    if published.get("model_type") != MODEL_TYPES[family]:
        found = echo(published.get("model_type"))
        raise unusable(f"{CONFIG}: model_type is {found}; the family {family} has {MODEL_TYPES[family]}")
    for name in (*SIZES, "intermediate_size"):
        if type(published.get(name)) is not int or published[name] < 1:
            raise unusable(f"{CONFIG}: {name} must be a whole number above 0, not {echo(published.get(name))}")
    for name, allowed in ABSENT.items():
        if published.get(name) not in allowed:
            raise unusable(f"{CONFIG}: {name} is {echo(published[name])}, which Tunix does not compute")
    rope = published.get("rope_parameters") or published.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ROPE_TYPES[family]:
        raise unusable(f"{CONFIG}: rotary positions of the type {echo(kind)}, which Tunix does not compute")
    if family == "gemma2":
        _require_gemma2(published, rope)


def read_family_shape(directory: Path, family: str) -> ModelShape:
    """The sizes of a published model, for plans. Raises Invalid."""
    published = read_object(directory / CONFIG, MOST_CONFIG_BYTES)
    require_family(published, family)
    vocab_size, width, layers, heads, kv_heads = (published[name] for name in SIZES)
    head_dim = published.get("head_dim") or width // heads
    window = published.get("sliding_window") or 2**31
    inner = published["intermediate_size"]
    return ModelShape(vocab_size, width, layers, heads, kv_heads, head_dim, inner, window, query_scale=head_dim)


def _require_gemma2(published: Mapping[str, Any], rope: Mapping[str, Any]) -> None:
    theta = rope.get("rope_theta", published.get("rope_theta", GEMMA2_THETA))
    scale, head_dim = published.get("query_pre_attn_scalar", 256), published.get("head_dim", 256)
    found = (theta, published.get("rms_norm_eps", GEMMA2_EPSILON), scale)
    if found != (GEMMA2_THETA, GEMMA2_EPSILON, head_dim):
        msg = f"rope_theta, rms_norm_eps and query_pre_attn_scalar are {found}; Tunix computes"
        raise unusable(f"{CONFIG}: {msg} {(GEMMA2_THETA, GEMMA2_EPSILON, head_dim)}")
