"""Near-twins among very many texts, by the hashes of their n-grams: who joins whom.

Texts are taken oldest first. A text joins the oldest leader that it is a near-twin of; else the oldest near-twin that
has joined a leader itself, if it is at least half like that leader; else it leads. So near-twins keep together, a chain
of small changes is cut where it has led too far away, and the youngest text changes nothing for the others.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from training.groups.candidates import candidate_pairs
from training.groups.gram_store import GramStore
from training.ngrams import HALF

LIKE, HALF_LIKE = 0.8, 0.5
REMEMBERED = 1024  # texts whose n-grams are held in memory
PAIRS = 256  # that are compared together


class Joined(NamedTuple):
    """A text, the near-twin it was found by, and that one's leader (often the same): positions in the store."""

    text: int
    twin: int
    leader: int


def near_twins(store: GramStore, texts: np.ndarray) -> Iterator[Joined]:
    """Every text that joins another, out of `texts`: positions in the store, oldest first."""

    @lru_cache(REMEMBERED)
    def grams_of(index: int) -> np.ndarray:
        return store.of(int(texts[index]))

    leaders = array("i", range(len(texts)))  # one that leads is its own
    for rows, others in candidate_pairs(store, texts):
        for row, pairs in groupby(_alike(rows, others, grams_of), itemgetter(0)):
            for twin in sorted((twin for _, twin in pairs), key=lambda at: (leaders[at] != at, at)):
                leader = leaders[twin]
                if leader == twin or _similarities([grams_of(row)], [grams_of(leader)])[0] >= HALF_LIKE:
                    leaders[row] = leader
                    yield Joined(*texts[[row, twin, leader]].tolist())
                    break


def similarity(one: frozenset, other: frozenset) -> float:
    """Jaccard similarity, 0 to 1; nothing is like nothing."""
    shared = len(one & other)
    return shared / max(1, len(one) + len(other) - shared)


def _alike(rows: np.ndarray, others: np.ndarray, grams_of: Callable[[int], np.ndarray]) -> Iterator[tuple[int, int]]:
    """The pairs that are near-twins, in their order."""
    for first in range(0, len(rows), PAIRS):
        pairs = list(zip(rows[first : first + PAIRS].tolist(), others[first : first + PAIRS].tolist(), strict=True))
        near = _similarities([grams_of(row) for row, _ in pairs], [grams_of(other) for _, other in pairs]) >= LIKE
        yield from (pairs[index] for index in np.flatnonzero(near).tolist())


def _similarities(ones: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> np.ndarray:
    """`similarity` of each two sets, arrays of distinct 32-bit numbers."""
    sizes = np.array([[len(one) for one in ones], [len(other) for other in others]])
    pairs = np.repeat(np.tile(np.arange(len(ones), dtype=np.uint64), 2), sizes.ravel())
    numbers = pairs << HALF | np.concatenate((*ones, *others))
    numbers.sort()
    twice = numbers[1:][numbers[1:] == numbers[:-1]]
    shared = np.bincount((twice >> HALF).astype(np.int64), minlength=len(ones))
    return shared / np.maximum(1, sizes.sum(axis=0) - shared)
