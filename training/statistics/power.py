"""What a number of items can show, at the usual 80 % power of the two-sided test at 5 %.

Connor's equation for the paired design says when n items show a difference d of which a share s changes at all:
n d² = (z₀.₉₇₅ √s + z₀.₈₀ √(s - d²))². Connor (1987), "Sample size for testing differences in proportions for the
paired-sample design", Biometrics 43:207-211. It stands on the normal distribution, and where few items change the exact
test is stricter: no difference shows before FEWEST_CHANGED items do.
"""

from math import asin, atan2, ceil, comb, sin, sqrt

from training.statistics.proportion import Z95, check_counts

POWER, Z80 = 0.8, 0.8416212335729143  # and the normal distribution's 80 % point
FEWEST_CHANGED = 6  # changes that McNemar's exact test needs: 5 of 5 have p = 0.0625, 6 of 6 have 0.03125
HALVINGS = 50  # of the interval in which a share lies


def items_to_decide(won: int, lost: int, n: int) -> int | None:
    """About how many items show the difference seen, if it is the true one; None when none was seen."""
    check_counts(won, lost, n - won - lost)
    if won == lost:
        return None
    difference, changed = (won - lost) / n, (won + lost) / n
    return ceil(((Z95 * sqrt(changed) + Z80 * sqrt(changed - difference**2)) / difference) ** 2)


def detectable_difference(changed: int, n: int) -> float | None:
    """The smallest difference that n items show when as many of them change as did; None when they can show none.

    Where fewer changed than can show anything, it is the smallest that shows if every change goes the same way.
    """
    check_counts(changed, n - changed)
    if n < FEWEST_CHANGED:
        return None
    # With d = √s sin t, Connor's equation is √n sin t - z₀.₈₀ cos t = z₀.₉₇₅.
    by_connor = sqrt(changed / n) * sin(asin(Z95 / sqrt(n + Z80**2)) + atan2(Z80, sqrt(n)))
    return max(by_connor, _all_one_way(n))


def _all_one_way(n: int) -> float:
    """The share of items that must change for FEWEST_CHANGED of n to do so with the wanted power."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        share = (low + high) / 2
        too_few = sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(FEWEST_CHANGED))
        low, high = (low, share) if too_few < 1 - POWER else (share, high)
    return high
