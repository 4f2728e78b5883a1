"""Whether the two sides of an equation are the same, in one of the ways in which people write sums."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from training.arithmetic.evaluation import Reading, Unreadable, evaluate, readings
from training.arithmetic.items import Item
from training.arithmetic.units import SCALES, SIZES, UNITS, factors

NEARLY = Fraction(1, 200)  # how far two sums with rounded numbers inside may lie apart

Verdict = Literal["right", "rounded", "wrong"]
Side = Sequence[Item]


class Judged(NamedTuple):
    """The values of both sides in the reading that fits best, and what comes of them."""

    left: Fraction
    right: Fraction
    verdict: Verdict


def judge(left: Side, right: Side, words: set[str], *, sure: bool) -> Judged | None:
    """None where a side has no value, and where the sides differ and it is not `sure` that they mean what they say.

    `words`: those of the whole text, which may name the unit that one side is counted in.
    """
    try:
        judged = _best(left, right, words)
    except Unreadable:
        return None
    doubtful = judged and judged.verdict == "wrong" and not (sure and _is_sure([*left, *right]))
    return None if doubtful else judged


def works(side: Side) -> bool:
    """Whether a side works anything out."""
    return sum(item.kind == "number" for item in side) > 1


def _best(left: Side, right: Side, words: set[str]) -> Judged | None:
    values = [(reading, evaluate(left, reading), evaluate(right, reading)) for reading in readings([*left, *right])]
    for _, first, second in values:
        if first == second:
            return Judged(first, second, "right")
    for reading, first, second in values:
        if _is_rounded(left, right, first, second, reading):
            return Judged(first, second, "rounded")
    _, first, second = values[0]
    if converted := _conversions(first, second, right[-1].units):
        named = words.union(*(item.units for item in left))
        return Judged(first, second, "right") if converted & named else None
    return Judged(first, second, "right" if _is_scaled(first, second, words) else "wrong")


def _conversions(left: Fraction, right: Fraction, units: set[str]) -> set[str]:
    """The units in which `left` would be the same as `right` in one of `units`."""
    return {
        other
        for unit in units & UNITS
        for other in UNITS
        if any(left == right * factor for factor in factors(unit, other))
    }


def _is_scaled(left: Fraction, right: Fraction, words: set[str]) -> bool:
    """Whether the sides differ by a thousand, a million, … that the text speaks of."""
    return any(left * SCALES[word] == right or left == right * SCALES[word] for word in words & SCALES.keys())


def _is_rounded(left: Side, right: Side, first: Fraction, second: Fraction, reading: Reading) -> bool:
    """Whether a side that shows one number is the other one to the digits shown.

    To the nearest, or cut off: behind the point always, at whole numbers only if it is a division's result.
    """
    away = abs(first - second)
    if works(left) and works(right):
        rough = any(item.number and item.number.decimals for item in (*left, *right))
        return rough and away <= NEARLY * abs(second)
    worked, item, cut = (right, left[-1], abs(first) < abs(second))
    if works(left):
        worked, item, cut = (left, right[-1], abs(second) < abs(first))
    if item.number is None or item.number.decimals is None:
        return False
    digit = _last_digit(item, item.number.decimals, reading)
    divides = len(worked) == 3 and worked[1].text == "/"
    return away <= digit / 2 or (cut and away < digit and (item.number.decimals > 0 or divides))


def _last_digit(item: Item, decimals: int, reading: Reading) -> Fraction:
    """What a one in the last digit shown is worth."""
    digit = Fraction(1, 10**decimals) * (item.scale if reading.scaled else 1)
    return digit / 100 if item.percent and reading.percent != "unit" else digit


def _is_sure(parts: Side) -> bool:
    """Whether these parts surely mean what they say: not `20% of 50 + 3`, nor `4 pounds - 6 ounces`."""
    if not all(item.sure for item in parts):
        return False
    if not any(item.text in ("+", "-") for item in parts):
        return True
    units = set().union(*(item.units for item in parts))
    mixed = any(len({sizes[unit] for unit in units & sizes.keys()}) > 1 for sizes in SIZES.values())
    return not mixed and all(item.text != "of" for item in parts)
