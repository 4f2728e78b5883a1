"""Two traces side by side."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

WORDS = re.compile(r"\s+|\w+|.", re.DOTALL)
MAX_MARKED = 800  # characters of a text within which changed words are marked; more would take tenths of a second
MAX_MARKED_PAIRS = 50  # pairs of steps, the first that differ; a page has to come in a moment


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
    matcher = SequenceMatcher(None, [_sense(step) for step in base], [_sense(step) for step in other], autojunk=False)
    pairs, differing = [], 0
    for tag, a, b, c, d in matcher.get_opcodes():
        for left, right in zip_longest(base[a:b], other[c:d]):
            differing += tag != "equal"
            pairs.append(StepPair(left, right, by_word=tag == "equal" or differing <= MAX_MARKED_PAIRS))
    return pairs


def marked(base: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, words that differ marked; texts that are too long to compare are marked as a whole."""
    if base == other or not (base and other) or max(len(base), len(other)) > MAX_MARKED:
        changed = base != other
        return [Piece(base, changed)], [Piece(other, changed)]
    left, right = WORDS.findall(base), WORDS.findall(other)
    codes = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    return (
        list(_pieces((left[a:b], tag) for tag, a, b, _, _ in codes)),
        list(_pieces((right[c:d], tag) for tag, _, _, c, d in codes)),
    )


def _pieces(blocks: Iterator[tuple[list[str], str]]) -> Iterator[Piece]:
    for words, tag in blocks:
        if words:
            yield Piece("".join(words), tag != "equal")


def _sense(step: dict) -> tuple[str, str]:
    return step["type"], step["content"]
