"""Two traces side by side."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StepPair:
    """The steps of one number; a side that has none is None."""

    number: int
    base: dict | None
    other: dict | None

    @property
    def same(self) -> bool:
        return self.base == self.other


def align_steps(base: list[dict], other: list[dict]) -> list[StepPair]:
    """Every step number of either side, in order."""
    left, right = ({step["i"]: step for step in steps} for steps in (base, other))
    return [StepPair(number, left.get(number), right.get(number)) for number in sorted(left | right)]
