"""Which parts of two texts say the same: places for a page that shows them side by side."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from training.ngrams import PACING, WORD, folded

GRAM = 3  # words that must be the same in a row; fewer where a text has fewer
CHUNK = re.compile(r"\S+")
Span = tuple[int, int]


class Placed(NamedTuple):
    """A word, and where it stands in the text as it was written."""

    word: str
    start: int
    end: int


def spans(text: str, other: str) -> tuple[list[Span], list[Span]]:
    """The places (start, end) in characters of `text` and of `other` where they share GRAM words in a row, in order."""
    ours, theirs = list(_spoken(text)), list(_spoken(other))
    n = max(1, min(GRAM, len(ours), len(theirs)))
    shared = {gram for _, gram in _grams(ours, n)} & {gram for _, gram in _grams(theirs, n)}
    return _marked(ours, shared, n), _marked(theirs, shared, n)


def _spoken(text: str) -> Iterator[Placed]:
    """The spoken words. Where folding changes how many characters there are, the place is the whole chunk's."""
    for chunk in CHUNK.finditer(text):
        fold = folded(chunk[0])
        is_aligned = len(fold) == len(chunk[0])
        for match in WORD.finditer(fold):
            if match[0] not in PACING:
                start, end = (chunk.start() + place for place in match.span()) if is_aligned else chunk.span()
                yield Placed(match[0], start, end)


def _grams(words: list[Placed], n: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every n-gram and the place of its first word."""
    texts = [placed.word for placed in words]
    return enumerate(zip(*(texts[start:] for start in range(n)), strict=False))


def _marked(words: list[Placed], shared: set[tuple[str, ...]], n: int) -> list[Span]:
    """Runs of words that lie in shared n-grams."""
    found: list[Span] = []
    end = 0  # of the n-gram before, in words
    for first, gram in _grams(words, n):
        if gram in shared:
            start = found.pop()[0] if found and first <= end else words[first].start
            end = first + n
            found.append((start, words[end - 1].end))
    return found
