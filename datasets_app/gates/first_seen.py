"""Which of many things were there before: a hash table of numbers, in some twenty bytes a thing."""

from collections.abc import Iterable, Iterator

import numpy as np

FULLEST = 0.75  # share of the places that are taken before there are more
GROWTH = 1.5


class FirstSeen:
    """Positions where things stood first, by their 64-bit hashes.

    In a million things, two that differ share a hash once in some thirty million times.
    """

    def __init__(self) -> None:
        self._keys = np.zeros(4097, np.uint64)  # 0 where a place is free
        self._positions = np.zeros(4097, np.uint32)
        self._taken = self._count = 0

    def again(self, hashes: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Those of the next things that were there before: (index in `hashes`, position where it stood first).

        Positions count all things ever given, from 0.
        """
        first = self._add(np.fromiter(hashes, np.int64).view(np.uint64))
        here = self._count - len(first) + np.arange(len(first))
        for index in np.flatnonzero(first != here).tolist():
            yield index, int(first[index])

    def _add(self, hashes: np.ndarray) -> np.ndarray:
        """Where each of these stood first."""
        keys, first, inverse = np.unique(np.maximum(hashes, 1), return_index=True, return_inverse=True)
        if self._taken + len(keys) > FULLEST * len(self._keys):
            self._grow(self._taken + len(keys))
        places = self._settle(keys, first + self._count)
        self._count += len(hashes)
        return self._positions[places][inverse]

    def _settle(self, keys: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The place of each of these different keys; one that has none takes the next free one, with its position."""
        places = (keys % np.uint64(len(self._keys))).astype(np.int64)
        waiting = np.arange(len(keys))
        while len(waiting):
            at = places[waiting]
            free = self._keys[at] == 0
            self._keys[at[free]] = keys[waiting[free]]  # of several that want a place, one gets it
            settled = self._keys[at] == keys[waiting]
            new = waiting[free & settled]
            self._positions[places[new]] = positions[new]
            self._taken += len(new)
            waiting = waiting[~settled]
            places[waiting] = (places[waiting] + 1) % len(self._keys)
        return places

    def _grow(self, wanted: int) -> None:
        taken = self._keys != 0
        keys, positions = self._keys[taken], self._positions[taken]
        size = int(max(wanted / FULLEST, len(taken) * GROWTH)) | 1
        self._keys, self._positions, self._taken = np.zeros(size, np.uint64), np.zeros(size, np.uint32), 0
        self._settle(keys, positions)
