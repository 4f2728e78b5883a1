"""The word n-grams of very many texts, four bytes each, in a file without a name: memory holds two bytes a text."""

import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from training.arrays import distinct
from training.ngrams import HALF, Words

GRAM = 3  # words of an n-gram
MAX_WORDS = 10_000  # of a longer text the beginning speaks for the whole
FEWEST, MOST = 10, 1000  # an n-gram in over 1 % of the texts is common, but never in FEWEST, always in over MOST
PLACES = 2**23  # of the table of counts
PLACE_SHIFT = np.uint32(32 - 23)
SLICE = 2**14  # n-grams that are worked on together: with their minima they stay in the cache


class GramStore:
    """Each text's distinct n-grams as the upper halves of their hashes: uint32, sorted."""

    def __init__(self, directory: Path | None = None):
        self._directory = directory
        self._file = TemporaryFile(dir=directory)  # noqa: SIM115 (it lives as long as the store)
        self._counts = array("H")
        self._offsets = np.zeros(0, dtype=np.int64)

    def add(self, words: Words, texts: np.ndarray, count: int) -> None:
        """`count` texts, of which those at `texts` have words; the others have no n-grams."""
        hashes, firsts = words.grams(GRAM)
        owners = words.owners()[firsts]
        near = firsts - words.offsets[owners] < MAX_WORDS
        numbers = texts[owners[near]].astype(np.uint64) << HALF | upper_half(hashes[near])
        numbers = distinct(numbers)
        self._write(numbers.astype(np.uint32), np.bincount(numbers >> HALF, minlength=count))

    def without(self, common: "Common", texts: np.ndarray) -> "GramStore":
        """A store of the same texts in which those at `texts` have their n-grams without the common ones."""
        store = GramStore(self._directory)
        for first, last, grams, owners in self._slices(texts):
            own = ~common(grams)
            store._write(grams[own], np.bincount(owners[own] - first, minlength=last - first))
        store.finish()
        return store

    @property
    def texts(self) -> int:
        return len(self._counts)

    def finish(self) -> None:
        """All texts were added."""
        self._file.flush()
        self._offsets = np.concatenate(([0], np.cumsum(np.frombuffer(self._counts, dtype=np.uint16), dtype=np.int64)))

    def close(self) -> None:
        """Gives its disk and memory back."""
        self._file.close()
        self._counts, self._offsets = array("H"), self._offsets[:0]

    def of(self, text: int) -> np.ndarray:
        """The n-grams of a text."""
        first, last = self._offsets[text : text + 2].tolist()
        return np.frombuffer(os.pread(self._file.fileno(), 4 * (last - first), 4 * first), dtype=np.uint32)

    def slices(self, texts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The n-grams of the texts, positions in any order, and the text of each; about SLICE of them at a time."""
        return ((grams, owners) for _, _, grams, owners in self._slices(texts))

    def _slices(self, texts: np.ndarray) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """`slices`, and which part of all texts they are of."""
        wanted = np.zeros(self.texts, dtype=bool)
        wanted[texts] = True
        self._file.seek(0)
        first = 0
        while first < self.texts:
            end = int(np.searchsorted(self._offsets, self._offsets[first] + SLICE, side="right")) - 1
            last = min(self.texts, max(end, first + 1))
            grams = np.fromfile(self._file, dtype=np.uint32, count=int(self._offsets[last] - self._offsets[first]))
            owners = np.repeat(np.arange(first, last, dtype=np.int32), np.diff(self._offsets[first : last + 1]))
            kept = wanted[owners]
            yield first, last, grams[kept], owners[kept]
            first = last

    def _write(self, grams: np.ndarray, counts: np.ndarray) -> None:
        self._counts.frombytes(counts.astype(np.uint16).tobytes())
        self._file.write(grams.tobytes())


class Common:
    """Which n-grams tell nothing: a template's, an instruction's before every question.

    How many texts hold an n-gram is counted in a table without looking whether two n-grams share a place in it. Such
    n-grams may pass for common before they are, which takes them from all texts alike and joins nothing.
    """

    def __init__(self, store: GramStore, texts: np.ndarray):
        counts = np.zeros(PLACES, dtype=np.uint32)
        for grams, _ in store.slices(texts):
            np.add.at(counts, grams >> PLACE_SHIFT, np.uint32(1))
        self._is_common = np.packbits(counts > min(MOST, max(FEWEST, len(texts) // 100)), bitorder="little")

    def __call__(self, grams: np.ndarray) -> np.ndarray:
        """Of n-grams, uint32, those that are common: bool."""
        places = grams >> PLACE_SHIFT
        return (self._is_common[places >> np.uint32(3)] >> (places & np.uint32(7)).astype(np.uint8) & 1).astype(bool)


def upper_half(hashes: np.ndarray) -> np.ndarray:
    """The number by which the store knows an n-gram: uint32."""
    return (hashes >> HALF).astype(np.uint32)
