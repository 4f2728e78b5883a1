"""Rows into batches of fixed shape: several short rows share a sequence, and none sees another.

The order is a function of (seed, epoch) and every batch a function of its number alone, so a resumed run needs no
iterator: it asks for the next number.
"""

import hashlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from training.renderers import Row
from training.tokenizer import Tokenizer

LENGTH_STEP = 16  # places; the length of padded sequences is a multiple of this


@dataclass(frozen=True)
class Example:
    """A row in tokens: `<bos>`, prompt, response. The loss falls on what follows the first `prompt_length`."""

    id: str
    tokens: np.ndarray  # int32 [n]
    prompt_length: int

    @property
    def length(self) -> int:
        """Places it takes in a sequence; the last token is only ever a target."""
        return len(self.tokens) - 1


class Batch(NamedTuple):
    """What one update sees: B sequences of L places.

    `segments` numbers the rows of a sequence from 1; 0 is padding. `positions` restart at 0 with each row.
    `loss_mask` is 1 where the target belongs to a response.
    """

    tokens: np.ndarray  # int32 [B, L]
    targets: np.ndarray  # int32 [B, L]
    positions: np.ndarray  # int32 [B, L]
    segments: np.ndarray  # int32 [B, L]
    loss_mask: np.ndarray  # float32 [B, L]

    @property
    def useful_tokens(self) -> int:
        """Places that hold a row, not padding."""
        return int(np.count_nonzero(self.segments))


def encode_example(tokenizer: Tokenizer, row: Row, *, recipe: str, instruction: str) -> Example:
    """A dataset row as the model will read it."""
    return Example(str(row["id"]), *tokenizer.encode_row(row, recipe, instruction))


def tokens_sha256(*splits: Iterable[Example]) -> str:
    """One hash for what a model is shown of some splits: every token, in the rows' order, and where responses begin."""
    digest = hashlib.sha256()
    for examples in splits:
        digest.update(b"split\n")
        for example in examples:
            digest.update(f"{len(example.tokens)} {example.prompt_length}\n".encode())
            digest.update(example.tokens.astype("<i4").tobytes())
    return digest.hexdigest()


def pack(lengths: Sequence[int], capacity: int, order: Sequence[int]) -> list[list[int]]:
    """Best-fit decreasing: indices grouped so that each group's lengths sum to at most `capacity`.

    `order` breaks ties between equal lengths, so that shuffled epochs mix their rows differently while the number of
    groups depends on the lengths alone.
    """
    groups: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (places left, group), sorted: the tightest fit is a bisection away
    for index in sorted(order, key=lambda index: -lengths[index]):
        found = bisect_left(room, (lengths[index], -1))
        left, group = room.pop(found) if found < len(room) else (capacity, len(groups))
        if group == len(groups):
            groups.append([])
        groups[group].append(index)
        insort(room, (left - lengths[index], group))
    return groups


class PackedData:
    """Batches of a list of examples, by number, for as many epochs as are asked for.

    Every example must fit `length`; without packing, sequences are only as long as the longest example needs. Batches
    run over the end of an epoch into the next, so each row is seen equally often; with `epochs` the last batch ends in
    empty sequences.
    """

    def __init__(
        self, examples: Sequence[Example], *, length: int, batch_size: int, packing: bool, seed: int, epochs: int | None
    ):
        self._examples, self._batch_size = examples, batch_size
        self.length = length if packing else min(length, _rounded_up(max(example.length for example in examples)))
        self._packing, self._seed, self._epochs = packing, seed, epochs
        self._groups_of = lru_cache(maxsize=2)(self._groups)
        self.sequences = len(self._groups_of(0))  # an epoch

    def __len__(self) -> int:
        """Batches in all `epochs`."""
        return -(-self.sequences * (self._epochs or 1) // self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return (self.batch(number) for number in range(len(self)))

    def batch(self, number: int) -> Batch:
        """The batch with this number, from 0."""
        return _fill(self._examples, self.rows(number), self.length)

    def rows(self, number: int) -> list[list[int]]:
        """The rows of a batch: their places among the examples by sequence, in order of their segments."""
        first = number * self._batch_size
        places = (divmod(place, self.sequences) for place in range(first, first + self._batch_size))
        return [[] if self._over(epoch) else self._groups_of(epoch)[index] for epoch, index in places]

    def row_ids(self, number: int) -> list[list[str]]:
        """The ids of `rows`."""
        return [[self._examples[index].id for index in group] for group in self.rows(number)]

    def position(self, number: int) -> tuple[int, int]:
        """(epoch, sequence within it) where the batch with this number begins."""
        return divmod(number * self._batch_size, self.sequences)

    @property
    def fill(self) -> float:
        """The share of places that hold a row."""
        return sum(example.length for example in self._examples) / (self.sequences * self.length)

    def _over(self, epoch: int) -> bool:
        return self._epochs is not None and epoch >= self._epochs

    def _groups(self, epoch: int) -> list[list[int]]:
        """The sequences of an epoch, as indices of examples."""
        generator = np.random.default_rng([self._seed, epoch])
        order = generator.permutation(len(self._examples)).tolist()
        if not self._packing:
            return [[index] for index in order]
        groups = pack([example.length for example in self._examples], self.length, order)
        return [groups[index] for index in generator.permutation(len(groups))]


def _rounded_up(length: int) -> int:
    """Odd lengths would gain nothing: vectors and cache lines are filled anyway."""
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def _fill(examples: Sequence[Example], sequences: list[list[int]], length: int) -> Batch:
    shape = (len(sequences), length)
    tokens, targets, positions, segments = (np.zeros(shape, dtype=np.int32) for _ in range(4))
    loss_mask = np.zeros(shape, dtype=np.float32)
    for line, group in enumerate(sequences):
        start = 0
        for segment, index in enumerate(group, start=1):
            example = examples[index]
            place = (line, slice(start, start + example.length))
            tokens[place], targets[place] = example.tokens[:-1], example.tokens[1:]
            positions[place] = np.arange(example.length)
            segments[place] = segment
            loss_mask[line, start + example.prompt_length - 1 : start + example.length] = 1
            start += example.length
    return Batch(tokens, targets, positions, segments, loss_mask)
