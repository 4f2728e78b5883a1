"""What a run is asked to do: every field, its default and its bounds, in one place.

Forms, the API, commands and the trainer all read configs through `TrainConfig.from_dict`, which takes nothing for
something else: `true` is no number, `2.0` no whole number, `" 7 "` no 7. Only fields that do something exist.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from secrets import randbelow
from typing import Any

from training import strict_json
from training.canonical import canonical_json, sha256_hex
from training.errors import Fault, Invalid, echo
from training.json_rules import place
from training.published import NAME, find_weights, read_shape, unusable
from training.published_families import read_family_shape
from training.renderers import RECIPES, TRACE_SFT, find_recipe
from training.shapes import FAMILIES, OWN_FAMILY, SIZES, ModelShape, model_shape
from training.strict_yaml import parse_yaml

CONFIG_DIRECTORY = Path(__file__).parent / "configs"
CONFIGS = tuple(sorted(path.stem for path in CONFIG_DIRECTORY.glob("*.yaml")))
SCHEDULES = ("constant", "linear", "cosine")
DTYPES = ("float32", "bfloat16")
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")  # their published names
DEFAULT_SIZE, DEFAULT_BATCH = "tiny", 16
# Sequences whose activations are alive at once. Few keep them in the processor's cache, which is worth more than
# the larger matrix products of many.
MICROBATCH = 2
MAX_SEED = 2**63 - 1
MAX_UPDATES = 10_000_000

# A check returns the value as it is stored, or raises _Wrong with a sentence.
Check = Callable[[Any], Any]


class _Wrong(Exception):
    def __init__(self, msg: str, code: str):
        self.msg, self.code = msg, code


def _whole(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if type(value) is not int:
            raise _Wrong(f"must be a whole number, not {echo(value)}", "wrong_type")
        return _bounded(value, low, high)

    return check


def _number(low: float, high: float) -> Check:
    def check(value: Any) -> float:
        if type(value) not in (int, float):
            raise _Wrong(f"must be a number, not {echo(value)}", "wrong_type")
        if type(value) is float and not math.isfinite(value):
            raise _Wrong(f"must be a finite number, not {value}", "non_finite")
        return float(_bounded(value, low, high))

    return check


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise _Wrong(f"must be true or false, not {echo(value)}", "wrong_type")
    return value


def _text(longest: int) -> Check:
    def check(value: Any) -> str:
        if type(value) is not str:
            raise _Wrong(f"must be text, not {echo(value)}", "wrong_type")
        if len(value) > longest:
            raise _Wrong(f"must have at most {longest} characters, not {len(value)}", "string_too_long")
        return value

    return check


def _one_of(allowed: tuple[str, ...]) -> Check:
    def check(value: Any) -> str:
        if value not in allowed:
            raise _Wrong(f"must be one of {', '.join(allowed)}, not {echo(value)}", "unknown_value")
        return value

    return check


def _several_of(allowed: tuple[str, ...]) -> Check:
    def check(value: Any) -> tuple[str, ...]:
        if not isinstance(value, (list, tuple)) or not value or len(set(map(str, value))) < len(value):
            raise _Wrong(f"must be a list of different names, not {echo(value)}", "wrong_type")
        return tuple(_one_of(allowed)(name) for name in value)

    return check


def _name(value: Any) -> str:
    if type(value) is not str or not NAME.fullmatch(value):
        raise _Wrong(f"must be a name of letters, digits, dots, hyphens and underscores, not {echo(value)}", "bad_key")
    return value


def _bounded(value: Any, low: Any, high: Any) -> Any:
    if not low <= value <= high:
        raise _Wrong(f"must lie between {low} and {high}, not {echo(value)}", "number_out_of_range")
    return value


def _option(default: Any, check: Check) -> Any:
    """A field with its default and check. A default of None means that the field may be left to others.

    A field that holds fields of its own names their class as its "part" instead.
    """
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True)
class LoraConfig:
    """Adapters (Hu et al. 2021, arXiv:2106.09685): W x becomes W x + alpha / rank · B A dropout(x), and W stays."""

    rank: int = _option(8, _whole(1, 1024))
    alpha: float = _option(16.0, _number(1e-3, 1e5))
    dropout: float = _option(0.0, _number(0.0, 0.95))
    targets: tuple[str, ...] = _option(LORA_TARGETS, _several_of(LORA_TARGETS))


@dataclass(frozen=True)
class ModelConfig:
    family: str = _option("gemma3", _one_of(tuple(FAMILIES)))
    size: str | None = _option(None, _one_of(tuple(SIZES)))  # None: that of the weights, else DEFAULT_SIZE
    weights: str | None = _option(None, _name)  # a directory in $TUNIXRT_HOME/weights/; None: fresh parameters
    lora: LoraConfig | None = field(default=None, metadata={"part": LoraConfig})  # None: every parameter is trained

    @property
    def name(self) -> str:
        """What people call the model."""
        return self.weights or self.size or DEFAULT_SIZE


@dataclass(frozen=True)
class TokenizerConfig:
    vocab_size: int = _option(512, _whole(300, 65_536))  # 256 bytes, the special tokens, and room to learn


@dataclass(frozen=True)
class DataConfig:
    recipe: str | None = _option(None, _one_of(tuple(RECIPES)))  # None: the dataset's
    system_instruction: str | None = _option(None, _text(10_000))  # None: the dataset's; "": none
    max_length: int = _option(256, _whole(8, 32_768))  # tokens a sequence
    packing: bool = _option(True, _flag)  # several short rows share a sequence
    overlong: str = _option("error", _one_of(("error", "drop")))  # what to do with a row that does not fit


@dataclass(frozen=True)
class TrainingConfig:
    steps: int | None = _option(None, _whole(1, MAX_UPDATES))  # updates; or else
    epochs: int | None = _option(None, _whole(1, 100_000))  # passes over the data
    batch_size: int | None = _option(None, _whole(1, 4096))  # sequences a batch; or else (DEFAULT_BATCH if neither)
    tokens_per_batch: int | None = _option(None, _whole(8, 2**27))  # places a batch, in whole sequences
    gradient_accumulation: int = _option(1, _whole(1, 4096))  # batches an update
    microbatch: int | None = _option(None, _whole(1, 4096))  # sequences computed at once; None: chosen by itself
    learning_rate: float = _option(1e-3, _number(1e-9, 1.0))  # the highest, after warm-up
    schedule: str = _option("cosine", _one_of(SCHEDULES))  # from the highest to zero (constant: not)
    warmup: int = _option(0, _whole(0, 1_000_000))  # updates from zero to the highest rate
    weight_decay: float = _option(0.0, _number(0.0, 10.0))
    grad_clip: float = _option(1.0, _number(1e-6, 1e6))  # largest norm of a gradient
    dtype: str = _option("float32", _one_of(DTYPES))  # of the computation; parameters and sums stay float32
    patience: int | None = _option(
        None, _whole(1, 1_000_000)
    )  # looks at the valid split without a better loss, then stop
    max_seconds: int | None = _option(None, _whole(1, 10**8))  # of training; then it stops with what it learned
    seed: int | None = _option(None, _whole(0, MAX_SEED))  # None: drawn once and recorded
    log_every: int | None = _option(None, _whole(1, 1_000_000))  # updates a line in metrics.jsonl; None: ~1000 lines


@dataclass(frozen=True)
class EvalConfig:
    evalset: str | None = _option(None, _text(4096))  # a file; None: the dataset's test split
    every: int = _option(50, _whole(1, 10_000_000))  # updates between losses on the valid split
    max_new_tokens: int = _option(128, _whole(1, 32_768))
    temperature: float = _option(0.0, _number(0.0, 100.0))  # 0: always the likeliest token
    top_k: int | None = _option(None, _whole(1, 1_000_000))  # draw among the k likeliest
    top_p: float = _option(1.0, _number(1e-6, 1.0))  # draw among the likeliest that hold this much probability
    samples: int = _option(3, _whole(0, 20))  # held-out questions asked again at each checkpoint
    checkpoints: bool = _option(False, _flag)  # after training, examine every checkpoint and not two alone


@dataclass(frozen=True)
class CheckpointConfig:
    every: int = _option(100, _whole(1, 10_000_000))  # updates
    keep: int = _option(2, _whole(1, 1000))  # the newest; the first (step 0) stays besides
    best: bool = _option(True, _flag)  # and the one with the lowest loss on the valid split


@dataclass(frozen=True)
class MeshConfig:
    """Devices that train together: each of `data` groups sees other sequences, `fsdp` devices share the parameters."""

    data: int | None = _option(None, _whole(1, 65_536))  # None: as many as there are devices for
    fsdp: int = _option(1, _whole(1, 65_536))


@dataclass(frozen=True)
class TrainConfig:
    """A checked config. Make one with `from_dict`; `replace` a section to change it."""

    model: ModelConfig
    tokenizer: TokenizerConfig
    data: DataConfig
    training: TrainingConfig
    eval: EvalConfig
    checkpoint: CheckpointConfig
    mesh: MeshConfig

    @classmethod
    def from_dict(cls, obj: object) -> "TrainConfig":
        """Reads a config, filling in defaults. Raises Invalid with every fault and its path."""
        faults: list[Fault] = []
        parts = _members(obj, (), cls, faults)
        sections = {f.name: _section(f.type, parts.get(f.name, {}), (f.name,), faults) for f in fields(cls)}
        faults += [] if faults else _conflicts(**sections)
        if faults:
            raise Invalid(faults)
        return cls(**sections)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The resolved config, every default spelled out; `from_dict` reads it back as the same config."""
        return asdict(self)

    @property
    def batch_size(self) -> int:
        """Sequences whose gradient is one update."""
        training = self.training
        if training.tokens_per_batch:
            return training.tokens_per_batch // self.data.max_length * training.gradient_accumulation
        return (training.batch_size or DEFAULT_BATCH) * training.gradient_accumulation

    def shape(self, vocab_size: int) -> ModelShape:
        """The model's dimensions over a vocabulary of `vocab_size` tokens; published weights may have room for more.

        Raises Invalid when the weights are not installed, or no model of ours, or have room for fewer.
        """
        if not self.model.weights:
            return model_shape(self.model.size or DEFAULT_SIZE, vocab_size)
        if self.model.family != OWN_FAMILY:
            return read_family_shape(find_weights(self.model.weights), self.model.family)
        shape = read_shape(find_weights(self.model.weights))
        if vocab_size > shape.vocab_size:
            raise unusable(f"their tokenizer has {vocab_size} tokens and their embedding {shape.vocab_size}")
        return shape

    def sha256(self) -> str:
        """The hash of all but the mesh, which says where the same is computed."""
        sections = self.to_dict()
        del sections["mesh"]
        return sha256_hex(canonical_json(sections))

    def resolved(self, *, manifest: Mapping[str, Any] | None = None, seed: int | None = None) -> "TrainConfig":
        """This config with nothing left open.

        Recipe and instruction: this config over the dataset's `manifest` over the default, which for the instruction
        is the recipe's own. Seed: the one given over this config's, else drawn. Raises Invalid when the manifest names
        an unknown recipe.
        """
        offered = manifest or {}
        recipe = self.data.recipe or offered.get("recipe") or TRACE_SFT
        default = find_recipe(recipe).instruction
        given = (self.data.system_instruction, offered.get("instruction"), default)
        instruction = next(text for text in given if text is not None)
        seed = self.training.seed if seed is None else seed
        seed = randbelow(MAX_SEED + 1) if seed is None else seed
        size = None if self.model.weights else self.model.size or DEFAULT_SIZE
        batch_size = None if self.training.tokens_per_batch else self.training.batch_size or DEFAULT_BATCH
        return replace(
            self,
            model=replace(self.model, size=size),
            data=replace(self.data, recipe=recipe, system_instruction=instruction),
            training=replace(self.training, seed=seed, batch_size=batch_size),
        )


def load_config(source: Path | bytes) -> TrainConfig:
    """Reads a YAML or JSON file, or its bytes. Raises Invalid with lines, OSError when there is no such file."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    if data.lstrip().startswith(b"{"):
        return TrainConfig.from_dict(strict_json.parse_json(data))
    obj, lines = parse_yaml(data)
    try:
        return TrainConfig.from_dict(obj)
    except Invalid as error:
        raise Invalid(replace(fault, line=lines.get(fault.loc) or lines.get(fault.loc[:-1])) for fault in error.faults)


def named_config(name: str) -> TrainConfig:
    """One of the configs that come with the package. Raises Invalid when no config has this name."""
    if name not in CONFIGS:
        msg = f"{echo(name)} is no config; use one of: {', '.join(CONFIGS)}"
        raise Invalid(Fault(("config_name",), msg, "unknown_value"))
    return load_config(CONFIG_DIRECTORY / f"{name}.yaml")


def _section(kind: Any, obj: object, loc: tuple[str, ...], faults: list[Fault]) -> Any:
    """An instance of the section `kind`, or None after adding to `faults`."""
    before = len(faults)
    values = {}
    given = _members(obj, loc, kind, faults)
    for option in fields(kind):
        if option.name not in given or (given[option.name] is None and option.default is None):
            continue
        if kind_of_part := option.metadata.get("part"):
            values[option.name] = _section(kind_of_part, given[option.name], (*loc, option.name), faults)
            continue
        try:
            values[option.name] = option.metadata["check"](given[option.name])
        except _Wrong as wrong:
            faults.append(Fault((*loc, option.name), wrong.msg, wrong.code))
    return kind(**values) if len(faults) == before else None


def _members(obj: object, loc: tuple[str, ...], kind: Any, faults: list[Fault]) -> Mapping[str, Any]:
    """The members of `obj` that `kind` knows; the others become faults."""
    if not isinstance(obj, Mapping):
        faults.append(Fault(loc, f"must be an object with fields, not {echo(obj)}", "wrong_type"))
        return {}
    known = [f.name for f in fields(kind)]
    for name in obj:
        if name not in known:
            msg = f"unknown field; allowed here: {', '.join(known)}"
            faults.append(Fault((*loc, place(name)), msg, "unknown_field"))
    return {name: obj[name] for name in known if name in obj}


def _conflicts(model: ModelConfig, data: DataConfig, training: TrainingConfig, **_: Any) -> Iterator[Fault]:
    """Fields that are fine alone and wrong together."""
    if (training.steps is None) == (training.epochs is None):
        yield Fault(("training",), "give exactly one of steps and epochs", "missing_field")
    if training.steps is not None and training.warmup > training.steps:
        msg = f"is longer than the whole training of {training.steps} steps"
        yield Fault(("training", "warmup"), msg, "number_out_of_range")
    if training.batch_size and training.tokens_per_batch:
        yield Fault(("training",), "give at most one of batch_size and tokens_per_batch", "wrong_value")
    if training.tokens_per_batch is not None and training.tokens_per_batch < data.max_length:
        msg = f"is less than one sequence of {data.max_length} tokens"
        yield Fault(("training", "tokens_per_batch"), msg, "number_out_of_range")
    if model.weights and model.size:
        yield Fault(("model", "size"), "comes with the weights; leave it out", "wrong_value")
