"""Our parameters and the tensors of a published Gemma 3 checkpoint that hold the same numbers, name by name.

The one owner of this mapping: loading, export and the comparison with PyTorch go by it. Knows numpy only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.shapes import ModelShape

EMBEDDING, HEAD = "embed_tokens.weight", "lm_head.weight"  # the head is the embedding again, where it is published


@dataclass(frozen=True)
class Parameter:
    """One of our parameters, and its published tensors by name without the prefix of the model.

    Published matrices are [out, in]; ours are [in, out], and one may hold several published ones side by side.
    """

    path: str  # "block_0/attention/qkv"
    shape: tuple[int, ...]
    tensors: Mapping[str, tuple[int, ...]]
    is_turned: bool = False

    def assemble(self, tensors: Sequence[np.ndarray]) -> np.ndarray:
        """Our array, float32, of the published tensors in their order."""
        turned = [tensor.astype(np.float32).T if self.is_turned else tensor.astype(np.float32) for tensor in tensors]
        return np.concatenate(turned, axis=-1).reshape(self.shape)

    def take_apart(self, value: np.ndarray) -> dict[str, np.ndarray]:
        """The published tensors of our array; views of it where that is possible."""
        if not self.is_turned:
            return dict.fromkeys(self.tensors, value)
        outputs = [shape[0] for shape in self.tensors.values()]
        matrix = value.reshape(-1, sum(outputs))
        parts = np.split(matrix, np.cumsum(outputs)[:-1], axis=1)
        return {name: part.T for name, part in zip(self.tensors, parts, strict=True)}


def parameters(shape: ModelShape) -> Iterator[Parameter]:
    """Every parameter of a model of this shape."""
    width, inner, head_dim = shape.width, shape.mlp_width, shape.head_dim
    heads = {"q": shape.heads, "k": shape.kv_heads, "v": shape.kv_heads}
    yield Parameter("embedding", (shape.vocab_size, width), {EMBEDDING: (shape.vocab_size, width)})
    for layer in range(shape.layers):
        ours, theirs = f"block_{layer}", f"layers.{layer}"
        qkv = {f"{theirs}.self_attn.{name}_proj.weight": (count * head_dim, width) for name, count in heads.items()}
        gate_up = {f"{theirs}.mlp.{name}_proj.weight": (inner, width) for name in ("gate", "up")}
        yield _norm(f"{ours}/attention_norm", f"{theirs}.input_layernorm", width)
        yield _matrix(f"{ours}/attention/qkv", (width, sum(heads.values()), head_dim), qkv)
        yield _norm(f"{ours}/attention/query_norm", f"{theirs}.self_attn.q_norm", head_dim)
        yield _norm(f"{ours}/attention/key_norm", f"{theirs}.self_attn.k_norm", head_dim)
        out = {f"{theirs}.self_attn.o_proj.weight": (width, shape.heads * head_dim)}
        yield _matrix(f"{ours}/attention/out", (shape.heads, head_dim, width), out)
        yield _norm(f"{ours}/after_attention_norm", f"{theirs}.post_attention_layernorm", width)
        yield _norm(f"{ours}/mlp_norm", f"{theirs}.pre_feedforward_layernorm", width)
        yield _matrix(f"{ours}/mlp/gate_up", (width, 2 * inner), gate_up)
        yield _matrix(f"{ours}/mlp/down", (inner, width), {f"{theirs}.mlp.down_proj.weight": (width, inner)})
        yield _norm(f"{ours}/after_mlp_norm", f"{theirs}.post_feedforward_layernorm", width)
    yield _norm("final_norm", "norm", width)


def _norm(path: str, name: str, size: int) -> Parameter:
    return Parameter(f"{path}/weight", (size,), {f"{name}.weight": (size,)})


def _matrix(path: str, shape: tuple[int, ...], tensors: Mapping[str, tuple[int, ...]]) -> Parameter:
    return Parameter(path, shape, tensors, is_turned=True)
