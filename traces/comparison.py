"""Two traces side by side."""

from dataclasses import dataclass
from itertools import zip_longest

from training.marking import Piece, blocks, marked

MAX_ALIGNED = 100  # steps in which two traces differ; beyond, all between their common ends are paired in turn
MAX_MARKED_PAIRS = 50  # pairs of steps, the first that differ, whose words are compared


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
    for same, a, b, c, d in blocks([_sense(step) for step in base], [_sense(step) for step in other], MAX_ALIGNED):
        for left, right in zip_longest(base[a:b], other[c:d]):
            differing += not same
            pairs.append(StepPair(left, right, by_word=same or differing <= MAX_MARKED_PAIRS))
    return pairs


def _sense(step: dict) -> tuple[str, str]:
    return step["type"], step["content"]
