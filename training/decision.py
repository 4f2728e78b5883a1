"""May it ship: two lists of answers to the same items, decided in words by the first rule that applies.

SHIP, HOLD or NEED n MORE ITEMS. docs/verdicts.md has the rules with their reasons. All that they look at is counted
from the rows, so whoever has the rows comes to the same decision.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.comparison import Pair, is_judged, p_text, paired
from training.errors import echo
from training.result_rows import ResultRow
from training.slices import WORSE, Slice, slices
from training.statistics import (
    ALPHA,
    NoiseFloor,
    bootstrap_interval,
    detectable_difference,
    items_to_decide,
    mcnemar_exact_p,
    paired_difference_interval,
    wilson_interval,
)

SHIP, HOLD, NEED = "SHIP", "HOLD", "NEED MORE ITEMS"
PROMISING = 0.2  # a gain whose p lies below is worth asking more items for
NAMED = 3  # slices that a reason names
FEW = 20  # changed items below which the bootstrap knows too little of what else could have changed


@dataclass(frozen=True)
class Evidence:
    """What the rows show. Items that ask the same count once: the same answer twice is no second witness.

    `skipped` items were judged in neither, `asked_in_one` in one only, `repeated` ones ask what another asks; none of
    these is among the `n`. `detectable` is the smallest difference that so many items show, `items_needed` how many
    show the difference seen.
    """

    n: int
    won: int
    lost: int
    base_right: int
    other_right: int
    skipped: int
    asked_in_one: int
    repeated: int
    p_value: float
    difference: float
    interval: tuple[float, float]
    bootstrap: tuple[float, float]
    base_interval: tuple[float, float]
    other_interval: tuple[float, float]
    detectable: float | None
    items_needed: int | None
    noise: NoiseFloor | None

    @property
    def p(self) -> str:
        return p_text(self.p_value)

    @property
    def is_sure(self) -> bool:
        """Whether chance alone would give such a difference in fewer than 5 of 100 cases."""
        return self.p_value < ALPHA

    @property
    def changed(self) -> int:
        return self.won + self.lost

    @property
    def few_changed(self) -> bool:
        """Whether the bootstrap is too narrow: it cannot draw a kind of change that did not happen."""
        return self.changed < FEW

    def to_dict(self) -> dict[str, Any]:
        figures = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return figures | {"noise": self.noise.to_dict() if self.noise else None}


@dataclass(frozen=True)
class Decision:
    """One of three words, the rule that decided, its reason in a finished sentence, and the evidence."""

    word: str
    rule: str
    reason: str
    evidence: Evidence
    more_items: int | None = None

    def __str__(self) -> str:
        """As people read it: "NEED 27 MORE ITEMS"."""
        return f"NEED {self.more_items} MORE ITEMS" if self.word == NEED else self.word

    def to_dict(self) -> dict[str, Any]:
        facts = {"decision": str(self), "word": self.word, "rule": self.rule, "reason": self.reason}
        return facts | {"more_items": self.more_items, "evidence": self.evidence.to_dict()}


@dataclass(frozen=True)
class Decided:
    """A decision, and the slices that it looked at: None where no items were given to cut."""

    decision: Decision
    slices: list[Slice] | None

    def to_dict(self) -> dict[str, Any]:
        cut = None if self.slices is None else [each.to_dict() for each in self.slices]
        return self.decision.to_dict() | {"slices": cut}


def decide(
    base_rows: Sequence[ResultRow],
    other_rows: Sequence[ResultRow],
    items: Iterable[Mapping[str, Any]] | None = None,
    *,
    noise: NoiseFloor | None = None,
) -> Decided:
    """Whether `other` may take the place of `base`. The evalset's `items` have the labels that rows lack; `noise` is
    what seeds alone move between two runs. Raises Invalid unless both answer exactly the same questions.
    """
    pairs = paired(base_rows, other_rows)
    questions = _one_a_question([pair for pair in pairs if is_judged(pair)])
    cut = None if items is None else slices(questions, items)
    evidence = _evidence(pairs, questions, noise)
    return Decided(next(found for rule in RULES if (found := rule(evidence, cut))), cut)


Cut = Sequence[Slice] | None
Rule = Callable[[Evidence, Cut], Decision | None]


def _nothing_judged(seen: Evidence, cut: Cut) -> Decision | None:
    if seen.n:
        return None
    return Decision(HOLD, "nothing_judged", "No item was judged in both, so nothing can be said.", seen)


def _loss(seen: Evidence, cut: Cut) -> Decision | None:
    if not seen.is_sure or seen.won > seen.lost:
        return None
    reason = f"It got worse: {_changes(seen, 'a loss')} is more than chance explains ({seen.p})."
    return Decision(HOLD, "loss", reason, seen)


def _slice_worse(seen: Evidence, cut: Cut) -> Decision | None:
    worse = [each for each in cut or () if each.mark == WORSE]
    if not worse:
        return None
    named = ", ".join(map(_slice_named, worse[:NAMED]))
    more = f", and {len(worse) - NAMED} more" if len(worse) > NAMED else ""
    return Decision(HOLD, "slice_worse", f"It got worse on {named}{more}, whatever the other items say.", seen)


def _asked_differently(seen: Evidence, cut: Cut) -> Decision | None:
    """An item that one of the two could not be asked may be the one that it gets wrong."""
    if not seen.asked_in_one:
        return None
    reason = (
        f"Only one of the two examinations could ask {_items(seen.asked_in_one)}, so they do not compare: "
        "train both with sequences that hold every prompt."
    )
    return Decision(HOLD, "asked_differently", reason, seen)


def _no_gain(seen: Evidence, cut: Cut) -> Decision | None:
    if seen.won > seen.lost:
        return None
    if not seen.changed:
        reason = f"Not one of {_items(seen.n)} was judged differently."
    elif seen.won == seen.lost:
        reason = f"It won as many items as it lost: {seen.won} of {seen.n}."
    else:
        reason = f"There is no gain: {_changes(seen, 'a loss')} is one that chance alone could give ({seen.p})."
    return Decision(HOLD, "no_gain", f"{reason} {_limits(seen)}", seen)


def _within_noise(seen: Evidence, cut: Cut) -> Decision | None:
    if seen.noise is None or seen.difference > seen.noise.limit:
        return None
    reason = (
        f"{_changes(seen, 'A gain')} is no more than the seed alone moves: two of the {seen.noise.runs} runs that "
        f"differ only in it may lie {100 * seen.noise.limit:.1f} points apart."
    )
    return Decision(HOLD, "within_noise", reason, seen)


def _gain(seen: Evidence, cut: Cut) -> Decision | None:
    if not seen.is_sure:
        return None
    looked = "its slices were not looked at" if cut is None else "no slice got worse beyond chance"
    reason = f"{_changes(seen, 'A gain')} is more than chance explains ({seen.p}), and {looked}."
    return Decision(SHIP, "gain", reason, seen)


def _promising(seen: Evidence, cut: Cut) -> Decision | None:
    if seen.p_value >= PROMISING or seen.items_needed is None:
        return None
    more = max(1, seen.items_needed - seen.n)
    reason = (
        f"{_changes(seen, 'A gain')} is promising but not sure ({seen.p}): about {seen.items_needed} items show a "
        f"difference of this size, {more} more than were asked. Ask them together and decide once."
    )
    return Decision(NEED, "promising", reason, seen, more_items=more)


def _unsure(seen: Evidence, cut: Cut) -> Decision:
    reason = f"{_changes(seen, 'A gain')} is what chance alone often gives ({seen.p}). {_limits(seen)}"
    return Decision(HOLD, "unsure", reason, seen)


# The first that says something decides.
RULES: tuple[Rule, ...] = (
    _nothing_judged,
    _loss,
    _slice_worse,
    _asked_differently,
    _no_gain,
    _within_noise,
    _gain,
    _promising,
    _unsure,
)


def _evidence(pairs: Sequence[Pair], questions: Sequence[Pair], noise: NoiseFloor | None) -> Evidence:
    n = len(questions)
    base_right = sum(base["correct"] for base, _ in questions)
    other_right = sum(other["correct"] for _, other in questions)
    both = sum(base["correct"] and other["correct"] for base, other in questions)
    won, lost = other_right - both, base_right - both
    in_neither = sum(base["correct"] is None and other["correct"] is None for base, other in pairs)
    judged = sum(map(is_judged, pairs))
    return Evidence(
        n=n,
        won=won,
        lost=lost,
        base_right=base_right,
        other_right=other_right,
        skipped=in_neither,
        asked_in_one=len(pairs) - judged - in_neither,
        repeated=judged - n,
        p_value=mcnemar_exact_p(won, lost),
        difference=(won - lost) / n if n else 0.0,
        interval=paired_difference_interval(won, lost, n),
        bootstrap=bootstrap_interval(won, lost, n),
        base_interval=wilson_interval(base_right, n),
        other_interval=wilson_interval(other_right, n),
        detectable=detectable_difference(won + lost, n),
        items_needed=items_to_decide(won, lost, n),
        noise=noise,
    )


def _one_a_question(pairs: Iterable[Pair]) -> list[Pair]:
    """Of those with the same prompt, but for its spaces, the one with the smallest id, whatever the order."""
    kept: dict[str, Pair] = {}
    for pair in sorted(pairs, key=lambda pair: pair[0]["id"]):
        kept.setdefault(" ".join(pair[0]["prompt"].split()), pair)
    return list(kept.values())


def _changes(seen: Evidence, what: str) -> str:
    points = f"{100 * abs(seen.difference):.1f} points"
    return f"{what} of {points} ({seen.won} won, {seen.lost} lost of {_items(seen.n)})"


def _limits(seen: Evidence) -> str:
    if seen.detectable is None:
        return f"So few items ({seen.n}) can show no difference at all."
    return f"So many items show a difference from {100 * seen.detectable:.1f} points on."


def _slice_named(each: Slice) -> str:
    return f"{each.dimension} {echo(each.label)} ({each.won} won, {each.lost} lost, Holm-adjusted {each.holm})"


def _items(count: int) -> str:
    return f"{count} item" if count == 1 else f"{count} items"
