"""Which n-grams of a dataset tell nothing because many rows have them: instructions, templates, idioms."""

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np

from training.arrays import distinct
from training.firewall.keys import gram_keys
from training.firewall.words import clean, hashed, texts_of

GRAM, SHORT_GRAM = 8, 5  # words of an n-gram, and of one of an answer or a short prompt
SHARE, FEWEST = 0.01, 10  # an n-gram in more rows than that is common
SAMPLE = 20_000  # rows that are enough to know which n-grams one row in a hundred has
PLACES = np.uint64(23)  # bits of a place in the table of counts
PLACE_SHIFT, LAST_PLACE = np.uint64(64) - PLACES, np.uint64(2**23 - 1)


class CommonGrams:
    """Add the dataset's rows, all of them or its train rows; then ask by hash.

    Of a dataset of more than SAMPLE rows some SAMPLE are counted, chosen by their ids. Rows with the same prompt count
    once: a prompt that is repeated often is no turn of phrase. N-grams that share a place in the table may pass for
    common before they are; that is rare and hides little, for an item has many n-grams.
    """

    def __init__(self, rows: int):
        self._one_in = max(1, rows // SAMPLE)
        self._counts = np.zeros(int(LAST_PLACE) + 1, dtype=np.uint32)
        self._prompts: set[int] = set()

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        rows = [row for row in rows if crc32(str(row["id"]).encode()) % self._one_in == 0]
        prompts = hashed([clean(row["prompt"]) for row in rows]).bags().tolist()
        first = dict(zip(reversed(prompts), reversed(rows), strict=True))
        texts = [clean("\n".join(texts_of(row))) for prompt, row in first.items() if prompt not in self._prompts]
        self._prompts.update(prompts)
        words = hashed(texts)
        for n in (GRAM, SHORT_GRAM):
            hashes, rows_of = gram_keys(words, n)
            places = rows_of.astype(np.uint64) << PLACES | hashes >> PLACE_SHIFT
            np.add.at(self._counts, distinct(places) & LAST_PLACE, np.uint32(1))

    def __call__(self, hashes: np.ndarray) -> np.ndarray:
        """Of hashes of n-grams of spoken words those that are common: bool."""
        return self._counts[hashes >> PLACE_SHIFT] > max(FEWEST, int(SHARE * len(self._prompts)))


def nothing_is_common(hashes: np.ndarray) -> np.ndarray:
    return np.zeros(len(hashes), dtype=bool)
