"""How sure a count can make us: intervals, one paired test, its power, and what chance alone moves."""

from training.statistics.paired import bootstrap_interval, mcnemar_exact_p, paired_difference_interval
from training.statistics.power import FEWEST_CHANGED, detectable_difference, items_to_decide
from training.statistics.proportion import ALPHA, Z95, wilson_interval
from training.statistics.several import holm_adjusted
from training.statistics.spread import MIN_SEEDS, NoiseFloor, noise_floor, student_t975

__all__ = [
    "ALPHA",
    "FEWEST_CHANGED",
    "MIN_SEEDS",
    "Z95",
    "NoiseFloor",
    "bootstrap_interval",
    "detectable_difference",
    "holm_adjusted",
    "items_to_decide",
    "mcnemar_exact_p",
    "noise_floor",
    "paired_difference_interval",
    "student_t975",
    "wilson_interval",
]
