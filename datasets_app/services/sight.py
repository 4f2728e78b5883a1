"""What the model sees of a dataset's rows, with the settings that a run would have."""

from collections.abc import Mapping
from typing import Any

from datasets_app.models import Dataset
from datasets_app.rows import read_lines
from datasets_app.services.rows import DatasetRow
from datasets_app.tokenizers import kept_tokenizer, tokenizer_path
from training.config import TrainConfig
from training.errors import Fault, Invalid
from training.sight import Sight, look
from training.tokenizer import Tokenizer

MOST_TOKENS = 4_000  # of a row that are shown one by one
SECTIONS = {"recipe": "data", "max_length": "data", "vocab_size": "tokenizer"}  # where a run's config has them


def read_settings(dataset: Dataset, given: Mapping[str, Any]) -> TrainConfig:
    """The config of a run on the dataset with this `recipe`, `max_length` and `vocab_size`, which may be spelled.

    What is not given, or empty, is the dataset's own, or else a run's default. Raises Invalid.
    """
    asked = {"max_length": dataset.max_length} | {name: given[name] for name in SECTIONS if given.get(name)}
    config: dict[str, dict[str, Any]] = {"data": {}, "tokenizer": {}, "training": {"epochs": 1}}
    for name, value in asked.items():
        config[SECTIONS[name]][name] = _number(value)
    try:
        settings = TrainConfig.from_dict(config)
    except Invalid as invalid:
        raise Invalid(Fault(fault.loc[-1:], fault.msg, fault.type) for fault in invalid.faults)
    return settings.resolved(manifest={"recipe": dataset.recipe, "instruction": dataset.instruction}, seed=0)


def sight_of(dataset: Dataset, row: DatasetRow, settings: TrainConfig) -> Sight:
    """The row as such a run would teach and ask it, its first MOST_TOKENS tokens one by one.

    May learn the tokenizer, which takes seconds.
    """
    return look(
        row.row,
        tokenizer_of(dataset, settings),
        recipe=settings.data.recipe or "",
        instruction=settings.data.system_instruction or "",
        max_length=settings.data.max_length,
        most=MOST_TOKENS,
    )


def tokenizer_of(dataset: Dataset, settings: TrainConfig) -> Tokenizer:
    """The tokenizer that such a run learns: the one that is kept, or learned now. Raises Conflict when not frozen."""
    dataset.check_readable()
    return kept_tokenizer(dataset.content_sha256, read_lines(dataset.rows_path, "train"), **_learned_by(settings))


def has_tokenizer(dataset: Dataset, settings: TrainConfig) -> bool:
    """Whether `tokenizer_of` takes a moment only."""
    return tokenizer_path(dataset.content_sha256, **_learned_by(settings)).exists()


def describe_sight(row: DatasetRow, sight: Sight, settings: TrainConfig) -> dict[str, Any]:
    """What API and command tell: the settings, figures of the whole row, and its first MOST_TOKENS tokens."""
    return {
        "position": row.position,
        "id": row.row["id"],
        "split": row.row["split"],
        "recipe": settings.data.recipe,
        "instruction": settings.data.system_instruction,
        "max_length": settings.data.max_length,
        "vocab_size": settings.tokenizer.vocab_size,
        **sight.to_dict(),
    }


def _learned_by(settings: TrainConfig) -> dict[str, Any]:
    return {"instruction": settings.data.system_instruction or "", "vocab_size": settings.tokenizer.vocab_size}


def _number(value: Any) -> Any:
    is_spelled = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
    return int(value) if is_spelled else value
