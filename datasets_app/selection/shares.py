"""How many rows each of several strata or parts gives."""

from collections.abc import Sequence
from fractions import Fraction


def largest_remainder(weights: Sequence[float], rows: int) -> list[int]:
    """`rows` in proportion to the weights: each gets the whole part of its due, the largest remainders one more.

    (Hamilton's method.) Equal remainders go to the first. Computed exactly, so no machine rounds it otherwise.
    """
    exact = [Fraction(weight) for weight in weights]
    total = sum(exact)
    dues = [weight * rows / total for weight in exact]
    shares = [int(due) for due in dues]
    by_remainder = sorted(range(len(dues)), key=lambda place: shares[place] - dues[place])
    for place in by_remainder[: rows - sum(shares)]:
        shares[place] += 1
    return shares


def evenly(sizes: Sequence[int], rows: int) -> list[int]:
    """`rows` as equally as the sizes allow: what a small one lacks is spread over the others.

    Where equal shares do not add up, the largest get one more.
    """
    left, shares = min(rows, sum(sizes)), [0] * len(sizes)
    smallest_first = sorted(range(len(sizes)), key=lambda place: sizes[place])
    for done, place in enumerate(smallest_first):
        shares[place] = min(sizes[place], left // (len(sizes) - done))
        left -= shares[place]
    return shares
