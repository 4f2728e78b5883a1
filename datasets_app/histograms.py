"""Counts of whole numbers in bins of a round width."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count

MOST = 12


@dataclass(frozen=True)
class Bin:
    """How many rows have a number from `low` to `high`, both included."""

    low: int
    high: int
    rows: int

    @property
    def label(self) -> str:
        return f"{self.low:,}" if self.low == self.high else f"{self.low:,} to {self.high:,}"

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def histogram(numbers: Sequence[int], most: int = MOST) -> list[Bin]:
    """At most `most` bins side by side, empty ones between included; their width is 1, 2 or 5 times a power of ten."""
    if not numbers:
        return []
    low, high = min(numbers), max(numbers)
    widths = (factor * 10**power for power in count() for factor in (1, 2, 5))
    width = next(width for width in widths if high // width - low // width < most)
    counts = Counter(number // width for number in numbers)
    return [Bin(n * width, (n + 1) * width - 1, counts[n]) for n in range(low // width, high // width + 1)]
