"""Where it got better or worse: the same items by category, by difficulty and by section."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from training.comparison import Pair, p_text
from training.statistics import ALPHA, FEWEST_CHANGED, holm_adjusted, mcnemar_exact_p, paired_difference_interval

DIMENSIONS = ("category", "difficulty", "section")
BETTER, WORSE, NOT_TOLD_APART = "better", "worse", "not told apart"


@dataclass(frozen=True)
class Slice:
    """The items of one label, judged in both. `holm_p` is its p among those of all slices in which enough changed to
    show anything, None where too few did."""

    dimension: str
    label: str
    n: int
    base_right: int
    other_right: int
    won: int
    lost: int
    difference: float
    interval: tuple[float, float]
    p_value: float
    holm_p: float | None = None

    @property
    def mark(self) -> str:
        if self.holm_p is None or self.holm_p >= ALPHA:
            return NOT_TOLD_APART
        return BETTER if self.won > self.lost else WORSE

    @property
    def p(self) -> str:
        return p_text(self.p_value)

    @property
    def holm(self) -> str:
        return "too few changed" if self.holm_p is None else p_text(self.holm_p)

    def to_dict(self) -> dict:
        return vars(self) | {"interval": list(self.interval), "mark": self.mark}


def slices(pairs: Iterable[Pair], items: Iterable[Mapping[str, Any]]) -> list[Slice]:
    """Slices of judged pairs, by dimension and in the items' order; one label on all of them makes no slice.

    All are one family of tests. Those in which fewer than FEWEST_CHANGED items changed cannot show anything and do not
    count in it (Tarone 1990, "A modified Bonferroni method for discrete data", Biometrics 46:515-522): else an evalset
    could be cut so finely that no loss stands.
    """
    by_id = {base["id"]: (base, other) for base, other in pairs}
    judged = [(item, by_id[item["id"]]) for item in items if item["id"] in by_id]
    found = []
    for dimension in DIMENSIONS:
        groups: dict[str, list[Pair]] = {}
        for item, pair in judged:
            if label := item.get(dimension):
                groups.setdefault(label, []).append(pair)
        if len(groups) > 1:
            found += [_slice(dimension, label, group) for label, group in groups.items()]
    return _among_each_other(found)


def _slice(dimension: str, label: str, pairs: Sequence[Pair]) -> Slice:
    won = sum(other["correct"] and not base["correct"] for base, other in pairs)
    lost = sum(base["correct"] and not other["correct"] for base, other in pairs)
    return Slice(
        dimension=dimension,
        label=label,
        n=len(pairs),
        base_right=sum(base["correct"] for base, _ in pairs),
        other_right=sum(other["correct"] for _, other in pairs),
        won=won,
        lost=lost,
        difference=(won - lost) / len(pairs),
        interval=paired_difference_interval(won, lost, len(pairs)),
        p_value=mcnemar_exact_p(won, lost),
    )


def _among_each_other(found: Sequence[Slice]) -> list[Slice]:
    telling = [each.p_value for each in found if each.won + each.lost >= FEWEST_CHANGED]
    adjusted = iter(holm_adjusted(telling))
    return [replace(each, holm_p=next(adjusted)) if each.won + each.lost >= FEWEST_CHANGED else each for each in found]
