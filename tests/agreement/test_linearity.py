from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hemato_lab.agreement.linearity import NOT_TESTED, find_bends
from hemato_lab.agreement.pairs import Pairs
from hemato_lab.agreement.passing_bablok import passing_bablok


def test_running_sums_are_those_of_the_r_package_mcr():
    """runit.MCResultMethods.R: 5 above, 5 below, sums and their maximum of ten samples around a line."""
    first, second = np.arange(1.0, 11), np.array([1.0, 3, 2, 4, 6, 5, 7, 9, 8, 10])
    found = find_bends(Pairs(first, second), 0.9636363636, 0.2)
    assert (found.above, found.below) == (5, 5)
    np.testing.assert_allclose(found.sums, [-1, 0, -1, -2, -1, -2, -1, 0, -1, 0], atol=1e-12)
    assert found.statistic == pytest.approx(2 / math.sqrt(6))


def test_the_p_value_is_that_of_kolmogorov():
    found = passing_bablok(np.arange(30.0), np.arange(30) + np.sin(np.arange(30))).linearity
    assert found.p_value == pytest.approx(stats.kstwobign.sf(found.statistic), rel=1e-9)


def test_the_sums_are_a_two_sample_statistic_of_places_along_the_line():
    generator = np.random.default_rng(31)
    for _ in range(100):
        first = generator.uniform(0, 10, 25)
        pairs = Pairs(first, 1 + 2 * first + generator.normal(0, 1, 25))
        found = find_bends(pairs, 2, 1)
        along = pairs.second + pairs.first / 2
        above = pairs.second > 1 + 2 * pairs.first
        expected = stats.ks_2samp(along[above], along[~above], method="asymp").statistic
        largest = found.statistic * math.sqrt(found.below + 1)
        assert largest == pytest.approx(expected * math.sqrt(found.above * found.below), rel=1e-9)
        assert found.sums[-1] == pytest.approx(0, abs=1e-9)


def test_a_bent_curve_is_no_line_and_a_scattered_line_is_one():
    generator = np.random.default_rng(37)
    first = np.linspace(1, 10, 80)
    bent = first**2 / 10 + generator.normal(0, 0.1, 80)
    straight = first + generator.normal(0, 0.1, 80)
    assert not passing_bablok(first, bent).linearity.linear()
    assert passing_bablok(first, straight).linearity.linear()


@pytest.mark.slow
def test_straight_lines_are_refused_about_as_often_as_the_paper_says():
    """With the root of the samples below the line, not of all of them: a fitted line leaves shorter runs."""
    generator = np.random.default_rng(41)
    refused = 0
    for _ in range(2000):
        true = generator.uniform(10, 100, 100)
        readings = (true + generator.normal(0, 5, 100) for _ in range(2))
        refused += not passing_bablok(*readings).linearity.linear()
    assert 0.03 < refused / 2000 < 0.09


def test_samples_on_the_line_or_on_one_side_of_it_show_no_bend():
    on = find_bends(Pairs(np.arange(5.0), 0.1 + 0.3 * np.arange(5)), 0.3, 0.1)
    assert (on.above, on.below, on.p_value) == (0, 0, 1)
    above = find_bends(Pairs(np.arange(5.0), np.arange(5) + 1.0), 1, 0)
    assert (above.above, above.below, above.p_value) == (5, 0, 1)


def test_a_line_that_does_not_rise_is_not_tested():
    assert find_bends(Pairs(np.arange(5.0), np.zeros(5)), 0, 0) is NOT_TESTED
    assert not NOT_TESTED.linear()
