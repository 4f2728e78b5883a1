import math
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt.lib.ids import uuid7
from tunixrt.lib.plots import BARS_HEIGHT, MAX_POINTS, MIN_BAR, WIDTH, Column, Series, bar_chart, line_chart, nice_ticks


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_bars_stay_inside_the_plot_and_none_that_counts_is_invisible(values):
    chart = bar_chart([Column(str(place), value) for place, value in enumerate(values)], title="t", x_label="x")
    if chart is None:
        assert not any(values)
        return
    for bar, value in zip(chart.bars, values, strict=True):
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.y <= bar.y + bar.height <= BARS_HEIGHT
        assert bar.height >= MIN_BAR or not value
    assert len({round(tick.at, 3) for tick in chart.y_ticks}) == len(chart.y_ticks)
    assert f"{sum(values):,} in all" in chart.summary


def test_ids_of_one_process_sort_by_the_order_they_were_made_in():
    made = [uuid7() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert made[0].version == 7
    assert made[0].variant == uuid.RFC_4122


finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1, max_size=50), st.booleans())
def test_any_finite_series_can_be_drawn(values, log_y):
    chart = line_chart([Series("loss", range(len(values)), values)], title="t", x_label="x", y_label="y", log_y=log_y)
    if chart is None:
        assert log_y
        assert all(value <= 0 for value in values)
    else:
        numbers = [float(part) for pair in chart.lines[0].path.lstrip("M").split("L") for part in pair.split()]
        assert all(math.isfinite(number) for number in numbers)


def test_a_chart_without_points_is_no_chart():
    assert line_chart([Series("loss", [1, 2], [None, math.nan])], title="t", x_label="x", y_label="y") is None


def test_a_long_series_is_thinned_but_keeps_its_spike_and_its_end():
    values = [1.0] * 10_000
    values[5_000] = 99.0
    chart = line_chart([Series("loss", range(10_000), values)], title="t", x_label="x", y_label="y")
    assert len(chart.lines[0].points.split(";")) <= MAX_POINTS + 1
    assert "5000,99" in chart.lines[0].points
    assert chart.lines[0].points.endswith("9999,1")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 600), (-3, 7), (0.001, 0.0042), (5, 5)])
def test_ticks_are_round_and_inside(low, high):
    ticks = nice_ticks(low, high, 5)
    assert 1 <= len(ticks) <= 11
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
