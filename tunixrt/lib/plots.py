"""Plots as data for an SVG fragment: the server draws, the browser shows. No script is needed to read them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34
MAX_POINTS = 500
BARS_HEIGHT, MIN_BAR = 180, 2
INTERVAL_WIDTH, INTERVAL_HEIGHT, INTERVAL_MARGIN = 120, 18, 6


@dataclass(frozen=True)
class Series:
    """A named line: x ascending, y finite or None for a gap."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Line:
    name: str
    slot: int  # 1…: the colour of the style sheet
    path: str
    last: str
    points: str  # "x,y;…" in data units, for the little script that reads values off


@dataclass(frozen=True)
class LineChart:
    title: str
    x_label: str
    y_label: str
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    summary: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def line_chart(
    series: Sequence[Series], *, title: str, x_label: str, y_label: str, log_y: bool = False
) -> LineChart | None:
    """Lines over a common x-axis, or None while there is nothing to draw.

    Long series are thinned to the lowest and highest value of each pixel column or so, which keeps every spike.
    """
    drawn = [(s, _points(s, log_y)) for s in series]
    drawn = [(s, points) for s, points in drawn if points]
    if not drawn:
        return None
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y for _, points in drawn for _, y in points]
    to_x = _scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    low, high = _room(min(ys), max(ys), log_y)
    to_y = _scale(_at(low, log_y), _at(high, log_y), HEIGHT - BOTTOM, TOP)
    lines = []
    for slot, (s, points) in enumerate(drawn, start=1):
        thin = _thin(points, MAX_POINTS)
        path = "M" + "L".join(f"{to_x(x):.1f} {to_y(_at(y, log_y)):.1f}" for x, y in thin)
        data = ";".join(f"{x:.12g},{y:.5g}" for x, y in thin)
        lines.append(Line(s.name, slot, path, f"{points[-1][1]:.4g}", data))
    y_values = _powers(low, high) if log_y else nice_ticks(low, high, 5)
    return LineChart(
        title=title,
        x_label=x_label,
        y_label=y_label,
        lines=lines,
        x_ticks=[Tick(to_x(x), f"{x:g}") for x in nice_ticks(min(xs), max(xs), 6)],
        y_ticks=[Tick(to_y(_at(y, log_y)), f"{y:.4g}") for y in y_values],
        summary=f"{title}: " + "; ".join(f"{s.name} {p[0][1]:.4g} to {p[-1][1]:.4g}" for s, p in drawn),
    )


@dataclass(frozen=True)
class Column:
    """A bar before it is drawn. `tick` stands below it, `label` says in words what it counts, `href` leads there."""

    label: str
    value: int
    href: str = ""
    tick: str = ""


@dataclass(frozen=True)
class Bar:
    column: Column
    x: float
    y: float
    width: float
    height: float
    text: str  # the value, short enough to stand above the bar

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def above(self) -> float:
        return self.y - 4


@dataclass(frozen=True)
class BarChart:
    title: str
    x_label: str
    bars: list[Bar]
    y_ticks: list[Tick]
    summary: str
    width: int = WIDTH
    height: int = BARS_HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = BARS_HEIGHT - BOTTOM


def bar_chart(columns: Sequence[Column], *, title: str, x_label: str) -> BarChart | None:
    """Counts side by side, or None while all are zero. A count above zero is never too low to be seen."""
    highest = max((column.value for column in columns), default=0)
    if not highest:
        return None
    to_y = _scale(0, highest * 1.1, BARS_HEIGHT - BOTTOM, TOP)
    slot = (WIDTH - LEFT - RIGHT) / len(columns)
    bars = []
    for place, column in enumerate(columns):
        height = max(to_y(0) - to_y(column.value), MIN_BAR if column.value else 0)
        x = LEFT + place * slot + slot * 0.08
        bars.append(Bar(column, x, to_y(0) - height, slot * 0.84, height, _short(column.value)))
    tallest = max(columns, key=lambda column: column.value)
    return BarChart(
        title=title,
        x_label=x_label,
        bars=bars,
        y_ticks=[Tick(to_y(y), _short(round(y))) for y in nice_ticks(0, highest, 3) if y == round(y)],
        summary=f"{title}: {sum(c.value for c in columns):,} in all, most ({tallest.value:,}) at {tallest.label}",
    )


@dataclass(frozen=True)
class IntervalPlot:
    """An interval with its middle and a mark at zero, as x of a tiny SVG; many share a scale."""

    low: float
    at: float
    high: float
    zero: float
    width: int = INTERVAL_WIDTH
    height: int = INTERVAL_HEIGHT
    middle: float = INTERVAL_HEIGHT / 2


def interval_plots(spans: Sequence[tuple[float, float, float]]) -> list[IntervalPlot]:
    """One for each (low, middle, high), all on one scale, with zero in the middle of it."""
    reach = max((abs(end) for span in spans for end in span), default=0.0) or 1.0
    to_x = _scale(-reach, reach, INTERVAL_MARGIN, INTERVAL_WIDTH - INTERVAL_MARGIN)
    return [IntervalPlot(to_x(low), to_x(at), to_x(high), to_x(0.0)) for low, at, high in spans]


def _short(count: int) -> str:
    """1234 → "1.2k", as three figures suffice above a bar."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return str(count)


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers from `low` to `high` (steps of 1, 2 or 5 times a power of ten)."""
    if high <= low:
        return [low]
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _points(series: Series, log_y: bool) -> list[tuple[float, float]]:
    return [
        (x, y)
        for x, y in zip(series.xs, series.ys, strict=True)
        if y is not None and math.isfinite(y) and (y > 0 or not log_y)
    ]


def _thin(points: list[tuple[float, float]], limit: int) -> list[tuple[float, float]]:
    if len(points) <= limit:
        return points
    size = math.ceil(len(points) / (limit // 2))
    kept = []
    for start in range(0, len(points), size):
        bucket = points[start : start + size]
        kept += sorted({min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])})
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _room(low: float, high: float, log_y: bool) -> tuple[float, float]:
    if log_y:
        return (low / 1.2, high * 1.2)
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return (min(0.0, low) if 0 <= low < high / 2 else low - margin, high + margin)


def _at(value: float, log_y: bool) -> float:
    return math.log10(value) if log_y else value


def _powers(low: float, high: float) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [factor * 10.0**e for e in exponents for factor in (1, 2, 5)]
    return [value for value in values if low <= value <= high]


def _scale(low: float, high: float, start: float, end: float):
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)
