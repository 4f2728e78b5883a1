"""A table of hashes and the items they belong to: bounded memory, and numpy looks thousands up at once."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from training.arrays import ragged

ITEM_BITS = 20  # of an entry; the other 44 are the hash's uppermost
MAX_ITEMS = 2**ITEM_BITS
ITEM = np.uint64(MAX_ITEMS - 1)
LOW = np.uint64(ITEM_BITS)
MOST_FILTER_BITS = 28  # 32 MB
SLICE = 2**18  # entries that are moved together
FILTER_PART = 22  # bits of the filter that are set together


class Index:
    """Add all entries, `finish`, then `find`. 8 bytes an entry, and a filter of 2 to 4."""

    def __init__(self) -> None:
        self._added = bytearray()
        self._entries = np.zeros(0, dtype=np.uint64)

    def __len__(self) -> int:
        return len(self._added) // 8

    def add(self, hashes: np.ndarray, items: np.ndarray) -> None:
        """Numbers of items below MAX_ITEMS; an item may have the same hash more than once."""
        self._added += (hashes & ~ITEM | items.astype(np.uint64)).tobytes()

    def finish(self, most: int) -> None:
        """Makes it ready, without the hashes that more than `most` items have: those tell little."""
        np.frombuffer(self._added, dtype=np.uint64).sort()
        self._keep(lambda part, before: np.diff(part, prepend=before) != 0)
        hot = self._hot(most)
        self._keep(lambda part, _: hot[np.searchsorted(hot, part >> LOW)] != part >> LOW)
        self._entries = np.frombuffer(self._added, dtype=np.uint64)
        self._filter = _Filter(self._entries)

    def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of the hashes are found, as indices, and with which items; once for each item that has one."""
        likely = self._filter.passing(hashes)
        likely = likely[np.argsort(hashes[likely])]  # in order, so that the search walks instead of jumping
        wanted = hashes[likely] & ~ITEM
        first = np.searchsorted(self._entries, wanted)
        count = np.searchsorted(self._entries, wanted | ITEM, side="right") - first
        return np.repeat(likely, count), (self._entries[ragged(first, count)] & ITEM).astype(np.int64)

    def _hot(self, most: int) -> np.ndarray:
        """The hashes with more than `most` entries, shifted, in order; the last is greater than any."""
        entries, found = np.frombuffer(self._added, dtype=np.uint64), [np.zeros(0, dtype=np.uint64)]
        for first in range(0, len(entries) - most, SLICE):
            later = entries[first + most : first + most + SLICE]
            found.append(later[(later ^ entries[first : first + len(later)]) <= ITEM] >> LOW)
        return np.append(np.unique(np.concatenate(found)), ~np.uint64(0))

    def _keep(self, wanted: Callable[[np.ndarray, np.uint64], np.ndarray]) -> None:
        """Only the wanted entries, in place. `wanted` gets some of them, and the one before those."""
        del self._added[8 * _close_gaps(np.frombuffer(self._added, dtype=np.uint64), wanted) :]


def _close_gaps(entries: np.ndarray, wanted: Callable[[np.ndarray, np.uint64], np.ndarray]) -> int:
    """Moves the wanted entries to the front and says how many they are: a second copy of all would be too large."""
    end, before = 0, ~np.uint64(0)
    for first in range(0, len(entries), SLICE):
        part = entries[first : first + SLICE]
        kept, before = part[wanted(part, before)], part[-1]
        entries[end : end + len(kept)] = kept
        end += len(kept)
    return end


class _Filter:
    """Whether a hash may be among the entries: one bit in sixteen or more is set (Bloom 1970, with one function)."""

    def __init__(self, entries: np.ndarray):
        bits = min(MOST_FILTER_BITS, max(FILTER_PART, (16 * len(entries)).bit_length()))
        self._shift = np.uint64(64 - bits)
        places = entries >> self._shift
        self._bytes = np.zeros(2 ** (bits - 3), dtype=np.uint8)
        bounds = np.searchsorted(places, np.arange(0, 2**bits + 1, 2**FILTER_PART, dtype=np.uint64))
        for part, (first, last) in enumerate(pairwise(bounds)):
            held = np.zeros(2**FILTER_PART, dtype=bool)
            held[places[first:last] & np.uint64(2**FILTER_PART - 1)] = True
            self._bytes[part << FILTER_PART - 3 : (part + 1) << FILTER_PART - 3] = np.packbits(held, bitorder="little")

    def passing(self, hashes: np.ndarray) -> np.ndarray:
        """Indices of the hashes that may be entries."""
        places = hashes >> self._shift
        return np.flatnonzero(self._bytes[places >> np.uint64(3)] >> (places & np.uint64(7)).astype(np.uint8) & 1)
