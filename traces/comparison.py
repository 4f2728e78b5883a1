"""Two traces side by side."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

WORDS = re.compile(r"\s+|\w+|.", re.DOTALL)
# Finding the longest common parts costs the product of both lengths, or more: a page has to come in a moment.
MAX_COMPARED = 40  # words in which two texts differ; beyond, all between their common ends counts as changed
MAX_ALIGNED = 100  # steps in which two traces differ; beyond, all between their common ends are paired in turn
MAX_MARKED_PAIRS = 50  # pairs of steps, the first that differ, whose words are compared


class Piece(NamedTuple):
    """A part of a text, and whether the other side has something else there."""

    text: str
    changed: bool


@dataclass(frozen=True)
class StepPair:
    """Two steps that say the same, or that stand in each other's place; a side that has none is None."""

    base: dict | None
    other: dict | None
    by_word: bool = True

    @property
    def same(self) -> bool:
        return self.base is not None and self.other is not None and _sense(self.base) == _sense(self.other)

    @property
    def pieces(self) -> tuple[list[Piece], list[Piece]]:
        """Both contents in pieces, those that differ marked: words, or, unless `by_word`, the whole."""
        base, other = (step["content"] if step else "" for step in (self.base, self.other))
        return marked(base, other) if self.by_word else ([Piece(base, True)], [Piece(other, True)])


def align_steps(base: list[dict], other: list[dict]) -> list[StepPair]:
    """Every step of both sides once, in order, steps of the same type and content side by side.

    Between those, steps stand side by side in turn. By longest matching blocks (Ratcliff and Obershelp, difflib).
    """
    pairs, differing = [], 0
    for same, a, b, c, d in _blocks([_sense(step) for step in base], [_sense(step) for step in other], MAX_ALIGNED):
        for left, right in zip_longest(base[a:b], other[c:d]):
            differing += not same
            pairs.append(StepPair(left, right, by_word=same or differing <= MAX_MARKED_PAIRS))
    return pairs


def marked(base: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, words that differ marked."""
    left, right = WORDS.findall(base), WORDS.findall(other)
    blocks = list(_blocks(left, right, MAX_COMPARED))
    return (
        [Piece("".join(left[a:b]), not same) for same, a, b, _, _ in blocks if a < b],
        [Piece("".join(right[c:d]), not same) for same, _, _, c, d in blocks if c < d],
    )


def _blocks(left: list, right: list, most: int) -> Iterator[tuple[bool, int, int, int, int]]:
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


def _sense(step: dict) -> tuple[str, str]:
    return step["type"], step["content"]
