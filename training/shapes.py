"""The dimensions of a model, known without jax: plans, forms and pages need them; only the engine builds the model."""

from collections.abc import Iterable
from dataclasses import dataclass

from training.errors import Fault, Invalid, echo

OWN_FAMILY = "gemma3"  # which both engines compute; the others are Tunix's
FAMILIES = (OWN_FAMILY, "gemma2", "llama3", "qwen2", "qwen3")


@dataclass(frozen=True)
class ModelShape:
    """A Gemma 3 text model. Names follow the paper; the field of the published config stands behind each.

    Source: Gemma 3 technical report (arXiv:2503.19786) and the published `config.json` files.
    """

    vocab_size: int
    width: int  # hidden_size
    layers: int  # num_hidden_layers
    heads: int  # num_attention_heads
    kv_heads: int  # num_key_value_heads, divides `heads`
    head_dim: int
    mlp_width: int  # intermediate_size
    window: int  # sliding_window: a local layer sees this many tokens, itself included
    query_scale: int  # query_pre_attn_scalar: scores are divided by its square root
    global_every: int = 6  # the 6th, 12th, … layer sees the whole sequence
    local_theta: float = 10_000.0  # RoPE base of local layers
    global_theta: float = 1_000_000.0  # RoPE base of global layers
    norm_epsilon: float = 1e-6

    def is_global(self, layer: int) -> bool:
        """Whether the layer with this index (from 0) attends to everything before it."""
        return (layer + 1) % self.global_every == 0

    @property
    def layer_vectors(self) -> int:
        """Numbers of a layer that are in no matrix: weights of norms."""
        return 4 * self.width + 2 * self.head_dim

    @property
    def head_size(self) -> int:
        """Numbers of the output matrix: none, it is the embedding again."""
        return 0


@dataclass(frozen=True)
class FamilyShape(ModelShape):
    """A model of a family that only Tunix computes, as far as plans need it."""

    family: str = ""
    is_tied: bool = True  # the embedding is the output matrix too

    @property
    def layer_vectors(self) -> int:
        norms = {"gemma2": 4 * self.width, "qwen3": 2 * self.width + 2 * self.head_dim}.get(self.family, 2 * self.width)
        biases = (self.heads + 2 * self.kv_heads) * self.head_dim if self.family == "qwen2" else 0
        return norms + biases

    @property
    def head_size(self) -> int:
        return 0 if self.is_tied else self.vocab_size * self.width


# fmt: off
_COLUMNS = ("width", "layers", "heads", "kv_heads", "head_dim", "mlp_width", "window", "query_scale")
_ROWS = {                                                             # parameters
    "tiny":   (128,   6, 4, 1,  32,  320, 256,  32),                  # 1.05 M with 512 tokens
    "small":  (256,   6, 4, 1,  64,  768, 256,  64),                  # 4.7 M
    "medium": (384,  12, 6, 2,  64, 1152, 512,  64),                  # 20.9 M
    "270m":   (640,  18, 4, 1, 256, 2048, 512, 256),                  # 268 M with 262 144 tokens, as published
    "1b":     (1152, 26, 4, 1, 256, 6912, 512, 256),                  # 1.00 G
}
# fmt: on
SIZES: dict[str, dict[str, int]] = {name: dict(zip(_COLUMNS, row, strict=True)) for name, row in _ROWS.items()}


def model_shape(size: str, vocab_size: int) -> ModelShape:
    """The shape called `size` over a vocabulary of `vocab_size` tokens. Raises Invalid for an unknown size."""
    if size not in SIZES:
        allowed = ", ".join(SIZES)
        raise Invalid(
            Fault(("model", "size"), f"{echo(size)} is not a model size; choose one of {allowed}", "unknown_value")
        )
    return ModelShape(vocab_size=vocab_size, **SIZES[size])


def projections(shape: ModelShape) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of each matrix of a layer, by its published name."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return {
        "q_proj": (shape.width, queries),
        "k_proj": (shape.width, keys),
        "v_proj": (shape.width, keys),
        "o_proj": (queries, shape.width),
        "gate_proj": (shape.width, shape.mlp_width),
        "up_proj": (shape.width, shape.mlp_width),
        "down_proj": (shape.mlp_width, shape.width),
    }


def parameter_count(shape: ModelShape) -> int:
    """How many numbers the model is. An embedding that is the output matrix too counts once."""
    matrices = sum(inputs * outputs for inputs, outputs in projections(shape).values())
    layers = shape.layers * (matrices + shape.layer_vectors)
    return shape.vocab_size * shape.width + layers + shape.width + shape.head_size


def adapter_count(shape: ModelShape, rank: int, targets: Iterable[str]) -> int:
    """How many numbers adapters of this rank are: two thin matrices beside each target of every layer."""
    sizes = projections(shape)
    return shape.layers * rank * sum(sum(sizes[target]) for target in targets)
