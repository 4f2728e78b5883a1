"""Several tests at once."""

from collections.abc import Sequence


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Each p as it counts among the others: below 5 %, it stands although so many were looked at.

    Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian J. of Statistics 6:65-70. The
    smallest of m is multiplied by m, the next by m - 1, and so on, and none may come out below a smaller one.
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
