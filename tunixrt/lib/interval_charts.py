"""Shares with their intervals, in their order, as data for an SVG fragment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tunixrt.lib.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Tick, nice_ticks

MAX_TICKS = 7  # below points that have one each


@dataclass(frozen=True)
class Estimate:
    """A share with its interval before it is drawn. `tick` may stand below it; `kind` is its colour and its shape."""

    label: str
    value: float
    interval: tuple[float, float]
    href: str = ""
    tick: str = ""
    kind: str = "plain"  # or "baseline", "worse"


@dataclass(frozen=True)
class Whisker:
    estimate: Estimate
    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class IntervalChart:
    title: str
    whiskers: list[Whisker]
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    level: float | None  # of the baseline
    summary: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def interval_chart(estimates: Sequence[Estimate], *, title: str) -> IntervalChart | None:
    """Shares in their order, each with its interval, or None while there is none; the last baseline's is a level."""
    if not estimates:
        return None
    slot = (WIDTH - LEFT - RIGHT) / len(estimates)
    whiskers = [
        Whisker(each, LEFT + (place + 0.5) * slot, _y(each.value), _y(each.interval[0]), _y(each.interval[1]))
        for place, each in enumerate(estimates)
    ]
    levels = [whisker.y for whisker in whiskers if whisker.estimate.kind == "baseline"]
    first, last = estimates[0], estimates[-1]
    return IntervalChart(
        title=title,
        whiskers=whiskers,
        y_ticks=[Tick(_y(y), f"{100 * y:.0f}") for y in nice_ticks(0, 1, 5)],
        x_ticks=_ticks(whiskers),
        level=levels[-1] if levels else None,
        summary=f"{title}: {len(estimates)} in all, from {first.label} to {last.label}",
    )


def _ticks(whiskers: Sequence[Whisker]) -> list[Tick]:
    """Of equal ticks in a row the first, and not so many that they meet."""
    new = [
        after
        for before, after in pairwise([None, *whiskers])
        if after and (before is None or before.estimate.tick != after.estimate.tick)
    ]
    return [Tick(whisker.x, whisker.estimate.tick) for whisker in new[:: math.ceil(len(new) / MAX_TICKS)]]


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
