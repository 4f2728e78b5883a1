"""A decision and its slices as pages draw them."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from training.decision import Decided
from training.slices import NOT_TOLD_APART, Slice
from tunixrt.lib.plots import IntervalPlot, interval_plots

MOST_SLICES = 60  # rows of a table; those with the smallest p stay


@dataclass(frozen=True)
class SliceRow:
    """A slice with its interval drawn on the scale of the whole table."""

    slice: Slice
    plot: IntervalPlot

    @property
    def query(self) -> str:
        """What a page of answers is asked to show these items only."""
        return urlencode({self.slice.dimension: self.slice.label})

    @property
    def told_apart(self) -> bool:
        return self.slice.mark != NOT_TOLD_APART


@dataclass(frozen=True)
class SliceTable:
    """The rows shown, and how many slices there are."""

    rows: list[SliceRow]
    total: int


def drawn(found: Decided) -> dict[str, Any]:
    """What `runs/_decision.html` and `runs/_slices.html` are given: `decision` and `slices`."""
    cut = found.slices or []
    kept = set(sorted(range(len(cut)), key=lambda place: cut[place].p_value)[:MOST_SLICES])
    shown = [each for place, each in enumerate(cut) if place in kept]
    plots = interval_plots([(each.interval[0], each.difference, each.interval[1]) for each in shown])
    rows = [SliceRow(each, plot) for each, plot in zip(shown, plots, strict=True)]
    return {"decision": found.decision, "slices": SliceTable(rows, len(cut))}
