"""Adapters in the files of PEFT, which loads them beside the same base in PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from training.config import LoraConfig
from training.engine.lora import Adapters
from training.files import directory_atomic, fsync_file, write_json_atomic

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
MLP = ("gate_proj", "up_proj", "down_proj")  # the other targets stand in self_attn


def save_adapter(directory: Path, adapters: Adapters, lora: LoraConfig, *, base: str | None) -> None:
    """Writes a new directory that `peft.PeftModel.from_pretrained` reads; `base` names what the adapters stand beside.

    Raises FileExistsError.
    """
    with directory_atomic(directory) as aside:
        save_file(_tensors(adapters), aside / TENSORS, metadata={"format": "pt"})
        (aside / TENSORS).chmod(0o644)  # as any new file: the package's is for its owner alone
        fsync_file(aside / TENSORS)
        write_json_atomic(aside / CONFIG, _description(lora, base))


def _tensors(adapters: Adapters) -> dict[str, np.ndarray]:
    """A and B of every adapter, float32 and turned: published matrices are [out, in]."""
    tensors = {}
    for layer in range(len(adapters)):
        for target, pair in adapters[f"block_{layer}"].items():
            module = f"base_model.model.model.layers.{layer}.{'mlp' if target in MLP else 'self_attn'}.{target}"
            for name in ("a", "b"):
                turned = np.asarray(pair[name], np.float32).T
                tensors[f"{module}.lora_{name.upper()}.weight"] = np.ascontiguousarray(turned)
    return tensors


def _description(lora: LoraConfig, base: str | None) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": list(lora.targets),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
