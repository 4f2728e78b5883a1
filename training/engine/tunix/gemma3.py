"""Tunix's Gemma 3 with our parameters in it, and back: the same numbers under other names and in another order."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array
from tunix.models.gemma3 import model as gemma3

from training.engine.model import Params
from training.errors import Fault, Invalid
from training.shapes import ModelShape

Tree = dict[Any, Any]  # a model's parameters as nnx names them; layers have numbers

PATTERN = len(gemma3.GEMMA3_ATTENTION_PATTERN)  # Tunix's every sixth layer is global, whatever a config says
EPSILON = 1e-6  # of Tunix's norms
NORMS = {
    "pre_attention_norm": "attention_norm",
    "post_attention_norm": "after_attention_norm",
    "pre_ffw_norm": "mlp_norm",
    "post_ffw_norm": "after_mlp_norm",
}


def abstract_model(shape: ModelShape) -> gemma3.Gemma3:
    """The model without its numbers. Raises Invalid for a shape that Tunix cannot compute."""
    if (shape.global_every, shape.norm_epsilon, shape.query_scale) != (PATTERN, EPSILON, shape.head_dim):
        msg = f"Tunix's Gemma 3 has every {PATTERN}th layer global, queries scaled by their size and an ε of {EPSILON}"
        raise Invalid(Fault(("model", "size"), msg, "wrong_value"))
    config = model_config(shape, jnp.float32)
    return nnx.eval_shape(lambda: gemma3.Gemma3(config, rngs=nnx.Rngs(params=0)))


def model_config(shape: ModelShape, dtype: Any) -> gemma3.ModelConfig:
    """Tunix's description of the model, its parameters of type `dtype`."""
    return gemma3.ModelConfig(
        num_layers=shape.layers,
        num_embed=shape.vocab_size,
        embed_dim=shape.width,
        hidden_dim=shape.mlp_width,
        num_heads=shape.heads,
        head_dim=shape.head_dim,
        num_kv_heads=shape.kv_heads,
        sliding_window_size=shape.window,
        local_base_frequency=int(shape.local_theta),
        global_base_frequency=int(shape.global_theta),
        param_dtype=dtype,
    )


def to_tunix(params: Params, shape: ModelShape) -> Tree:
    """Our parameters as Tunix has them."""

    def layer(ours: Params) -> Tree:
        attention, (gate, up) = ours["attention"], jnp.split(ours["mlp"]["gate_up"], 2, axis=1)
        kernels = {"gate_proj": gate, "up_proj": up, "down_proj": ours["mlp"]["down"]}
        return {
            "attn": {
                "_query_norm": {"scale": attention["query_norm"]["weight"]},
                "_key_norm": {"scale": attention["key_norm"]["weight"]},
                "attn_vec_einsum": {"w": attention["out"]},
                **_split_heads(attention["qkv"], shape),
            },
            "mlp": {name: {"kernel": kernel} for name, kernel in kernels.items()},
            **{theirs: {"scale": ours[name]["weight"]} for theirs, name in NORMS.items()},
        }

    return {
        "embedder": {"input_embedding": params["embedding"]},
        "layers": {i: layer(params[f"block_{i}"]) for i in range(shape.layers)},
        "final_norm": {"scale": params["final_norm"]["weight"]},
    }


def to_ours(tree: Tree, shape: ModelShape) -> Params:
    """Tunix's parameters as our model has them."""

    def block(theirs: Tree) -> Params:
        attention, kernels = theirs["attn"], {name: part["kernel"] for name, part in theirs["mlp"].items()}
        return {
            "attention": {
                "query_norm": {"weight": attention["_query_norm"]["scale"]},
                "key_norm": {"weight": attention["_key_norm"]["scale"]},
                "out": attention["attn_vec_einsum"]["w"],
                "qkv": _joined_heads(attention),
            },
            "mlp": {
                "gate_up": jnp.concatenate([kernels["gate_proj"], kernels["up_proj"]], axis=1),
                "down": kernels["down_proj"],
            },
            **{ours: {"weight": theirs[name]["scale"]} for name, ours in NORMS.items()},
        }

    return {
        "embedding": tree["embedder"]["input_embedding"],
        **{f"block_{i}": block(tree["layers"][i]) for i in range(shape.layers)},
        "final_norm": {"weight": tree["final_norm"]["scale"]},
    }


def _split_heads(qkv: Array, shape: ModelShape) -> Tree:
    """[W, H + 2 K, D] as one matrix a head, [heads, W, D]: queries apart from keys and values, or all alike in one."""
    heads, kv_heads = shape.heads, shape.kv_heads
    queries, keys, values = jnp.split(jnp.swapaxes(qkv, 0, 1), [heads, heads + kv_heads])
    if heads == kv_heads:
        return {"qkv_einsum": {"w": jnp.stack([queries, keys, values])}}
    return {"q_einsum": {"w": queries}, "kv_einsum": {"w": jnp.stack([keys, values])}}


def _joined_heads(attention: Tree) -> Array:
    if "qkv_einsum" in attention:
        parts = list(attention["qkv_einsum"]["w"])
    else:
        parts = [attention["q_einsum"]["w"], *attention["kv_einsum"]["w"]]
    return jnp.swapaxes(jnp.concatenate(parts), 0, 1)
