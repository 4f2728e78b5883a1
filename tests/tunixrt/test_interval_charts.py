"""Shares with their intervals, drawn."""

import pytest
from django.template.loader import render_to_string

from tunixrt.lib.interval_charts import MAX_TICKS, Estimate, interval_chart
from tunixrt.lib.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH


def estimate(value: float = 0.5, low: float = 0.4, high: float = 0.6, **fields) -> Estimate:
    return Estimate(fields.pop("label", "a run"), value, (low, high), **fields)


def test_nothing_is_drawn_of_nothing():
    assert interval_chart([], title="t") is None


def test_the_whole_scale_is_shown_whatever_the_shares():
    chart = interval_chart([estimate(0.0, 0.0, 0.1), estimate(1.0, 0.9, 1.0)], title="t")
    first, last = chart.whiskers
    assert (first.y, first.low, last.y, last.high) == (HEIGHT - BOTTOM, HEIGHT - BOTTOM, TOP, TOP)
    assert first.high < first.y
    assert [tick.label for tick in chart.y_ticks] == ["0", "20", "40", "60", "80", "100"]


@pytest.mark.parametrize("count", [1, 2, 50])
def test_all_stand_within_the_axes_in_their_order(count):
    xs = [whisker.x for whisker in interval_chart([estimate() for _ in range(count)], title="t").whiskers]
    assert xs == sorted(xs)
    assert LEFT < xs[0] <= xs[-1] < WIDTH - RIGHT


def test_equal_ticks_are_written_once_and_never_too_many():
    days = [estimate(tick=tick) for tick in ("1 May", "1 May", "2 May", "1 May")]
    assert [tick.label for tick in interval_chart(days, title="t").x_ticks] == ["1 May", "2 May", "1 May"]
    many = interval_chart([estimate(tick=str(day)) for day in range(50)], title="t")
    assert len(many.x_ticks) <= MAX_TICKS


def test_the_newest_baseline_is_a_level():
    assert interval_chart([estimate()], title="t").level is None
    chart = interval_chart([estimate(0.2, kind="baseline"), estimate(0.7, kind="baseline"), estimate()], title="t")
    assert chart.level == chart.whiskers[1].y


def test_what_a_run_is_called_is_text():
    chart = interval_chart([estimate(label='"><script>alert(1)</script>', href="/runs/1/")], title="t")
    drawn = render_to_string("_components/interval_chart.html", {"chart": chart})
    assert "<script>" not in drawn
    assert 'href="/runs/1/"' in drawn
