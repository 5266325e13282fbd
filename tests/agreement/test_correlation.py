from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hemato_lab.agreement import correlation as module
from hemato_lab.agreement.correlation import lin_concordance, pearson, ranks, spearman
from hemato_lab.errors import ConfigError
from tests.agreement.published import CONCORDANT, PEAK_FLOW

SAMPLES = st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=2, max_size=20)


def test_concordance_is_that_of_the_r_package_epir():
    """Tests of github.com/OC-Moore/linccc, compared there with epiR::epi.ccc."""
    found = lin_concordance(*CONCORDANT)
    assert found.concordance.value == pytest.approx(0.8549844869, abs=1e-10)
    assert found.precision == pytest.approx(0.8855754370, abs=1e-10)


def test_peak_flow_has_the_printed_correlation():
    """Lancet i (1986) 307-310: r = 0.94 for the first readings."""
    assert pearson(*PEAK_FLOW).coefficient.value == pytest.approx(0.94, abs=5e-3)


def test_concordance_limits_are_those_of_lin_in_1000_random_sets():
    generator = np.random.default_rng(43)
    for size in generator.integers(4, 40, 1000):
        true = generator.normal(50, 10, size)
        first, second = true + generator.normal(0, 5, size), 1.1 * true + generator.normal(2, 5, size)
        found = lin_concordance(first, second, confidence=0.9)
        r = np.corrcoef(first, second)[0, 1]
        c = 2 * np.cov(first, second, bias=True)[0, 1] / (first.var() + second.var() + (first - second).mean() ** 2)
        u2 = (first - second).mean() ** 2 / (first.std() * second.std())
        # Lin 1989 as corrected in 2000, in his own form.
        variance = (
            (1 - r**2) * c**2 / ((1 - c**2) * r**2)
            + 2 * c**3 * (1 - c) * u2 / (r * (1 - c**2) ** 2)
            - c**4 * u2**2 / (2 * r**2 * (1 - c**2) ** 2)
        ) / (size - 2)
        half = stats.norm.ppf(0.95) * math.sqrt(variance)
        expected = [math.tanh(math.atanh(c) + side * half) for side in (-1, 1)]
        assert found.concordance.value == pytest.approx(c, rel=1e-9)
        assert [found.concordance.low, found.concordance.high] == pytest.approx(expected, rel=1e-7)
        assert found.precision * found.accuracy == pytest.approx(c, rel=1e-9)
        assert found.location_shift**2 == pytest.approx(u2, rel=1e-7, abs=1e-12)
        assert found.scale_shift == pytest.approx(second.std() / first.std(), rel=1e-9)


def test_pearson_is_that_of_scipy_in_1000_random_sets():
    generator = np.random.default_rng(47)
    for size in generator.integers(4, 40, 1000):
        first = generator.normal(0, 1, size)
        second = first * generator.normal() + generator.normal(0, 1, size)
        expected = stats.pearsonr(first, second)
        limits = expected.confidence_interval(0.95)
        found = pearson(first, second).coefficient
        assert (found.value, found.low, found.high) == pytest.approx(
            (expected.statistic, limits.low, limits.high), rel=1e-8, abs=1e-10
        )


def test_spearman_is_that_of_scipy_in_1000_random_sets_with_ties():
    generator = np.random.default_rng(53)
    for size in generator.integers(5, 40, 1000):
        first, second = generator.integers(0, 8, (2, size))
        if np.ptp(first) and np.ptp(second):
            expected = stats.spearmanr(first, second).statistic
            assert spearman(first, second).coefficient.value == pytest.approx(expected, rel=1e-9, abs=1e-12)
        np.testing.assert_array_equal(ranks(first.astype(float)), stats.rankdata(first))


def test_spearman_limits_are_those_of_bonett_and_wright():
    generator = np.random.default_rng(59)
    first, second = generator.normal(0, 1, (2, 50))
    found = spearman(first, first + second).coefficient
    error = math.sqrt((1 + found.value**2 / 2) / 47)
    assert math.atanh(found.high) - math.atanh(found.value) == pytest.approx(1.959964 * error, rel=1e-6)


@pytest.mark.slow
def test_limits_cover_the_true_coefficients():
    generator = np.random.default_rng(61)
    kept = np.zeros(3)
    # Of the normal law with correlation r: Spearman's is 6 / pi asin(r / 2), Lin's r times the accuracy.
    accuracy = 1 / (1 + 0.5**2 / 2)
    for _ in range(4000):
        first, noise = generator.normal(0, 1, (2, 60))
        second = 0.9 * first + math.sqrt(1 - 0.81) * noise + 0.5
        kept += [
            pearson(first, second).coefficient.covers(0.9),
            spearman(first, second).coefficient.covers(6 / math.pi * math.asin(0.45)),
            lin_concordance(first, second).concordance.covers(0.9 * accuracy),
        ]
    np.testing.assert_allclose(kept / 4000, 0.95, atol=0.02)


@settings(max_examples=50)
@given(SAMPLES)
def test_concordance_is_no_larger_than_correlation_and_the_same_the_other_way_round(samples: list[tuple[int, int]]):
    first, second = np.array(samples, dtype=float).T
    one, other = lin_concordance(first, second), lin_concordance(second, first)
    if one.reason in {module.SINGLE_POINT, module.NO_SPREAD}:
        return
    assert abs(one.concordance.value) <= abs(one.precision) + 1e-12
    assert other.concordance.value == pytest.approx(one.concordance.value, rel=1e-9, abs=1e-12)
    assert other.location_shift == pytest.approx(-one.location_shift, rel=1e-9, abs=1e-12)


@settings(max_examples=50)
@given(SAMPLES)
def test_correlations_do_not_know_unit_and_origin(samples: list[tuple[int, int]]):
    first, second = np.array(samples, dtype=float).T
    for coefficient in (pearson, spearman):
        one, other = coefficient(first, second), coefficient(3 * first + 7, 5 * second - 2)
        if one.coefficient.defined:
            assert other.coefficient.value == pytest.approx(one.coefficient.value, rel=1e-6, abs=1e-7)


def test_equal_readings_agree_in_full():
    found = lin_concordance([1, 2, 3, 5], [1, 2, 3, 5])
    assert (found.concordance.value, found.concordance.low, found.concordance.high) == pytest.approx((1, 1, 1))
    assert (found.precision, found.accuracy, found.location_shift, found.scale_shift) == pytest.approx((1, 1, 0, 1))
    assert pearson([1, 2, 3, 5], [1, 2, 3, 5]).coefficient.low == 1


def test_a_method_that_gives_twice_as_much_correlates_but_does_not_agree():
    values = np.arange(1.0, 20)
    assert pearson(values, 2 * values).coefficient.value == 1
    assert lin_concordance(values, 2 * values).concordance.high < 0.7


def test_what_is_not_defined_says_why():
    for size in (0, 3):
        found = lin_concordance([2] * size, [2] * size)
        assert math.isnan(found.concordance.value)
        assert found.reason == module.SINGLE_POINT
    found = lin_concordance([1, 2, 3], [2, 2, 2])
    assert found.concordance.value == 0
    assert (math.isnan(found.precision), found.reason) == (True, module.NO_SPREAD)
    for coefficient in (pearson, spearman):
        for values in ([], [1, 1, 1]):
            alone = coefficient(values, list(range(len(values))))
            assert math.isnan(alone.coefficient.value)
            assert alone.reason == module.NO_SPREAD
        few = coefficient([1, 2, 3], [1, 3, 2])
        assert few.coefficient.defined
        assert (math.isnan(few.coefficient.low), few.reason) == (True, module.FEW_FOR_LIMITS)
    assert lin_concordance([1, 2], [2, 1]).reason == module.FEW_FOR_LIMITS


def test_rounding_makes_no_spread():
    assert pearson([0.1 + 0.2, 0.3, 0.3], [1, 2, 3]).reason == module.NO_SPREAD


def test_impossible_confidences_are_refused():
    for coefficient in (lin_concordance, pearson, spearman):
        with pytest.raises(ConfigError):
            coefficient([1, 2], [1, 2], confidence=2)


def test_rows_name_the_figures():
    frame = lin_concordance(*PEAK_FLOW).to_frame()
    assert list(frame["figure"]) == ["concordance", "precision", "accuracy", "location shift", "scale shift"]
    assert spearman(*PEAK_FLOW).rows()[0].figure == "Spearman's correlation"
