from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hemato_lab.agreement.student import NO_TREND, fit_trend, t_estimate, two_sided_t
from hemato_lab.errors import ConfigError


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("freedom", [1, 2, 16, 1000])
def test_quantiles_are_those_of_scipy(confidence: float, freedom: int):
    assert two_sided_t(confidence, freedom) == pytest.approx(stats.t.ppf((1 + confidence) / 2, freedom), rel=1e-9)


@pytest.mark.parametrize("confidence", [0, 1, -1, math.nan])
def test_an_impossible_confidence_is_refused(confidence: float):
    with pytest.raises(ConfigError, match="outside"):
        two_sided_t(confidence, 5)


def test_without_a_degree_of_freedom_there_are_no_limits():
    found = t_estimate(1.0, 0.5, 0, 0.95, "t")
    assert found.value == 1
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_lines_are_those_of_scipy_in_1000_random_sets():
    generator = np.random.default_rng(1)
    for size in generator.integers(3, 40, 1000):
        levels = generator.normal(50, 20, size)
        values = generator.normal(0, 1, size) + generator.normal() * 0.05 * levels
        expected = stats.linregress(levels, values)
        found = fit_trend(levels, values, 0.9)
        half = stats.t.ppf(0.95, size - 2) * expected.stderr
        assert found.slope.value == pytest.approx(expected.slope, rel=1e-9, abs=1e-12)
        assert found.slope.high - found.slope.value == pytest.approx(half, rel=1e-7, abs=1e-12)
        assert found.intercept == pytest.approx(expected.intercept, rel=1e-9, abs=1e-9)
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
        assert found.rises == (expected.slope > half)
        assert found.falls == (expected.slope < -half)


def test_fewer_than_three_values_or_a_single_level_have_no_line():
    assert fit_trend(np.array([1.0, 2.0]), np.array([1.0, 2.0]), 0.95) is NO_TREND
    assert fit_trend(np.full(5, 0.1), np.arange(5.0), 0.95) is NO_TREND


def test_values_on_a_line_leave_no_doubt():
    found = fit_trend(np.arange(5.0), 2 * np.arange(5.0), 0.95)
    assert found.slope.low == found.slope.high == 2
    assert found.p_value == 0
    assert fit_trend(np.arange(5.0), np.zeros(5), 0.95).p_value == 1
