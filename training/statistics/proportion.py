"""One share and its interval."""

from math import sqrt

ALPHA = 0.05  # how often a test may see a difference where there is none
Z95 = 1.959963984540054  # the normal distribution's 97.5 % point: all intervals here are 95 % intervals


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """The score interval of a proportion; with nothing observed, everything is possible: (0, 1).

    Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22:209-212.
    """
    check_counts(successes, n - successes)
    if n == 0:
        return 0.0, 1.0
    share, shrink = successes / n, 1 + Z95**2 / n
    centre = (share + Z95**2 / (2 * n)) / shrink
    reach = Z95 * sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / shrink
    low = 0.0 if successes == 0 else centre - reach
    high = 1.0 if successes == n else centre + reach
    return low, high


def check_counts(*counts: int) -> None:
    """Raises ValueError unless all counts are possible."""
    if min(counts) < 0:
        raise ValueError(f"counts of items cannot be negative or exceed their total: {counts}")
