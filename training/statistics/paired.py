"""Two shares over the same items: `won` ones were right in the second only, `lost` ones in the first only."""

from math import sqrt

import numpy as np

from training.statistics.proportion import ALPHA, Z95, check_counts


def mcnemar_exact_p(won: int, lost: int) -> float:
    """Two-sided p of `won` against `lost` when each changed item could as well have gone the other way.

    Items that did not change carry no information; with none changed p is 1. Binomial probabilities are summed as
    integers, so the p is exact. McNemar (1947), Psychometrika 12:153-157, in its exact conditional form.
    """
    check_counts(won, lost)
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
    check_counts(won, lost, n - won - lost)
    if n == 0:
        return -1.0, 1.0
    gain, loss = (won + 1) / (n + 2), (lost + 1) / (n + 2)
    reach = Z95 * sqrt((gain + loss - (gain - loss) ** 2) / (n + 2))
    return max(-1.0, gain - loss - reach), min(1.0, gain - loss + reach)


def bootstrap_interval(won: int, lost: int, n: int) -> tuple[float, float]:
    """The percentile interval of the same difference when n items are drawn anew, with replacement, as pairs.

    A drawn item adds 1, 0 or -1, so the sum over n draws has the n-fold convolution of these three chances as its
    distribution. That is what resampling without end would give (the ideal bootstrap: Efron and Tibshirani 1993, An
    Introduction to the Bootstrap, chapters 6 and 13): there is nothing to draw, and the interval is the same each time.
    """
    check_counts(won, lost, n - won - lost)
    if n == 0:
        return -1.0, 1.0
    size = 2 * n + 1  # sums from -n to n
    one_draw = np.array([lost, n - won - lost, won]) / n
    chances = np.fft.irfft(np.fft.rfft(one_draw, size) ** n, size)
    low = int(np.argmax(np.cumsum(chances) >= ALPHA / 2))
    high = int(np.argmax(np.cumsum(chances[::-1]) >= ALPHA / 2))
    return (low - n) / n, (n - high) / n
