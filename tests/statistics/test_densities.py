from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hemato_lab.smear import Scale
from hemato_lab.statistics.counting import FieldCounts
from hemato_lab.statistics.densities import density, with_scale
from hemato_lab.statistics.limits import Limits

EXACT = Scale(100, 0.075, "stated um/px", 0.0)
RULER = Scale.from_rbc_diameter_px(100)


def counts(cells: list[int], areas: list[float]) -> FieldCounts:
    return FieldCounts("RBC", np.array(cells, np.int64), np.array(areas))


def test_one_field_has_plain_poisson_limits_per_area():
    found = density(counts([100], [0.02]), EXACT)
    assert found is not None
    assert found.per_mm2 == pytest.approx(5000)
    assert found.limits == pytest.approx((stats.chi2.ppf(0.025, 200) / 0.04, stats.chi2.ppf(0.975, 202) / 0.04))
    assert found.overdispersion.factor is None
    assert found.limits_with_scale == pytest.approx(found.limits)


def test_several_fields_pool_cells_and_area_and_widen():
    found = density(counts([10, 90], [0.01, 0.01]), EXACT)
    assert found is not None
    assert found.per_mm2 == pytest.approx(5000)
    factor = np.var([10, 90], ddof=1) / 50
    low, high = stats.chi2.ppf(0.025, 200) / 2, stats.chi2.ppf(0.975, 202) / 2
    expected = (max(0, 100 - (100 - low) * math.sqrt(factor)) / 0.02, (100 + (high - 100) * math.sqrt(factor)) / 0.02)
    assert found.limits == pytest.approx(expected)


def test_none_found_is_zero_with_an_upper_limit_and_no_area_is_no_density():
    found = density(counts([0, 0], [0.01, 0.01]), RULER)
    assert found is not None
    assert found.per_mm2 == 0
    assert found.limits == pytest.approx((0, -math.log(0.025) / 0.02))
    assert found.limits_with_scale.low == 0
    assert found.limits_with_scale.high > found.limits.high
    assert density(counts([0], [0.0]), RULER) is None
    assert density(counts([], []), RULER) is None


def test_scale_uncertainty_alone_gives_its_square_as_a_factor():
    """A length known to 0.5 in 7.5 um puts a density off by exp(1.96 * 2 / 15), whatever the count."""
    factor = math.exp(stats.norm.ppf(0.975) * 2 * 0.5 / 7.5)
    assert with_scale(1000, Limits(1000, 1000), RULER) == pytest.approx((1000 / factor, 1000 * factor))


def test_both_uncertainties_add_in_quadrature_of_logarithms():
    scale = math.log(2) / (2 * stats.norm.ppf(0.975))
    combined = with_scale(100, Limits(100 / 2, 100 * 2), Scale(100, 0.075, "stated um/px", scale))
    assert combined == pytest.approx((100 / 2 ** math.sqrt(2), 100 * 2 ** math.sqrt(2)))
    assert with_scale(100, Limits(0, 200), Scale(100, 0.075, "stated um/px", scale)).low == 0


@pytest.mark.parametrize("expected", [2.0, 20.0, 300.0])
def test_limits_cover_the_truth_as_often_as_they_say(expected: float):
    chance = np.random.default_rng(11)
    found = [density(counts([int(n)], [0.1]), EXACT) for n in chance.poisson(expected, 2000)]
    covered = np.mean([one.limits.low <= expected / 0.1 <= one.limits.high for one in found])
    assert covered >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 2000)
