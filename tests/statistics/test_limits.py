from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import (
    Limits,
    clopper_pearson_limits,
    odds,
    poisson_limits,
    two_sided_z,
    wilson_limits,
)

CONFIDENCES = st.sampled_from([0.5, 0.9, 0.95, 0.99])

# DOMAIN.md section 2.7: limits in per cent of a class seen in p % of n cells.
RUMKE = {
    0: "0-3.6 0-1.8 0-0.9 0-0.7 0-0.4",
    1: "0-5.4 0.1-3.6 0.3-2.5 0.3-2.3 0.5-1.8",
    2: "0.2-7.0 0.5-5.0 0.9-3.9 1.0-3.6 1.2-3.1",
    5: "1.6-11.3 2.4-9.0 3.1-7.6 3.3-7.3 3.7-6.5",
    10: "4.9-17.6 6.2-15.0 7.2-13.4 7.5-13.0 8.2-12.0",
    20: "12.7-29.2 14.7-26.2 16.2-24.3 16.6-23.8 17.6-22.6",
    30: "21.2-40.0 23.7-36.9 25.5-34.8 26.0-34.2 27.2-32.9",
    50: "39.8-60.2 42.9-57.1 45.0-55.0 45.5-54.5 46.9-53.1",
}
SIZES = (100, 200, 400, 500, 1000)


@pytest.mark.parametrize(
    ("percent", "size", "printed"),
    [(p, n, text) for p, row in RUMKE.items() for n, text in zip(SIZES, row.split(), strict=True)],
)
def test_clopper_pearson_gives_the_table_of_the_domain_reference(percent: int, size: int, printed: str):
    limits = clopper_pearson_limits(percent * size // 100, size).scaled(100)
    assert limits == pytest.approx([float(end) for end in printed.split("-")], abs=0.05 + 1e-9)


@pytest.mark.parametrize(
    ("count", "low", "high", "digits"),
    [(0, 0, 3.7, 1), (1, 0.03, 5.6, 2), (5, 1.6, 11.7, 1), (10, 4.8, 18.4, 1), (100, 81, 122, 0)],
)
def test_poisson_gives_the_values_of_the_domain_reference(count: int, low: float, high: float, digits: int):
    limits = poisson_limits(count)
    assert limits.low == pytest.approx(low, abs=0.5 * 10.0**-digits)
    assert limits.high == pytest.approx(high, abs=0.5 * 10.0 ** -min(digits, 1))


@settings(deadline=None)
@given(st.integers(0, 100_000), CONFIDENCES)
def test_poisson_is_the_chi_squared_formula(count: int, confidence: float):
    tail = (1 - confidence) / 2
    low = stats.chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(1 - tail, 2 * count + 2) / 2
    assert poisson_limits(count, confidence=confidence) == pytest.approx((low, high), rel=1e-9)


@settings(deadline=None)
@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), CONFIDENCES)
def test_proportions_are_those_of_scipy(counts: tuple[int, int], confidence: float):
    successes, trials = counts
    reference = stats.binomtest(successes, trials)
    exact = reference.proportion_ci(confidence, "exact")
    wilson = reference.proportion_ci(confidence, "wilson")
    assert clopper_pearson_limits(successes, trials, confidence=confidence) == pytest.approx(exact, abs=1e-9)
    assert wilson_limits(successes, trials, confidence=confidence) == pytest.approx(wilson, abs=1e-9)


@pytest.mark.parametrize(("percent", "low", "high"), [(5, 2.7, 9.0), (20, 15.1, 26.1)])
def test_wilson_gives_the_values_of_the_domain_reference(percent: int, low: float, high: float):
    # The reference prints 15.1 for a lower limit of 15.045, so half a unit of the last digit is not quite enough.
    assert wilson_limits(2 * percent, 200).scaled(100) == pytest.approx((low, high), abs=0.056)


def test_nothing_seen_leaves_everything_possible():
    assert clopper_pearson_limits(0, 0) == wilson_limits(0, 0) == (0, 1)


@pytest.mark.parametrize("limits", [clopper_pearson_limits, wilson_limits])
def test_impossible_proportions_are_refused(limits):
    for successes, trials in ((-1, 5), (6, 5)):
        with pytest.raises(ConfigError):
            limits(successes, trials)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, math.nan])
def test_impossible_confidences_and_counts_are_refused(confidence: float):
    for call in (poisson_limits, two_sided_z):
        with pytest.raises(ConfigError):
            call(*([5] if call is poisson_limits else []), confidence=confidence)
    with pytest.raises(ConfigError):
        poisson_limits(-1)


def test_widening_lengthens_both_arms_and_stays_possible():
    assert Limits(8, 13).widened(10, 2) == (6, 16)
    assert Limits(8, 13).widened(10, 6) == (0, 28)
    assert Limits(0.8, 0.9).widened(0.85, 10, highest=1.0) == (pytest.approx(0.35), 1.0)
    assert Limits(5, 40).widened_ratio(10, 2) == pytest.approx((2.5, 160))
    assert Limits(0, 3).widened_ratio(0, 2) == (0, 3)


def test_odds_and_z():
    assert odds(Limits(0.2, 0.75)) == pytest.approx((0.25, 3))
    assert odds(Limits(0.5, 1.0)) == (1, math.inf)
    assert two_sided_z() == pytest.approx(stats.norm.ppf(0.975))
