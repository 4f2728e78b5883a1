"""Which rows are most like a question: BM25 over words, pairs of words and runs of four.

BM25 as in Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond": a term counts the more
the fewer rows have it (ln(1 + (N − n + ½) / (n + ½)) where n of N rows do), a repetition counts less than the first
time, and a long row is held to its length. In problems made by rule all rows have the same words; there it is the runs
(`+ 4 × 7`) that few have. Words are those of `training.ngrams`: a number is one, and so is a sign.

The rows are read once. Of each is kept which of the question's terms it has, and how often: 7 bytes a term.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from training.firewall.words import clean, hashed
from training.ngrams import Words

RUNS = (1, 2, 4)  # words of a term
K1, B = 1.2, 0.75  # how soon repetitions stop to count, and how much lengths do: the usual values
MAX_CHARACTERS = 2_000  # of a longer text the beginning speaks for the whole
SAMPLE, COMMON = 5_000, 0.5  # a term that more than this share of the first rows have is not looked for in the others
SIEVE = 16  # bits of a hash, by which most terms of rows are dismissed


class Near(NamedTuple):
    """A row by its place among all, from 0, and how like the question it is; the question itself scores 1."""

    place: int
    score: float


def nearest(question: str, chunks: Iterable[Sequence[str]], most: int) -> list[Near]:
    """The `most` rows that are most like a question, the likest first and of equals the earlier one.

    `chunks` are the texts of the rows, some hundred at a time. A row that shares nothing telling is none of them.
    """
    search = _Search(question)
    for texts in chunks:
        search.look_at(texts)
    scores = search.scores()
    best = np.argsort(-scores, kind="stable")[:most]
    return [Near(int(place), float(scores[place])) for place in best if scores[place] > 0]


class _Hits(NamedTuple):
    """Which rows of a chunk have which terms: the row's place in the chunk, the term's number, how often."""

    rows: np.ndarray  # uint32
    terms: np.ndarray  # uint16
    counts: np.ndarray  # uint8


class _Search:
    """The terms of a question, and what was found of them so far."""

    def __init__(self, question: str):
        words = _words_of([question])
        self._terms, self._counts = np.unique(_terms_of(words)[0], return_counts=True)
        self._length = len(words.hashes)
        self._sieve = np.zeros(2**SIEVE, dtype=bool)
        self._sieve[_sieved(self._terms)] = True
        self._is_telling = np.ones(len(self._terms), dtype=bool)
        self._rows_with = np.zeros(len(self._terms), dtype=np.int64)
        self._found: list[_Hits] = []
        self._lengths: list[np.ndarray] = []  # of the rows, in words
        self._row_count = 0

    def look_at(self, texts: Sequence[str]) -> None:
        """Keeps which of the terms the rows of a chunk have."""
        words = _words_of(texts)
        hits = self._hits(words)
        self._found.append(hits)
        self._lengths.append(words.counts().astype(np.uint32))
        self._rows_with += np.bincount(hits.terms, minlength=len(self._terms))
        before, self._row_count = self._row_count, self._row_count + len(texts)
        if before < SAMPLE <= self._row_count:
            self._is_telling = self._rows_with <= COMMON * self._row_count

    def scores(self) -> np.ndarray:
        """BM25 of every row, as a share of what the question itself would have: float64 (rows,)."""
        average = max(1, sum(int(lengths.sum()) for lengths in self._lengths)) / max(1, self._row_count)
        rarity = np.log1p((self._row_count - self._rows_with + 0.5) / (self._rows_with + 0.5))
        weights = rarity * self._is_telling * self._counts
        own = _bm25(weights, self._counts, self._length / average).sum()
        scores: list[np.ndarray] = [np.zeros(0)]
        for hits, lengths in zip(self._found, self._lengths, strict=True):
            parts = _bm25(weights[hits.terms], hits.counts, lengths[hits.rows] / average)
            scores.append(np.bincount(hits.rows, parts, minlength=len(lengths)))
        return np.concatenate(scores) / (own or 1)

    def _hits(self, words: Words) -> _Hits:
        hashes, owners = _terms_of(words)
        likely = np.flatnonzero(self._sieve[_sieved(hashes)])
        places = np.searchsorted(self._terms[:-1], hashes[likely])  # never beyond the last
        found = (self._terms[places] == hashes[likely]) & self._is_telling[places]
        keys, counts = np.unique(owners[likely[found]] * len(self._terms) + places[found], return_counts=True)
        rows, terms = np.divmod(keys, max(1, len(self._terms)))
        return _Hits(rows.astype(np.uint32), terms.astype(np.uint16), np.minimum(counts, 255).astype(np.uint8))


def _bm25(weights: np.ndarray, counts: np.ndarray, lengths: np.ndarray | float) -> np.ndarray:
    """What terms add; `lengths` are those of the texts as shares of the average."""
    return weights * counts * (K1 + 1) / (counts + K1 * (1 - B + B * lengths))


def _words_of(texts: Sequence[str]) -> Words:
    return hashed([clean(text[:MAX_CHARACTERS]) for text in texts])


def _terms_of(words: Words) -> tuple[np.ndarray, np.ndarray]:
    """Every term of every text: its hash, and its text."""
    hashes, firsts = zip(*map(words.grams, RUNS), strict=True)
    return np.concatenate(hashes), words.owners().astype(np.int64)[np.concatenate(firsts)]


def _sieved(hashes: np.ndarray) -> np.ndarray:
    return hashes >> np.uint64(64 - SIEVE)
