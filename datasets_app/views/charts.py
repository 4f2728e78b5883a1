"""Histograms of datasets as charts."""

from collections.abc import Iterable, Mapping, Sequence

from datasets_app.histograms import Bin
from datasets_app.services import Preview
from tunixrt.lib.plots import BarChart, Column, bar_chart

TICK = 10  # characters that stand below a bar


def charts_of(preview: Preview) -> list[BarChart]:
    """Lengths, steps and categories, those that there is something to draw of."""
    charts: Iterable[BarChart | None] = (
        bar_chart(_bins(preview.lengths, "characters"), title="Length", x_label="characters of a trace"),
        bar_chart(_bins(preview.steps, "steps"), title="Steps", x_label="steps of a trace"),
        bar_chart(_categories(preview.categories), title=preview.category.capitalize(), x_label=preview.category),
    )
    return [chart for chart in charts if chart]


def _bins(bins: Sequence[Bin], unit: str) -> list[Column]:
    return [Column(f"{bin.label} {unit}", bin.rows, tick=f"{bin.low:,}") for bin in bins]


def _categories(counts: Mapping[str, int]) -> list[Column]:
    short = {name: name if len(name) <= TICK else f"{name[: TICK - 1]}…" for name in counts}
    return [Column(name or "none", count, tick=short[name] or "none") for name, count in counts.items()]
