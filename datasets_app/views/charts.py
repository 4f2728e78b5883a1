"""Histograms of datasets as charts."""

from collections.abc import Iterable, Mapping, Sequence

from datasets_app.histograms import Bin
from datasets_app.models import Dataset
from datasets_app.services import Preview
from tunixrt.lib.plots import BarChart, Column, bar_chart

TICK = 10  # characters that stand below a bar
SOURCES = 12  # the most frequent


def charts_of(preview: Preview) -> list[BarChart]:
    """Lengths, steps and categories, those that there is something to draw of."""
    charts: Iterable[BarChart | None] = (
        bar_chart(_bins(preview.lengths, "characters"), title="Length", x_label="characters of a trace"),
        bar_chart(_bins(preview.steps, "steps"), title="Steps", x_label="steps of a trace"),
        bar_chart(_categories(preview.categories), title=preview.category.capitalize(), x_label=preview.category),
    )
    return [chart for chart in charts if chart]


def figures_of(dataset: Dataset) -> list[BarChart]:
    """Tokens, lengths, steps and sources of what was frozen; an old dataset knows but some of them."""
    stats = dataset.stats
    tokens, histograms = stats.get("tokens", {}), stats.get("histograms", {})
    sources = {row["source"]: row["rows"] for row in stats["sources"][:SOURCES]}
    charts = (
        bar_chart(_kept(tokens.get("histogram", []), "tokens"), title="Tokens a row", x_label="tokens"),
        bar_chart(_kept(histograms.get("characters", []), "characters"), title="Length", x_label="characters of a row"),
        bar_chart(_kept(histograms.get("steps", []), "steps"), title="Steps", x_label="steps of a row"),
        bar_chart(_categories(sources) if len(sources) > 1 else [], title="Source", x_label="source"),
    )
    return [chart for chart in charts if chart]


def _kept(bins: Sequence[Mapping[str, int]], unit: str) -> list[Column]:
    return _bins([Bin(**bin) for bin in bins], unit)


def _bins(bins: Sequence[Bin], unit: str) -> list[Column]:
    return [Column(f"{bin.label} {unit}", bin.rows, tick=f"{bin.low:,}") for bin in bins]


def _categories(counts: Mapping[str, int]) -> list[Column]:
    short = {name: name if len(name) <= TICK else f"{name[: TICK - 1]}…" for name in counts}
    return [Column(name or "none", count, tick=short[name] or "none") for name, count in counts.items()]
