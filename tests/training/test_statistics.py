"""Intervals and the paired test, against published examples and an independent library."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from training.statistics import bootstrap_interval, mcnemar_exact_p, paired_difference_interval, wilson_interval

COUNTS = st.integers(0, 60)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(successes, n, low, high):
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [1, 2, 7, 25, 200, 7473])
def test_wilson_agrees_with_scipy(n):
    for successes in {0, 1, n // 3, n // 2, n - 1, n}:
        expected = binomtest(successes, n).proportion_ci(method="wilson")
        assert wilson_interval(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(COUNTS, COUNTS)
def test_wilson_agrees_with_statsmodels(right, wrong):
    if right + wrong:
        expected = proportion_confint(right, right + wrong, method="wilson")
        assert wilson_interval(right, right + wrong) == pytest.approx(expected, abs=1e-12)


def test_wilson_is_exact_at_its_ends():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(0, 10)[0] == 0.0
    assert wilson_interval(10, 10)[1] == 1.0


@pytest.mark.parametrize(("won", "lost"), [(1, 0), (5, 0), (0, 6), (7, 1), (26, 4), (10, 10), (150, 120), (197, 0)])
def test_mcnemar_agrees_with_the_binomial_test(won, lost):
    assert mcnemar_exact_p(won, lost) == pytest.approx(binomtest(won, won + lost).pvalue, rel=1e-12)
    assert mcnemar_exact_p(won, lost) == mcnemar_exact_p(lost, won)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_mcnemar_agrees_with_statsmodels_on_any_table(kept_right, lost, won, kept_wrong):
    table = [[kept_right, lost], [won, kept_wrong]]
    if won + lost:
        assert mcnemar_exact_p(won, lost) == pytest.approx(mcnemar(table, exact=True).pvalue, rel=1e-9, abs=1e-15)


def test_mcnemar_gives_the_published_p():
    # Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91: 1 and 7 changed, p = 0.070
    assert mcnemar_exact_p(1, 7) == pytest.approx(0.0703125, abs=1e-12)


def test_identical_results_have_p_one():
    assert mcnemar_exact_p(0, 0) == 1.0
    assert mcnemar_exact_p(3, 3) == 1.0


def test_mcnemar_survives_counts_beyond_any_float():
    assert mcnemar_exact_p(5000, 0) == 0.0
    assert 0.7 < mcnemar_exact_p(5000, 5030) < 0.8


def test_the_paired_interval_gives_the_published_example():
    # statpsych (Bonett's own package), ci.prop.ps(.05, 12, 4, 26, 6): 0.2548067 to 0.6251933
    assert paired_difference_interval(26, 4, 48) == pytest.approx((0.2548067, 0.6251933), abs=5e-8)


def test_the_paired_interval_turns_round_with_the_question():
    low, high = paired_difference_interval(7, 2, 30)
    assert paired_difference_interval(2, 7, 30) == pytest.approx((-high, -low), abs=1e-15)


def test_the_paired_interval_at_its_ends():
    assert paired_difference_interval(0, 0, 0) == (-1.0, 1.0)
    assert paired_difference_interval(200, 0, 200)[1] == 1.0
    low, high = paired_difference_interval(0, 0, 200)
    assert low == -high
    assert 0 < high < 0.02


@given(COUNTS, COUNTS, COUNTS)
def test_both_intervals_turn_round_with_the_question_and_hold_the_difference(won, lost, same):
    n = won + lost + same
    for interval in (paired_difference_interval, bootstrap_interval):
        low, high = interval(won, lost, n)
        assert interval(lost, won, n) == pytest.approx((-high, -low), abs=1e-12)
        assert -1 <= low <= high <= 1
    if n:
        low, high = bootstrap_interval(won, lost, n)
        assert low <= (won - lost) / n <= high


@pytest.mark.parametrize(("won", "lost", "n"), [(1, 0, 4), (2, 1, 5), (0, 3, 5), (3, 2, 6), (6, 0, 6)])
def test_the_bootstrap_is_every_resample_there_is(won, lost, n):
    differences = [1] * won + [-1] * lost + [0] * (n - won - lost)
    means = np.sort([sum(drawn) for drawn in product(differences, repeat=n)]) / n
    cut = int(np.ceil(0.025 * len(means))) - 1
    assert bootstrap_interval(won, lost, n) == pytest.approx((means[cut], means[-1 - cut]), abs=1e-12)


@pytest.mark.parametrize(("won", "lost", "n"), [(26, 4, 48), (2, 0, 30), (150, 120, 1000), (60, 61, 121)])
def test_the_bootstrap_agrees_with_scipys_but_for_what_that_draws(won, lost, n):
    differences = np.array([1] * won + [-1] * lost + [0] * (n - won - lost))
    drawn = bootstrap((differences,), np.mean, method="percentile", n_resamples=20_000, rng=1, vectorized=True)
    assert bootstrap_interval(won, lost, n) == pytest.approx(tuple(drawn.confidence_interval), abs=1.01 / n + 0.002)


def test_the_bootstrap_at_its_ends():
    assert bootstrap_interval(0, 0, 0) == (-1.0, 1.0)
    assert bootstrap_interval(0, 0, 9) == (0.0, 0.0)
    assert bootstrap_interval(9, 0, 9) == (1.0, 1.0)
    low, high = bootstrap_interval(30_000, 20_000, 100_000)
    assert (low, high) == pytest.approx((0.0957, 0.1043), abs=2e-4)


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson_interval(3, 2),
        lambda: wilson_interval(-1, 2),
        lambda: mcnemar_exact_p(-1, 0),
        lambda: paired_difference_interval(2, 2, 3),
        lambda: bootstrap_interval(2, 2, 3),
    ],
)
def test_impossible_counts_are_refused(call):
    with pytest.raises(ValueError, match="counts"):
        call()
