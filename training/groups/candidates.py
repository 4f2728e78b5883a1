"""Which texts are worth comparing, by MinHash (Broder 1997, as in `training.twins`).

BANDS bands of ROWS minima: two texts of similarity s share a band with probability 1 − (1 − s⁴)¹²: 0.998 at 0.8, 0.54
at 0.5, 0.02 at 0.2.

The work is bounded whatever the texts are: of the texts that share a band with a text the oldest BUCKET count, and of
all those the CANDIDATES with which it shares most bands.
"""

from collections.abc import Iterator

import numpy as np

from training.arrays import ragged
from training.canonical import sha256_hex
from training.groups.gram_store import GramStore
from training.ngrams import HALF

BANDS, ROWS = 12, 4
BUCKET, CANDIDATES = 64, 16
CHUNK = 512  # texts whose candidates are worked out together


def candidate_pairs(store: GramStore, texts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Texts and older ones that may be near-twins, as indices into `texts`: positions in the store, oldest first.

    Pairs come in order of their younger text, some CHUNK texts at a time.
    """
    starts, orders, lengths = _buckets(_bands(store, texts))
    rows = np.flatnonzero(lengths.any(axis=0))
    for first in range(0, len(rows), CHUNK):
        chunk = rows[first : first + CHUNK]
        yield _most_shared(*_met(chunk, starts, orders, lengths))


def _bands(store: GramStore, texts: np.ndarray) -> np.ndarray:
    """A number for each band of each text, uint32 (BANDS, texts); 0 for a text without n-grams."""
    places = np.full(store.texts, -1, dtype=np.int32)
    places[texts] = np.arange(len(texts), dtype=np.int32)
    bands = np.zeros((BANDS, len(texts)), dtype=np.uint32)
    for grams, owners in store.slices(texts):
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        if len(starts):
            # Permutations x → a·x + b of numbers that are hashes themselves; all sums are modulo 2³².
            minima = np.minimum.reduceat(grams[:, None] * FACTORS + OFFSETS, starts, axis=0)
            numbers = (minima * BAND_FACTORS).reshape(-1, BANDS, ROWS).sum(axis=2, dtype=np.uint32)
            bands[:, places[owners[starts]]] = (numbers ^ numbers >> np.uint32(15)).T | np.uint32(1)
    return bands


def _buckets(bands: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """For each band an order of the texts that are not alone in it: those of a bucket together, oldest first. And for
    each band and text, (BANDS, texts): where its bucket starts there, and how many texts of it are older, up to BUCKET.
    """
    orders, lengths = [], np.zeros(bands.shape, dtype=np.uint8)
    starts = bands.view(np.int32)  # in the place of what is not needed any more
    for band, start, length in zip(bands, starts, lengths, strict=True):
        order = np.argsort(band, kind="stable").astype(np.int32)
        begins = np.diff(band[order], prepend=0) != 0
        alone = (begins & np.append(begins[1:], True)) | (band[order] == 0)
        order, begins = order[~alone], begins[~alone]
        places = np.arange(len(order), dtype=np.int32)
        firsts = np.maximum.accumulate(np.where(begins, places, 0))
        start[order], length[order] = firsts, np.minimum(places - firsts, BUCKET)
        orders.append(order)
    return starts, orders, lengths


def _met(
    rows: np.ndarray, starts: np.ndarray, orders: list[np.ndarray], lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each of the rows with each text it meets, and the number of bands they share; in order of rows, then texts."""
    met = []
    for start, order, length in zip(starts[:, rows], orders, lengths[:, rows], strict=True):
        others = order[ragged(start, length)]
        met.append(np.repeat(np.arange(len(rows), dtype=np.uint64), length) << HALF | others.astype(np.uint64))
    pairs, shared = np.unique(np.concatenate(met), return_counts=True)
    return rows[(pairs >> HALF).astype(np.int64)], pairs.astype(np.uint32).astype(np.int64), shared


def _most_shared(rows: np.ndarray, others: np.ndarray, shared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row's pairs the CANDIDATES that share most bands, the oldest first among equals."""
    best = np.lexsort((others, -shared, rows))
    rows, others = rows[best], others[best]
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    ranks = np.arange(len(rows)) - np.repeat(begins, np.diff(begins, append=len(rows)))
    return rows[ranks < CANDIDATES], others[ranks < CANDIDATES]


def _constants(name: str, count: int) -> np.ndarray:
    """Odd 32-bit numbers. What splits are drawn from must never change: no library's random generator chooses them."""
    return np.array(
        [int(sha256_hex(f"tunixrt candidates {name} {index}")[:8], 16) | 1 for index in range(count)], dtype=np.uint32
    )


FACTORS, OFFSETS = _constants("factor", BANDS * ROWS), _constants("offset", BANDS * ROWS)
BAND_FACTORS = _constants("band", BANDS * ROWS)
