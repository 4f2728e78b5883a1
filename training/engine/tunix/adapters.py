"""LoRA by qwix on Tunix's models, and the same adapters as our own LoRA has them for Gemma 3."""

from typing import Any

import jax.numpy as jnp
import qwix
from flax import nnx

from training.config import LoraConfig
from training.engine.model import Params
from training.shapes import ModelShape

Tree = dict[Any, Any]

# Modules of Tunix's models that hold a published matrix. Gemma's queries, keys and values may share one.
MODULES = {
    "q_proj": ("q_proj", "q_einsum", "qkv_einsum"),
    "k_proj": ("k_proj", "kv_einsum", "qkv_einsum"),
    "v_proj": ("v_proj", "kv_einsum", "qkv_einsum"),
    "o_proj": ("o_proj", "attn_vec_einsum"),
    "gate_proj": ("gate_proj",),
    "up_proj": ("up_proj",),
    "down_proj": ("down_proj",),
}


def with_adapters(model: Any, lora: LoraConfig, seed: int) -> nnx.Module:
    """The model with fresh adapters beside the targets' matrices; those of one matrix share their A."""
    modules = sorted({module for target in lora.targets for module in MODULES[target]})
    provider = qwix.LoraProvider(module_path=f".*({'|'.join(modules)})", rank=lora.rank, alpha=lora.alpha)
    return qwix.apply_lora_to_model(model, provider, **model.get_model_input(), rngs=nnx.Rngs(seed))


def to_ours(tree: Tree, *, shape: ModelShape, lora: LoraConfig) -> Params:
    """qwix's adapters of Tunix's Gemma 3 as our own: {block: {target: A [inputs, rank], B [rank, outputs]}}."""

    def pair(a: Any, b: Any) -> Params:
        return {"a": a.reshape(-1, lora.rank), "b": b.reshape(lora.rank, -1)}

    def block(layer: Tree) -> Params:
        attention, kernels = layer.get("attn", {}), layer.get("mlp", {})
        found = {name: pair(part["kernel_lora_a"], part["kernel_lora_b"]) for name, part in kernels.items()}
        for module, names in (("attn_vec_einsum", ("o_proj",)), ("q_einsum", ("q_proj",))):
            if module in attention:
                found[names[0]] = pair(attention[module]["w_lora_a"], attention[module]["w_lora_b"])
        for module, targets in (("kv_einsum", ("k_proj", "v_proj")), ("qkv_einsum", ("q_proj", "k_proj", "v_proj"))):
            for number, target in enumerate(targets if module in attention else ()):
                found[target] = pair(attention[module]["w_lora_a"], attention[module]["w_lora_b"][:, number])
        return {target: found[target] for target in lora.targets}

    return {f"block_{i}": block(tree["layers"][i]) for i in range(shape.layers)}


def to_tunix(adapters: Params, *, shape: ModelShape, lora: LoraConfig) -> Tree:
    """Our own adapters as qwix has them; those of one matrix must share their A, as `to_ours` gives them."""

    def layer(block: Params) -> Tree:
        attention: Tree = {}
        for module, targets in _attention_modules(shape).items():
            if set(targets) <= block.keys():
                parts = [block[target]["b"].reshape(lora.rank, -1, shape.head_dim) for target in targets]
                b = jnp.stack(parts, axis=1) if len(parts) > 1 else parts[0]
                attention[module] = {"w_lora_a": block[targets[0]]["a"], "w_lora_b": b}
        if "o_proj" in block:
            a = block["o_proj"]["a"].reshape(shape.heads, shape.head_dim, lora.rank)
            attention["attn_vec_einsum"] = {"w_lora_a": a, "w_lora_b": block["o_proj"]["b"]}
        mlp = {
            name: {"kernel_lora_a": block[name]["a"], "kernel_lora_b": block[name]["b"]}
            for name in ("gate_proj", "up_proj", "down_proj")
            if name in block
        }
        return {name: part for name, part in (("attn", attention), ("mlp", mlp)) if part}

    return {"layers": {i: layer(adapters[f"block_{i}"]) for i in range(shape.layers)}}


def _attention_modules(shape: ModelShape) -> dict[str, tuple[str, ...]]:
    """Which published matrices share one in Tunix's Gemma 3."""
    if shape.heads == shape.kv_heads:
        return {"qkv_einsum": ("q_proj", "k_proj", "v_proj")}
    return {"q_einsum": ("q_proj",), "kv_einsum": ("k_proj", "v_proj")}
