"""The published families that Tunix computes, read by its own loaders from directories as Hugging Face has them."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from tunix.models.gemma import model as gemma2
from tunix.models.gemma import params_safetensors as gemma2_files
from tunix.models.llama3 import model as llama3
from tunix.models.llama3 import params as llama3_files
from tunix.models.qwen2 import model as qwen2
from tunix.models.qwen2 import params as qwen2_files
from tunix.models.qwen3 import model as qwen3
from tunix.models.qwen3 import params as qwen3_files

from training.published import CONFIG, MOST_CONFIG_BYTES, read_object, unusable
from training.published_families import head_dim_of, is_tied, require_family, rope_of

Published = Mapping[str, Any]  # a config.json


class Family(NamedTuple):
    """How Tunix makes a model of a directory."""

    model: Any  # the class
    files: Any  # Tunix's module that reads its tensors
    config: Callable[[Published], Any]  # Tunix's config of a config.json
    prepare: Callable[[Published], None] = lambda published: None  # before any forward pass


def abstract_model(directory: Path, family: str) -> nnx.Module:
    """The model that a published directory describes, without its numbers. Raises Invalid."""
    known, config = _opened(directory, family)
    return nnx.eval_shape(lambda: known.model(config, rngs=nnx.Rngs(params=0)))


def load_model(directory: Path, family: str) -> nnx.Module:
    """The model in a published directory, float32. Raises Invalid when Tunix cannot read its tensors."""
    known, config = _opened(directory, family)
    try:
        return known.files.create_model_from_safe_tensors(str(directory), config, dtype=jnp.float32)
    except (KeyError, TypeError, ValueError, AssertionError, AttributeError) as error:
        raise unusable(f"Tunix cannot read a {family} from {directory}: {type(error).__name__} {error}")


def _opened(directory: Path, family: str) -> tuple[Family, Any]:
    published = read_object(directory / CONFIG, MOST_CONFIG_BYTES)
    require_family(published, family)
    known = FAMILIES[family]
    known.prepare(published)
    return known, known.config(published)


def _gemma2(published: Published) -> Any:
    layers = published["num_hidden_layers"]
    kinds = (gemma2.AttentionType.LOCAL_SLIDING, gemma2.AttentionType.GLOBAL)
    return gemma2.ModelConfig(
        **_common(published, vocabulary="num_embed"),
        final_logit_softcap=published["final_logit_softcapping"],
        attn_logits_soft_cap=published["attn_logit_softcapping"],
        sliding_window_size=published["sliding_window"],
        attention_types=tuple(kinds[layer % 2] for layer in range(layers)),
        use_post_attn_norm=True,
        use_post_ffw_norm=True,
    )


def _llama3(published: Published) -> Any:
    return llama3.ModelConfig(
        **_common(published), **_rope_and_norm(published), weight_tying=is_tied(published, "llama3")
    )


def _qwen2(published: Published) -> Any:
    tied = is_tied(published, "qwen2")
    return qwen2.ModelConfig(**_common(published), **_rope_and_norm(published), use_tied_embedding=tied)


def _qwen3(published: Published) -> Any:
    tied = is_tied(published, "qwen3")
    return qwen3.ModelConfig(**_common(published), **_rope_and_norm(published), use_tied_embedding=tied)


def _common(published: Published, vocabulary: str = "vocab_size") -> dict[str, int]:
    return {
        "num_layers": published["num_hidden_layers"],
        vocabulary: published["vocab_size"],
        "embed_dim": published["hidden_size"],
        "hidden_dim": published["intermediate_size"],
        "num_heads": published["num_attention_heads"],
        "head_dim": head_dim_of(published),
        "num_kv_heads": published["num_key_value_heads"],
    }


def _rope_and_norm(published: Published) -> dict[str, float]:
    return {"rope_theta": rope_of(published)["rope_theta"], "norm_eps": published["rms_norm_eps"]}


def _turn_as_published(module: Any, published: Published) -> None:
    """Tunix's Llama 3 and Qwen 3 turn by a base of 1 000 000, whatever their config says, and never scale it."""
    frequencies = _frequencies(rope_of(published), head_dim_of(published))
    module.apply_rope = partial(_turned, frequencies=frequencies)


def _turned(inputs: Array, positions: Array, *, frequencies: np.ndarray, **_: Any) -> Array:
    """`inputs` [B, L, heads, D] with each pair (i, i + D/2) turned by its angle at `positions` [B, L]."""
    angles = positions[..., None, None].astype(jnp.float32) * frequencies
    first, second = jnp.split(inputs, 2, axis=-1)
    sine, cosine = jnp.sin(angles), jnp.cos(angles)
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def _frequencies(rope: Mapping[str, Any], head_dim: int) -> np.ndarray:
    """Angles a position [D / 2]; those of long waves slower where the config says "llama3" (arXiv:2407.21783)."""
    frequencies = rope["rope_theta"] ** -(np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    if rope["rope_type"] == "default":
        return frequencies.astype(np.float32)
    turns = rope["original_max_position_embeddings"] * frequencies / (2 * math.pi)  # within the first context
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return (frequencies * (kept + (1 - kept) / rope["factor"])).astype(np.float32)


FAMILIES = {
    "gemma2": Family(gemma2.Gemma, gemma2_files, _gemma2),
    "llama3": Family(llama3.Llama3, llama3_files, _llama3, partial(_turn_as_published, llama3)),
    "qwen2": Family(qwen2.Qwen2, qwen2_files, _qwen2),
    "qwen3": Family(qwen3.Qwen3, qwen3_files, _qwen3, partial(_turn_as_published, qwen3)),
}
