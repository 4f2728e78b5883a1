"""Near-duplicates: texts that share most of their word n-grams.

Which pairs are worth comparing, MinHash tells (Broder 1997, "On the resemblance and containment of documents"): the
share of equal minima of two texts' hashed n-grams estimates their Jaccard similarity. The 32 minima are cut into 8
bands of 4; two texts of similarity s share a band with probability 1 − (1 − s⁴)⁸: 0.985 at the threshold of 0.8, 0.40
at 0.5, 0.01 at 0.2 (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3). Candidates are then
compared exactly.

Generated problems are alike by design, so their text says nothing: there the problem's own key decides.
"""

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np

from training import ngrams
from training.canonical import sha256_hex
from training.splits import group_of

THRESHOLD = 0.8
GRAM = 3  # words of an n-gram
BANDS, ROWS = 8, 4
MAX_WORDS = 10_000  # of a longer text the beginning speaks for the whole
BLOCK = 4096  # n-grams that are hashed at a time


def _constants(name: str, count: int) -> np.ndarray:
    """Odd 64-bit numbers. They are part of what is stored, so no library's random generator may choose them."""
    numbers = [int(sha256_hex(f"tunixrt twins {name} {index}")[:16], 16) | 1 for index in range(count)]
    return np.array(numbers, dtype=np.uint64)


# Hash functions h(x) = (a·x + b) >> 32, Dietzfelbinger et al. 1997; all sums are modulo 2⁶⁴.
FACTORS, OFFSETS = _constants("factor", BANDS * ROWS), _constants("offset", BANDS * ROWS)
PLACES = _constants("place", GRAM)  # of a word in its n-gram
BAND_FACTORS, BAND_OFFSETS = _constants("band", ROWS), _constants("band offset", BANDS)
MIX, HALF = _constants("mix", 1)[0], np.uint64(32)


@dataclass(frozen=True)
class Likeness:
    """What a trace is compared by: the key of a generated problem, else the set of its n-grams."""

    key: str | None
    grams: frozenset[tuple[str, ...]]

    @classmethod
    def of(cls, payload: dict) -> "Likeness":
        words = words_of(payload)
        starts = (words[start:] for start in range(GRAM))
        return cls(problem_key(payload), frozenset(zip(*starts, strict=False)) or frozenset([tuple(words)]))

    def similarity(self, other: "Likeness") -> float:
        """Jaccard similarity of the n-grams, 0 to 1."""
        shared = len(self.grams & other.grams)
        return shared / (len(self.grams) + len(other.grams) - shared)

    def is_twin(self, other: "Likeness") -> bool:
        """Of generated problems: the same problem. Of all others: similar texts."""
        if self.key or other.key:
            return self.key == other.key
        return self.similarity(other) >= THRESHOLD


def bands_of(payload: dict) -> list[int]:
    """Signed 64-bit numbers, of which twins very likely share one: BANDS of them, or one for a generated problem."""
    key = problem_key(payload)
    if key:
        return [int.from_bytes(bytes.fromhex(sha256_hex(key)[:16]), signed=True)]
    minima = _minima(words_of(payload)).reshape(BANDS, ROWS)
    return _mixed((minima * BAND_FACTORS).sum(axis=1, dtype=np.uint64) + BAND_OFFSETS).view(np.int64).tolist()


def problem_key(payload: dict) -> str | None:
    """What the same generated problem is known by, whatever its numbers look like; None for every other trace."""
    group = group_of(payload)
    return None if group.startswith("prompt:") else group


def words_of(payload: dict) -> list[str]:
    """The words of prompt, steps and answer, at least one, without what makes no difference to their meaning."""
    texts = (payload["prompt"], *(step["content"] for step in payload["steps"]), payload["final_answer"])
    return ngrams.words_of("\n".join(texts))[:MAX_WORDS] or [""]


def _minima(words: list[str]) -> np.ndarray:
    """The least value of each hash function over the n-grams of a text: uint64 (BANDS · ROWS,)."""
    hashes = np.fromiter(map(_hash, words), dtype=np.uint64, count=len(words))
    count = max(1, len(hashes) - GRAM + 1)
    grams = np.zeros(count, dtype=np.uint64)
    for place, factor in enumerate(PLACES[: len(hashes)]):
        grams += hashes[place : place + count] * factor
    grams = _mixed(grams)
    least = np.full(BANDS * ROWS, np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, count, BLOCK):
        values = (grams[start : start + BLOCK, None] * FACTORS + OFFSETS) >> HALF
        np.minimum(least, values.min(axis=0), out=least)
    return least


@lru_cache(2**16)
def _hash(word: str) -> int:
    return crc32(word.encode())


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Every bit of the result depends on the upper and the lower half of the number."""
    numbers = (numbers ^ (numbers >> HALF)) * MIX
    return numbers ^ (numbers >> HALF)
