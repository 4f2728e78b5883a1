"""What a number of items can show, many tests at once, and the noise between seeds, against published figures."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t
from statsmodels.stats.multitest import multipletests

from training.statistics import (
    FEWEST_CHANGED,
    detectable_difference,
    holm_adjusted,
    items_to_decide,
    mcnemar_exact_p,
    noise_floor,
    student_t975,
)

P_VALUES = st.lists(st.floats(0, 1), max_size=12)


def test_the_items_needed_are_those_of_the_published_example():
    # Connor (1987), Biometrics 43:207-211; 0.45 against 0.05 takes 22.04, so 23 pairs (powerandsamplesize.com,
    # McNemar's Z-test, two-sided; the same by power_mcnemar_test of the R package MESS)
    assert items_to_decide(45, 5, 100) == items_to_decide(5, 45, 100) == 23


def exact_power(n: int, gain: float, loss: float) -> float:
    """How often McNemar's exact test at 5 % sees the difference, over all tables of n items."""
    power = 0.0
    for changed in range(n + 1):
        chance = comb(n, changed) * (gain + loss) ** changed * (1 - gain - loss) ** (n - changed)
        seen = (
            comb(changed, won) * gain**won * loss ** (changed - won) / (gain + loss) ** changed
            for won in range(changed + 1)
            if mcnemar_exact_p(won, changed - won) < 0.05
        )
        power += chance * sum(seen)
    return power


@pytest.mark.parametrize(("won", "lost", "n"), [(9, 3, 40), (4, 0, 30), (12, 6, 50), (20, 10, 100)])
def test_so_many_items_do_show_the_difference_about_four_times_in_five(won, lost, n):
    needed = items_to_decide(won, lost, n)
    assert 0.72 < exact_power(needed, won / n, lost / n) < 0.85


@pytest.mark.parametrize(("changed", "n"), [(0, 30), (3, 30), (15, 30), (30, 30), (20, 120), (60, 120)])
def test_the_smallest_difference_is_seen_about_four_times_in_five(changed, n):
    found = detectable_difference(changed, n)
    share = max(changed / n, found)
    assert 0.72 < exact_power(n, (share + found) / 2, (share - found) / 2) < 0.85


def test_the_two_questions_of_power_answer_each_other():
    for won, lost, n in [(60, 30, 300), (500, 400, 5000), (90, 10, 400)]:
        needed = items_to_decide(won, lost, n)
        found = detectable_difference(round((won + lost) * needed / n), needed)
        assert found == pytest.approx((won - lost) / n, rel=0.01)


def test_where_nothing_was_seen_no_number_of_items_is_named():
    assert items_to_decide(0, 0, 0) is items_to_decide(7, 7, 30) is None
    assert detectable_difference(0, 0) is detectable_difference(5, FEWEST_CHANGED - 1) is None
    assert detectable_difference(0, FEWEST_CHANGED) == pytest.approx(0.8 ** (1 / 6), abs=1e-6)


@given(st.integers(FEWEST_CHANGED, 400), st.data())
def test_more_items_show_less_and_more_changes_hide_more(n, data):
    changed = data.draw(st.integers(0, n - 1))
    assert detectable_difference(changed, n) <= detectable_difference(changed + 1, n) <= 1
    assert detectable_difference(changed, 2 * n) < detectable_difference(changed, n)


def test_fewer_changes_than_the_fewest_are_never_sure():
    assert mcnemar_exact_p(FEWEST_CHANGED, 0) < 0.05 <= mcnemar_exact_p(FEWEST_CHANGED - 1, 0)


def test_holm_gives_the_example_of_textbooks():
    # https://en.wikipedia.org/wiki/Holm-Bonferroni_method, "Example"
    assert holm_adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_adjusted([]) == []


@given(P_VALUES)
def test_holm_agrees_with_statsmodels(p_values):
    if p_values:
        expected = multipletests(p_values, method="holm")[1]
        assert holm_adjusted(p_values) == pytest.approx(list(expected), abs=1e-12)


@pytest.mark.parametrize(("freedom", "printed"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228)])
def test_students_t_is_that_of_the_tables(freedom, printed):
    # Fisher and Yates (1938), Statistical Tables, table III
    assert student_t975(freedom) == pytest.approx(printed, abs=5e-4)


def test_students_t_agrees_with_scipy():
    for freedom in range(1, 200):
        assert student_t975(freedom) == pytest.approx(t.ppf(0.975, freedom), rel=1e-12)


def test_a_noise_floor_takes_three_seeds():
    assert noise_floor([]) is noise_floor([0.5, 0.7]) is None
    floor = noise_floor([0.61, 0.66, 0.63])
    assert (floor.runs, floor.lowest, floor.highest) == (3, 0.61, 0.66)
    assert floor.deviation == pytest.approx(0.0251661, abs=1e-7)
    assert floor.limit == pytest.approx(4.302653 * 2**0.5 * 0.0251661, abs=1e-6)
    assert noise_floor([0.4] * 5).limit == 0.0
