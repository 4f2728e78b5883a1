"""Makes a small random model of each family with transformers and has Tunix compute it: `tunix_families.py DIR`.

Prints {family: [largest logit, largest difference of a logit]} as JSON.
"""

import json
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import torch
import transformers

from training.engine.tunix.families import load_model

COMMON = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "attn_implementation": "eager",
    "initializer_range": 0.2,
}
SCALED = {
    "rope_type": "llama3", "rope_theta": 500_000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
GEMMA2 = {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 6}
MODELS = {
    "gemma2": ("Gemma2", GEMMA2),
    "llama3": ("Llama", {"rope_parameters": SCALED, "tie_word_embeddings": True}),
    "llama3, not tied": ("Llama", {"rope_theta": 500_000.0, "tie_word_embeddings": False}),
    "qwen2": ("Qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"head_dim": 16, "rope_parameters": {"rope_type": "default", "rope_theta": 5_000_000.0}}),
}


def main(directory: Path) -> None:
    print(json.dumps({name: compared(directory / name, name.split(",")[0], *MODELS[name]) for name in MODELS}))


def compared(directory: Path, family: str, prefix: str, more: dict) -> list[float]:
    torch.manual_seed(0)
    config = getattr(transformers, f"{prefix}Config")(**COMMON, **more)
    theirs = getattr(transformers, f"{prefix}ForCausalLM")(config)
    for name, value in theirs.named_parameters():
        if value.ndim == 1:  # norms and biases: their fresh values would hide a mistake
            torch.nn.init.normal_(value, 0.5 if "norm" in name else 0.0, 0.2)
    theirs.save_pretrained(directory)
    tokens = np.random.default_rng(0).integers(0, COMMON["vocab_size"], (2, 24))
    with torch.inference_mode():
        expected = theirs(torch.tensor(tokens)).logits.numpy()
    places = jnp.broadcast_to(jnp.arange(24), (2, 24))
    causal = jnp.broadcast_to(jnp.tril(jnp.ones((24, 24), bool)), (2, 24, 24))
    found, _ = load_model(directory, family)(jnp.array(tokens), places, None, causal)
    return [float(np.abs(expected).max()), float(np.abs(expected - found).max())]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
