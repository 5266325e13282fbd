from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hemato_lab.errors import ConfigError
from hemato_lab.statistics.concentrations import FIXED_FACTORS, fixed_factor_concentration, ratio_concentration
from hemato_lab.statistics.counting import FieldCounts


def counts(name: str, cells: list[int], areas: list[float] | None = None) -> FieldCounts:
    return FieldCounts(name, np.array(cells, np.int64), np.array(areas or [0.01] * len(cells)))


def ratio_limits(n: int, n_red: int) -> tuple[float, float]:
    """Limits of a ratio of Poisson means by the F distribution, the other form of the same exact limits."""
    low = n / (n_red + 1) / stats.f.ppf(0.975, 2 * (n_red + 1), 2 * n) if n else 0.0
    return low, (n + 1) / n_red * stats.f.ppf(0.975, 2 * (n + 1), 2 * n_red)


@pytest.mark.parametrize(("n", "n_red"), [(0, 40), (1, 500), (25, 500), (500, 25), (7, 1)])
def test_the_ratio_has_exact_limits(n: int, n_red: int):
    found = ratio_concentration(counts("platelet", [n]), counts("RBC", [n_red]), 5.0e6)
    assert found is not None
    assert found.per_ul == pytest.approx(n / n_red * 5.0e6)
    assert found.limits == pytest.approx([end * 5.0e6 for end in ratio_limits(n, n_red)])
    assert math.isfinite(found.limits.high)


def test_unequal_frames_are_made_equal():
    """Twice the area for the platelets: half the ratio."""
    found = ratio_concentration(counts("platelet", [20], [0.02]), counts("RBC", [100], [0.01]), 4.0e6)
    assert found is not None
    assert found.per_ul == pytest.approx(20 / 100 / 2 * 4.0e6)
    assert found.limits == pytest.approx([end / 2 * 4.0e6 for end in ratio_limits(20, 100)])


def test_fields_without_area_for_one_class_do_not_count():
    found = ratio_concentration(counts("WBC", [0, 2], [0.0, 0.01]), counts("RBC", [900, 100]), 5.0e6)
    assert found is not None
    assert found.per_ul == pytest.approx(2 / 100 * 5.0e6)


def test_spread_between_fields_widens_as_a_factor():
    clustered = ratio_concentration(counts("platelet", [0, 40]), counts("RBC", [200, 200]), 5.0e6)
    assert clustered is not None
    table = [[0, 40], [200, 200]]
    factor = stats.chi2_contingency(table, correction=False).statistic
    assert clustered.overdispersion.factor == pytest.approx(factor)
    low, high = ratio_limits(40, 400)
    estimate = 0.1
    expected = [estimate * (end / estimate) ** math.sqrt(factor) * 5.0e6 for end in (low, high)]
    assert clustered.limits == pytest.approx(expected)


def test_without_red_cells_or_area_there_is_no_estimate():
    assert ratio_concentration(counts("WBC", [3]), counts("RBC", [0]), 5.0e6) is None
    assert ratio_concentration(counts("WBC", [0], [0.0]), counts("RBC", [5]), 5.0e6) is None


@pytest.mark.parametrize("rbc_per_ul", [0.0, -1.0, math.nan, math.inf])
def test_impossible_red_cell_concentrations_are_refused(rbc_per_ul: float):
    with pytest.raises(ConfigError):
        ratio_concentration(counts("WBC", [3]), counts("RBC", [10]), rbc_per_ul)


def test_fixed_factors_are_the_published_rules():
    # DOMAIN.md 2.2: field number 22 gives 0.0380 mm2 at 100x and 0.238 mm2 at 40x.
    assert FIXED_FACTORS["platelet"].field_area_mm2 == pytest.approx(0.0380, abs=5e-5)
    assert FIXED_FACTORS["WBC"].field_area_mm2 == pytest.approx(0.238, abs=5e-4)
    ten_a_field = 10 / FIXED_FACTORS["platelet"].field_area_mm2
    assert fixed_factor_concentration(ten_a_field, FIXED_FACTORS["platelet"]) == pytest.approx(150_000)
    three_a_field = 3 / FIXED_FACTORS["WBC"].field_area_mm2
    assert fixed_factor_concentration(three_a_field, FIXED_FACTORS["WBC"]) == pytest.approx(6_000)
