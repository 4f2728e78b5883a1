"""The rows of a frozen dataset that are most like a question."""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from datasets_app.exports.frozen import read_blocks
from datasets_app.models import Dataset, DatasetItem
from training.nearest import nearest

LISTED = ("dataset", "position", "trace__prompt", "trace__final_answer", "trace__step_count")


class NearRow(NamedTuple):
    """A row's item, with its trace, and how like the question it is: 1 where it asks and answers the same."""

    item: DatasetItem
    score: float


class _Asked(msgspec.Struct):
    prompt: str
    final_answer: str


def nearest_rows(*, dataset: Dataset, prompt: str, answer: str, split: str = "train", most: int) -> list[NearRow]:
    """The rows of a split whose prompts and answers are most like these, the likest first.

    The frozen file is read, all of it: 100,000 rows take about a second. Raises Conflict when the dataset is not
    frozen, Unavailable when its rows are gone or altered.
    """
    dataset.check_readable()
    positions = array("I")
    found = nearest(f"{prompt}\n{answer}", _texts(dataset, split, positions), most)
    scores = {positions[near.place]: near.score for near in found}
    items = dataset.items.filter(position__in=scores).select_related("trace").only(*LISTED)
    by_position = {item.position: item for item in items}
    return [NearRow(by_position[position], score) for position, score in scores.items() if position in by_position]


def _texts(dataset: Dataset, split: str, positions: array) -> Iterator[list[str]]:
    """What the rows ask and answer, some hundred at a time; `positions` gets where each stands."""
    for block in read_blocks(dataset.rows_path, split, _Asked):
        positions.extend(block.positions)
        yield [f"{row.prompt}\n{row.final_answer}" for row in block.rows]
