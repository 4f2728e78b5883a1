"""What is asked, where it needs no memory: the texts in a file without a name, and the numbers of each in an array."""

import os
from array import array
from collections.abc import Sequence
from tempfile import TemporaryFile

import msgspec
import numpy as np

from training.arrays import distinct, ragged
from training.firewall.asked import Asked
from training.ngrams import HALF, NUMBER, Words

MAX_NUMBERS = 1000  # of a text


class ItemTexts:
    """Different items by their numbers, in order of coming, and what each is called where it is asked."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 (it lives as long as the firewall)
        self._offsets = array("Q", [0])
        self._numbers: dict[int, int] = {}  # by what is asked
        self._others: dict[int, dict[str, str]] = {}  # ids by source, of what is asked in several places

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def add(self, items: Sequence[Asked]) -> list[Asked]:
        """Those that were not asked before. Of one source's equal items the first is named."""
        new = []
        for item in items:
            number = self._numbers.setdefault(hash((item.prompt, item.answer, item.steps)), len(self))
            if number == len(self):
                data = msgspec.msgpack.encode(item)
                self._file.write(data)
                self._offsets.append(self._offsets[-1] + len(data))
                new.append(item)
            else:
                self._others.setdefault(number, {}).setdefault(item.source, item.id)
        return new

    def finish(self) -> None:
        self._numbers.clear()
        self._file.flush()

    def __getitem__(self, number: int) -> Asked:
        first, last = self._offsets[number], self._offsets[number + 1]
        return msgspec.msgpack.decode(os.pread(self._file.fileno(), last - first, first), type=Asked)

    def size(self, number: int) -> int:
        """Bytes, about as many as characters."""
        return self._offsets[number + 1] - self._offsets[number]

    def names(self, number: int) -> list[tuple[str, str]]:
        """Source and id wherever it is asked."""
        item = self[number]
        return list((self._others.get(number, {}) | {item.source: item.id}).items())


class ItemNumbers:
    """The distinct numbers in digits that each of many texts holds, as hashes of 32 bits."""

    def __init__(self) -> None:
        self._hashes, self._counts = array("I"), array("H")
        self._offsets = np.zeros(1, dtype=np.int64)

    def add(self, words: Words) -> None:
        """Of a text with very many the MAX_NUMBERS least."""
        numbers = numbers_by_text(words)
        texts = (numbers >> HALF).astype(np.int64)
        starts = np.searchsorted(texts, np.arange(len(words.offsets)))
        kept = np.arange(len(texts)) - starts[texts] < MAX_NUMBERS
        self._hashes.frombytes(numbers[kept].astype(np.uint32).tobytes())
        self._counts.frombytes(np.minimum(np.diff(starts), MAX_NUMBERS).astype(np.uint16).tobytes())

    def finish(self) -> None:
        self._offsets = np.append(0, np.cumsum(np.frombuffer(self._counts, dtype=np.uint16), dtype=np.int64))

    def shares(self, texts: np.ndarray, rows: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Of the numbers of each text the share that the row at the same place holds; 1 where there are none.

        `held` are the numbers of all rows as `numbers_by_text` gives them.
        """
        first = self._offsets[texts]
        count = self._offsets[texts + 1] - first
        hashes = np.frombuffer(self._hashes, dtype=np.uint32)[ragged(first, count)]
        is_held = np.isin(np.repeat(rows, count).astype(np.uint64) << HALF | hashes, held)
        found = np.bincount(np.repeat(np.arange(len(texts)), count)[is_held], minlength=len(texts))
        return np.where(count == 0, 1.0, found / np.maximum(count, 1))


def numbers_by_text(words: Words) -> np.ndarray:
    """Each text's distinct numbers: its index in the upper half, a hash in the lower: uint64, in order."""
    places = np.flatnonzero(words.kinds == NUMBER)
    owners = np.searchsorted(words.offsets, places, side="right") - 1
    return distinct(owners.astype(np.uint64) << HALF | words.hashes[places] >> HALF)
