"""Two texts word by word: what is the same, and what the other has something else for."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

WORDS = re.compile(r"\s+|\w+|.", re.DOTALL)
# Finding the longest common parts costs the product of both lengths, or more: a page has to come in a moment.
MAX_COMPARED = 40  # words in which two texts differ; beyond, all between their common ends counts as changed


class Piece(NamedTuple):
    """A part of a text, and whether the other side has something else there."""

    text: str
    changed: bool


def marked(base: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, words that differ marked."""
    left, right = WORDS.findall(base), WORDS.findall(other)
    found = list(blocks(left, right, MAX_COMPARED))
    return (
        [Piece("".join(left[a:b]), not same) for same, a, b, _, _ in found if a < b],
        [Piece("".join(right[c:d]), not same) for same, _, _, c, d in found if c < d],
    )


def blocks(left: list, right: list, most: int) -> Iterator[tuple[bool, int, int, int, int]]:
    """What is the same and what is not: whether, then from where to where on either side."""
    start = _common(left, right)
    end = _common(left[start:][::-1], right[start:][::-1])
    a, b, c, d = start, len(left) - end, start, len(right) - end
    yield True, 0, start, 0, start
    if max(b - a, d - c) > most:
        yield False, a, b, c, d
    else:
        matcher = SequenceMatcher(None, left[a:b], right[c:d], autojunk=False)
        for tag, i, j, k, m in matcher.get_opcodes():
            yield tag == "equal", a + i, a + j, c + k, c + m
    yield True, b, len(left), d, len(right)


def _common(left: list, right: list) -> int:
    """How many items both begin with."""
    shorter = min(len(left), len(right))
    return next((place for place in range(shorter) if left[place] != right[place]), shorter)
