"""Published weights: which are installed, and what model their config.json describes. Known without jax.

`$TUNIXRT_HOME/weights/NAME/` is a directory as Hugging Face has it: config.json, model.safetensors or its shards with
their index, tokenizer.json. The directory itself may be a link to where large files are kept.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training import strict_json
from training.errors import Fault, Invalid, echo
from training.files import file_sha256
from training.home import home
from training.json_rules import MAX_KEYS
from training.shapes import ModelShape

CONFIG, TOKENIZER_FILE = "config.json", "tokenizer.json"
LOC = ("model", "weights")  # the field of a config that names them
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # of a directory that a config may name
MOST_CONFIG_BYTES = 2**20
# Each dimension's published name, and its value where a file is silent: those of transformers' Gemma3TextConfig.
WHOLE = {
    "vocab_size": ("vocab_size", 262_208),
    "width": ("hidden_size", 2304),
    "layers": ("num_hidden_layers", 26),
    "heads": ("num_attention_heads", 8),
    "kv_heads": ("num_key_value_heads", 4),
    "head_dim": ("head_dim", 256),
    "mlp_width": ("intermediate_size", 9216),
    "window": ("sliding_window", 4096),
    "query_scale": ("query_pre_attn_scalar", 256),
}
LOCAL_THETA, GLOBAL_THETA, NORM_EPSILON, GLOBAL_EVERY = 10_000.0, 1_000_000.0, 1e-6, 6
ACTIVATION = "gelu_pytorch_tanh"
# What our model does not compute: a file may only switch it off.
ABSENT = {
    "attn_logit_softcapping": "soft-capped attention scores",
    "final_logit_softcapping": "soft-capped logits",
    "rope_scaling": "scaled rotary positions",
    "attention_bias": "biases in attention",
    "use_bidirectional_attention": "attention in both directions",
    "quantization_config": "quantised weights",
}
LOCAL, GLOBAL = "sliding_attention", "full_attention"


@contextmanager
def readable() -> Iterator[None]:
    """What the system says of a file of weights that it does not read is raised as Invalid."""
    try:
        yield
    except OSError as error:
        file = Path(error.filename or "")
        raise unusable(f"{file.parent}: {echo(file.name)} cannot be read: {error.strerror or error}")


@readable()
def find_weights(name: str) -> Path:
    """The directory of installed weights. Raises Invalid, naming those that are installed, when there are none."""
    directory = _weights_home() / name
    if not (directory / CONFIG).is_file():
        found = installed()
        there = f"installed are {', '.join(found)}" if found else "none are installed"
        raise unusable(f"there are no weights {echo(name)} in {_weights_home()}; {there}", "weights_missing")
    return directory


def installed() -> list[str]:
    """Names of the weights in `$TUNIXRT_HOME/weights/`; directories that no config can name are none."""
    names = (path.parent.name for path in _weights_home().glob(f"*/{CONFIG}"))
    return sorted(name for name in names if NAME.fullmatch(name))


def fingerprint(directory: Path) -> dict[str, str]:
    """SHA-256 of each file that says what the model is, by name: other bytes, another model."""
    files = [directory / CONFIG, directory / TOKENIZER_FILE, *directory.glob("*.safetensors*")]
    return {path.name: file_sha256(path) for path in sorted(files) if path.is_file()}


def read_shape(directory: Path) -> ModelShape:
    """The model that config.json describes. Raises Invalid when it is none that our architecture computes."""
    config = _text_config(directory / CONFIG)
    _refuse_what_is_absent(config)
    sizes = {ours: _whole(config, name, default) for ours, (name, default) in WHOLE.items()}
    local_theta, global_theta = _thetas(config)
    shape = ModelShape(
        **sizes,
        global_every=_global_every(config, sizes["layers"]),
        local_theta=local_theta,
        global_theta=global_theta,
        norm_epsilon=positive_number(config, "rms_norm_eps", NORM_EPSILON),
    )
    if shape.heads % shape.kv_heads:
        raise wrong_field("num_key_value_heads", f"{shape.kv_heads} does not divide {shape.heads} attention heads")
    if shape.head_dim % 2:
        raise wrong_field("head_dim", f"{shape.head_dim} is odd; rotary positions turn pairs")
    return shape


def describe_shape(shape: ModelShape) -> dict[str, Any]:
    """The fields of a config.json that `read_shape`, and transformers' AutoConfig, read as this shape."""
    theta = {LOCAL: shape.local_theta, GLOBAL: shape.global_theta}
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        **{name: getattr(shape, ours) for ours, (name, _) in WHOLE.items()},
        "hidden_activation": ACTIVATION,
        "layer_types": [GLOBAL if shape.is_global(layer) else LOCAL for layer in range(shape.layers)],
        "rms_norm_eps": shape.norm_epsilon,
        # The newer form, and the older for libraries that do not know it.
        "rope_parameters": {kind: {"rope_type": "default", "rope_theta": theta[kind]} for kind in (LOCAL, GLOBAL)},
        "rope_theta": shape.global_theta,
        "rope_local_base_freq": shape.local_theta,
        "sliding_window_pattern": shape.global_every,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "use_cache": True,
    }


def unusable(msg: str, type: str = "weights_unusable") -> Invalid:
    return Invalid(Fault(LOC, msg, type))


@readable()
def read_object(path: Path, most_bytes: int, most_keys: int = MAX_KEYS) -> Mapping[str, Any]:
    """A JSON object in a file of at most `most_bytes`, and `most_keys` an object. Raises Invalid."""
    if path.stat().st_size > most_bytes:
        raise unusable(f"{path} has {path.stat().st_size} bytes; at most {most_bytes} are read")
    try:
        obj = strict_json.parse_json(path.read_bytes(), max_keys=most_keys)
    except Invalid as invalid:
        raise unusable(f"{path} is no JSON: {invalid}")
    if not isinstance(obj, Mapping):
        raise unusable(f"{path} must hold an object, not {echo(obj)}")
    return obj


def _weights_home() -> Path:
    return home() / "weights"


def _text_config(path: Path) -> Mapping[str, Any]:
    """The part of config.json that speaks of the language model."""
    config = read_object(path, MOST_CONFIG_BYTES)
    if config.get("model_type") == "gemma3" and isinstance(config.get("text_config"), Mapping):
        config = {"model_type": "gemma3_text", **config["text_config"]}
    if config.get("model_type") != "gemma3_text":
        found = echo(config.get("model_type"))
        raise wrong_field(
            "model_type", f"is {found}; weights of Gemma 3 (gemma3_text, or gemma3's text part) can be used"
        )
    return config


def _refuse_what_is_absent(config: Mapping[str, Any]) -> None:
    for name, what in ABSENT.items():
        if config.get(name):
            raise wrong_field(name, f"is {echo(config[name])}: our model has no {what}")
    activation = config.get("hidden_activation", ACTIVATION)
    if activation != ACTIVATION:
        raise wrong_field("hidden_activation", f"is {echo(activation)}: our model has {ACTIVATION} only")


def _thetas(config: Mapping[str, Any]) -> tuple[float, float]:
    """RoPE bases of local and global layers, from `rope_parameters` or from the two fields before it."""
    if config.get("rope_parameters") is None:
        local = positive_number(config, "rope_local_base_freq", LOCAL_THETA)
        return local, positive_number(config, "rope_theta", GLOBAL_THETA)
    bases = []
    for kind in (LOCAL, GLOBAL):
        given = config["rope_parameters"]
        form = given.get(kind) if isinstance(given, Mapping) else None
        if not isinstance(form, Mapping) or form.get("rope_type", "default") != "default":
            msg = f"must name a rope_theta of the type default for {kind}, not {echo(form)}"
            raise wrong_field("rope_parameters", msg)
        bases.append(positive_number(form, "rope_theta"))
    return bases[0], bases[1]


def _global_every(config: Mapping[str, Any], layers: int) -> int:
    """Every how many layers one sees the whole sequence."""
    pattern = config.get("sliding_window_pattern") or config.get("_sliding_window_pattern") or GLOBAL_EVERY
    kinds = config.get("layer_types")
    if kinds is None:
        return _whole({"sliding_window_pattern": pattern}, "sliding_window_pattern", GLOBAL_EVERY)
    if not isinstance(kinds, list) or len(kinds) != layers:
        raise wrong_field("layer_types", f"must name {layers} layers, not {echo(kinds)}")
    every = kinds.index(GLOBAL) + 1 if GLOBAL in kinds else layers + 1
    if kinds != [GLOBAL if (layer + 1) % every == 0 else LOCAL for layer in range(layers)]:
        raise wrong_field("layer_types", f"must be {LOCAL}, with {GLOBAL} after every so many, not {echo(kinds)}")
    return every


def _whole(config: Mapping[str, Any], name: str, default: int) -> int:
    value = positive_number(config, name, default)
    if value != int(value):
        raise wrong_field(name, f"must be a whole number, not {value}")
    return int(value)


def positive_number(config: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """A field of a config.json, or `default` where it is silent. Raises Invalid when that is no number above 0."""
    value = config.get(name)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**31:
        raise wrong_field(name, f"must be a number above 0, not {echo(value)}")
    return value


def wrong_field(name: str, msg: str) -> Invalid:
    """What is wrong with a field of a config.json."""
    return unusable(f"{CONFIG}: {name} {msg}")
