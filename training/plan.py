"""What a run will be before it starts: rows into tokens, and the sizes that follow. Known without jax."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.config import MAX_UPDATES, DataConfig, TrainConfig
from training.engines import JAX
from training.errors import Fault, Invalid, echo
from training.memory import Memory, run_memory, saved_bytes, trained_parameters
from training.packing import Example, PackedData, encode_example
from training.published import TOKENIZER_FILE, find_weights
from training.renderers import Row
from training.shapes import parameter_count
from training.tokenizer import Tokenizer, tokenizer_for

NAMED_ROWS = 10  # how many overlong rows a message names


@dataclass(frozen=True)
class Prepared:
    """A dataset in tokens."""

    tokenizer: Tokenizer
    train: list[Example]
    valid: list[Example]
    overlong: dict[str, int]  # rows left out: id and length

    def taught(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Those of the dataset's rows that became `train`, in its order."""
        return (row for row in rows if row["split"] == "train" and str(row["id"]) not in self.overlong)


@dataclass(frozen=True)
class RunPlan:
    """The sizes of a run: for the dry run of a launch, and the first lines of its log."""

    parameters: int  # of the model
    trained_parameters: int  # all of them, or those of the adapters
    vocab_size: int
    rows: dict[str, int]  # by split, those left out included
    overlong: dict[str, int]  # rows left out: id and length
    fill: float  # share of places that hold a row
    tokens_per_update: int  # places that hold a row, on average
    updates: int
    epochs: float
    memory: Memory
    checkpoints: int  # on the disk at once, at most
    checkpoint_bytes: int  # all of them together
    seconds: float | None = None  # of training; known where runs were timed

    @property
    def tokens(self) -> int:
        """Tokens of the whole run."""
        return self.updates * self.tokens_per_update

    @property
    def memory_bytes(self) -> int:
        """Of the process, its devices' included."""
        return self.memory.total

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"memory_bytes": self.memory_bytes, "tokens": self.tokens}


def plan(config: TrainConfig, rows: Sequence[Row], *, engine: str = JAX) -> RunPlan:
    """The plan of a resolved config on dataset rows. Raises Invalid when they do not go together."""
    return plan_prepared(config, prepare(config, rows), rows, engine=engine)


def prepare(config: TrainConfig, rows: Sequence[Row]) -> Prepared:
    """Encodes what is taught and what is watched, with a tokenizer learned from the train split or that of the weights.

    Raises Invalid when there is nothing to train on, or to watch though the config has `patience`, or when a row does
    not fit and the config wants that to be an error. No row is ever cut.
    """
    data = config.data
    recipe, instruction = data.recipe or "", data.system_instruction or ""
    tokenizer = _tokenizer(config, rows, instruction)
    examples = {
        split: [
            encode_example(tokenizer, row, recipe=recipe, instruction=instruction)
            for row in rows
            if row["split"] == split
        ]
        for split in ("train", "valid")
    }
    overlong = {e.id: e.length for part in examples.values() for e in part if e.length > data.max_length}
    _judge_overlong(overlong, data)
    fitting = {split: [e for e in part if e.id not in overlong] for split, part in examples.items()}
    if not fitting["train"]:
        msg = f"no row of the {len(rows)} is in the train split and fits {data.max_length} tokens"
        raise Invalid(Fault(("data",), msg, "overlong"))
    if config.training.patience and not fitting["valid"]:
        msg = "waits for a better loss on the valid split, which has no row that fits; leave it out or give such rows"
        raise Invalid(Fault(("training", "patience"), msg, "wrong_value"))
    return Prepared(tokenizer, fitting["train"], fitting["valid"], overlong)


def training_data(config: TrainConfig, examples: Sequence[Example]) -> PackedData:
    """The batches of a resolved config, in the order its seed gives."""
    data, training = config.data, config.training
    return PackedData(
        examples,
        length=data.max_length,
        batch_size=config.batch_size,
        packing=data.packing,
        seed=training.seed or 0,
        epochs=training.epochs,
    )


def plan_prepared(
    config: TrainConfig, prepared: Prepared, rows: Iterable[Row], *, engine: str = JAX, devices: int = 1
) -> RunPlan:
    """As `plan`, for rows that are in tokens already, on a machine with so many devices."""
    data = training_data(config, prepared.train)
    shape = config.shape(prepared.tokenizer.vocab_size)
    updates = total_updates(config, data)
    places = config.batch_size * data.length
    trained, sealed = trained_parameters(config, shape), checkpoints_at_once(config, updates)
    return RunPlan(
        parameters=parameter_count(shape),
        trained_parameters=trained,
        vocab_size=shape.vocab_size,
        rows=dict(Counter(row["split"] for row in rows)),
        overlong=prepared.overlong,
        fill=data.fill,
        tokens_per_update=round(places * data.fill),
        updates=updates,
        epochs=updates * config.batch_size / data.sequences,
        memory=run_memory(config, shape, engine=engine, devices=devices),
        checkpoints=sealed,
        checkpoint_bytes=sealed * saved_bytes(trained),
    )


def checkpoints_at_once(config: TrainConfig, updates: int) -> int:
    """How many checkpoints lie on the disk together, the first among them, a new one until an older one may go."""
    saving = config.checkpoint
    every = 1 + -(-updates // saving.every)
    return every if config.eval.checkpoints else min(every, 1 + saving.keep + saving.best + 1)


def opening(plan: RunPlan) -> list[str]:
    """What is about to happen, in sentences."""
    rows = ", ".join(f"{count} {split}" for split, count in plan.rows.items())
    trained = "" if plan.trained_parameters == plan.parameters else f"{plan.trained_parameters:,} trained of "
    lines = [
        f"{trained}{plan.parameters:,} parameters, vocabulary {plan.vocab_size}, rows: {rows}",
        f"{plan.updates} updates of about {plan.tokens_per_update} tokens ({plan.fill:.0%} of the places filled), "
        f"{plan.epochs:.1f} epochs",
    ]
    if plan.overlong:
        lines.append(f"{len(plan.overlong)} rows longer than the sequence left out: {', '.join(plan.overlong)}")
    return lines


def total_updates(config: TrainConfig, data: PackedData) -> int:
    """Updates of the whole run, however the config says it. Raises Invalid when epochs are more than steps may be."""
    updates = config.training.steps or len(data)
    if updates > MAX_UPDATES:
        msg = f"are {updates:,} updates of {data.sequences:,} sequences an epoch; at most {MAX_UPDATES:,} are done"
        raise Invalid(Fault(("training", "epochs"), msg, "number_out_of_range"))
    return updates


def _tokenizer(config: TrainConfig, rows: Iterable[Row], instruction: str) -> Tokenizer:
    if config.model.weights:
        return Tokenizer.load(find_weights(config.model.weights) / TOKENIZER_FILE)
    return tokenizer_for(rows, instruction, config.tokenizer.vocab_size)


def _judge_overlong(overlong: dict[str, int], data: DataConfig) -> None:
    if not overlong or data.overlong == "drop":
        return
    named = ", ".join(f"{echo(row_id)} ({length})" for row_id, length in list(overlong.items())[:NAMED_ROWS])
    more = f" and {len(overlong) - NAMED_ROWS} more" if len(overlong) > NAMED_ROWS else ""
    msg = (
        f"{len(overlong)} rows are longer than {data.max_length} tokens: {named}{more}; the longest needs "
        f"{max(overlong.values())}. Raise max_length, or set data.overlong to drop to leave them out"
    )
    raise Invalid(Fault(("data", "max_length"), msg, "overlong"))
