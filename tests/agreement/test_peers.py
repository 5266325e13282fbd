"""Other packages on the same random sets; where one of them is wrong, the proof stands beside."""

from __future__ import annotations

import importlib
import math
import warnings
from typing import Any

import numpy as np
import pytest

from hemato_lab.agreement.deming import deming
from hemato_lab.agreement.differences import bland_altman
from hemato_lab.agreement.passing_bablok import passing_bablok
from tests.agreement.published import SEN, TD15

NO_EXTRAS = (False, False, False, "", "")
"""No lines of reference and limits, no legend, no colours."""


@pytest.fixture(scope="module")
def methcomp() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import matplotlib as mpl

        mpl.use("agg")
        difference = importlib.import_module("methcomp.blandaltman")._BlandAltman
        regression = importlib.import_module("methcomp.regression")
    return type("methcomp", (), {"difference": difference, "regression": regression})


def _sets(count: int = 1000) -> Any:
    generator = np.random.default_rng(71)
    for size in generator.integers(3, 50, count):
        true = generator.uniform(10, 100, size)
        yield true + generator.normal(0, 4, size), 1.05 * true + generator.normal(0, 4, size)


def _peer_differences(methcomp: Any, first: np.ndarray, second: np.ndarray, kind: str) -> Any:
    return methcomp.difference(second, first, "", "", None, kind, 1.96, False, None, None, None, "", "", "")  # noqa: FBT003


def test_bias_and_spread_are_those_of_methcomp_but_for_its_degree_of_freedom(methcomp: Any):
    """methcomp divides the squares by n where Bland and Altman divide by n - 1."""
    for first, second in _sets():
        peer, found = _peer_differences(methcomp, first, second, "absolute"), bland_altman(first, second)
        size = len(first)
        assert peer.mean_diff == pytest.approx(found.bias.value, rel=1e-9, abs=1e-12)
        assert peer.sd_diff == pytest.approx(found.spread * math.sqrt((size - 1) / size), rel=1e-9)
        assert peer.mean_diff + peer.loa_sd < found.upper.value


def test_methcomp_takes_per_cent_of_one_method_not_of_the_mean(methcomp: Any):
    peer = _peer_differences(methcomp, np.array([50.0, 50]), np.array([100.0, 100]), "percentage")
    np.testing.assert_array_equal(peer.diff, [50, 50])
    np.testing.assert_allclose(bland_altman([50, 50], [100, 100], scale="percent").differences, 200 / 3)


def test_methcomp_fits_deming_lines_without_looking_at_the_pairs(methcomp: Any):
    """It takes the variance of the second method for the covariance, so any order of the samples has its line."""

    def slope(first: np.ndarray, second: np.ndarray) -> float:
        look = (None, None, None, "", "", None, 0.95, *NO_EXTRAS)
        return float(methcomp.regression._Deming(first, second, *look).beta)

    first, second = TD15
    assert slope(first[::-1], second) == pytest.approx(slope(first, second), rel=1e-12)
    assert deming(first[::-1], second).slope.value != pytest.approx(deming(first, second).slope.value, rel=0.1)
    spread_x, spread_y = (float(((one - one.mean()) ** 2).sum()) for one in TD15)
    lead = spread_y - spread_x
    assert slope(first, second) == pytest.approx((lead + math.hypot(lead, 2 * spread_y)) / (2 * spread_y), rel=1e-9)


def test_methcomp_has_no_passing_bablok_line_where_all_slopes_rise(methcomp: Any):
    """It divides by the number of falling slopes in the index of the median; the data of Sen have none."""
    with pytest.raises(ZeroDivisionError):
        methcomp.regression._PassingBablok(*SEN, "", "", None, 0.95, *NO_EXTRAS)
    assert passing_bablok(*SEN).slope.value == pytest.approx(4)


def test_limits_of_the_bias_are_those_of_statsmodels_in_1000_random_sets():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from statsmodels.stats.weightstats import DescrStatsW
    for first, second in _sets():
        expected = DescrStatsW(second - first).tconfint_mean()
        found = bland_altman(first, second).bias
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-7, abs=1e-9)
