"""Intervals and the paired test, against published examples and an independent library."""

import pytest
from scipy.stats import binomtest

from training.statistics import mcnemar_exact_p, paired_difference_interval, wilson_interval


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


def test_wilson_is_exact_at_its_ends():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(0, 10)[0] == 0.0
    assert wilson_interval(10, 10)[1] == 1.0


@pytest.mark.parametrize(("won", "lost"), [(1, 0), (5, 0), (0, 6), (7, 1), (26, 4), (10, 10), (150, 120), (197, 0)])
def test_mcnemar_agrees_with_the_binomial_test(won, lost):
    assert mcnemar_exact_p(won, lost) == pytest.approx(binomtest(won, won + lost).pvalue, rel=1e-12)
    assert mcnemar_exact_p(won, lost) == mcnemar_exact_p(lost, won)


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


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson_interval(3, 2),
        lambda: wilson_interval(-1, 2),
        lambda: mcnemar_exact_p(-1, 0),
        lambda: paired_difference_interval(2, 2, 3),
    ],
)
def test_impossible_counts_are_refused(call):
    with pytest.raises(ValueError, match="counts"):
        call()
