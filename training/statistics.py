"""How sure a count can make us: intervals and one paired test, from their formulas, without tables."""

from math import sqrt

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point: all intervals here are 95 % intervals


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """The score interval of a proportion; with nothing observed, everything is possible: (0, 1).

    Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22:209-212.
    """
    _check_counts(successes, n - successes)
    if n == 0:
        return 0.0, 1.0
    share, shrink = successes / n, 1 + Z95**2 / n
    centre = (share + Z95**2 / (2 * n)) / shrink
    reach = Z95 * sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / shrink
    low = 0.0 if successes == 0 else centre - reach
    high = 1.0 if successes == n else centre + reach
    return low, high


def mcnemar_exact_p(won: int, lost: int) -> float:
    """Two-sided p of `won` against `lost` when each changed item could as well have gone the other way.

    Items that did not change carry no information; with none changed p is 1. Binomial probabilities are summed as
    integers, so the p is exact. McNemar (1947), Psychometrika 12:153-157, in its exact conditional form.
    """
    _check_counts(won, lost)
    n, fewer = won + lost, min(won, lost)
    term = tail = 1
    for count in range(fewer):
        term = term * (n - count) // (count + 1)
        tail += term
    return min(1.0, 2 * tail / 2**n)


def paired_difference_interval(won: int, lost: int, n: int) -> tuple[float, float]:
    """The interval of (won - lost) / n, the difference of two shares over the same n items; (-1, 1) when n is 0.

    Bonett and Price (2012), "Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data", J. Educational and Behavioral Statistics 37:479-488: one item is added to either kind of change.
    """
    _check_counts(won, lost, n - won - lost)
    if n == 0:
        return -1.0, 1.0
    gain, loss = (won + 1) / (n + 2), (lost + 1) / (n + 2)
    reach = Z95 * sqrt((gain + loss - (gain - loss) ** 2) / (n + 2))
    return max(-1.0, gain - loss - reach), min(1.0, gain - loss + reach)


def _check_counts(*counts: int) -> None:
    if min(counts) < 0:
        raise ValueError(f"counts of items cannot be negative or exceed their total: {counts}")
