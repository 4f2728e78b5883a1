"""How far a score moves when nothing but the seed does."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin, sqrt, tan
from statistics import stdev

from training.statistics.proportion import ALPHA

MIN_SEEDS = 3  # two scores give a spread that says next to nothing: its limit is 18 times what was seen
HALVINGS = 60  # of the interval in which a quantile lies: beyond what a float can tell apart


@dataclass(frozen=True)
class NoiseFloor:
    """The scores of runs that are alike but for their seed; `limit` is what two of them differ by at most, 95 % of
    the time."""

    runs: int
    lowest: float
    highest: float
    deviation: float
    limit: float

    def to_dict(self) -> dict:
        return dict(vars(self))


def noise_floor(scores: Sequence[float]) -> NoiseFloor | None:
    """The spread of the scores of runs that differ only in their seed; None of fewer than MIN_SEEDS: not measured.

    The limit is the repeatability limit of ISO 5725-6:1994, with Student's t in the place of the normal distribution's
    1.96, since the deviation is estimated from a few runs.
    """
    if len(scores) < MIN_SEEDS:
        return None
    deviation = stdev(scores)
    limit = student_t975(len(scores) - 1) * sqrt(2) * deviation
    return NoiseFloor(len(scores), min(scores), max(scores), deviation, limit)


def student_t975(freedom: int) -> float:
    """The 97.5 % point of Student's t, by halving the angle whose tangent is t / √freedom."""
    low, high = 0.0, pi / 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _within(middle, freedom) > 1 - ALPHA else (middle, high)
    return sqrt(freedom) * tan(low)


def _within(angle: float, freedom: int) -> float:
    """P(|T| ≤ t) with t = √freedom · tan(angle): Abramowitz and Stegun (1964), 26.7.3 and 26.7.4."""
    odd = freedom % 2
    term, total = (cos(angle), 0.0) if odd else (1.0, 0.0)
    for power in range(2 + odd, freedom + 1, 2):
        total += term
        term *= cos(angle) ** 2 * (power - 1) / power
    total *= sin(angle)
    return 2 / pi * (angle + total) if odd else total
