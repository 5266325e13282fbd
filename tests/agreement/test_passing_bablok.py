from __future__ import annotations

import math
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hemato_lab.agreement import passing_bablok as module
from hemato_lab.agreement.passing_bablok import PassingBablok, passing_bablok
from hemato_lab.errors import ConfigError
from tests.agreement.published import CREATININE, SEN, TD15

if TYPE_CHECKING:
    from hemato_lab.agreement.estimate import Estimate

SAMPLES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=15)


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def test_the_data_of_sen_have_the_printed_line_and_limits():
    """Sen (1968), and pbtest.R of the R package deming: slope 4 (26/7 to 35/8) at 93 %, intercept 6."""
    found = passing_bablok(*SEN, confidence=0.93)
    assert _ends(found.slope) == pytest.approx((4, 26 / 7, 35 / 8), rel=1e-12)
    assert found.intercept.value == pytest.approx(6, rel=1e-12)


def test_six_samples_have_the_line_of_the_r_package_deming():
    """The same tests: slope 1.05, intercept 1/8."""
    found = passing_bablok([1, 2, 3, 4, 5, 6], [2, 1.2, 4.1, 3.5, 6.3, 3])
    assert (found.slope.value, found.intercept.value) == pytest.approx((1.05, 1 / 8), rel=1e-12)


def test_td15_has_the_line_and_limits_of_calanas():
    """Printed to 14 digits in runit.mcPaBa.R of the R package mcr, whose limits use half ranks."""
    found = passing_bablok(*TD15, limit_ranks="interpolated")
    assert _ends(found.slope) == pytest.approx((1.02058852149448, 0.95848878631593, 1.09232009780764), rel=1e-13)
    printed = (-0.639752984809869, -2.3330808182894, 0.840973102642057)
    assert _ends(found.intercept) == pytest.approx(printed, rel=1e-12)


def _exact(first: np.ndarray, second: np.ndarray, z: float) -> tuple[Fraction, Fraction, Fraction] | None:
    """Return slope and limits as Passing and Bablok write them, in whole numbers."""
    slopes: list[Fraction | float] = []
    for i in range(len(first)):
        for j in range(i + 1, len(first)):
            across, up = int(first[j] - first[i]), int(second[j] - second[i])
            if (across, up) != (0, 0) and across != -up:
                slopes.append(Fraction(up, across) if across else math.inf)
    slopes.sort()
    size, shift = len(slopes), sum(one < -1 for one in slopes)
    if not size:
        return None
    n = len(first)
    half = z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = math.floor((size - half) / 2 + 0.5)
    places = [(size - 1) // 2 + shift, size // 2 + shift, low + shift - 1, size - low + shift]
    if places[2] < 0 or places[3] >= size:
        return None
    return (slopes[places[0]] + slopes[places[1]]) / 2, slopes[places[2]], slopes[places[3]]


def test_lines_are_those_of_exact_arithmetic_in_1000_random_sets():
    """Values with two decimals have ties, upright pairs and slopes of -1, which floating point must not blur."""
    generator = np.random.default_rng(19)
    z, compared = stats.norm.ppf(0.975), 0
    for size in generator.integers(8, 16, 1000):
        true = generator.integers(5, 60, size)
        first, second = (true + generator.integers(-6, 7, size) for _ in range(2))
        expected = _exact(first, second, z)
        found = passing_bablok(first / 100, second / 100)
        if expected is None or not found.slope.defined:
            continue
        compared += 1
        assert _ends(found.slope) == pytest.approx(tuple(map(float, expected)), rel=1e-9)
        rest = [Fraction(int(y)) - expected[0] * int(x) for x, y in zip(first, second, strict=True)]
        assert found.intercept.value == pytest.approx(float(median(rest)) / 100, rel=1e-9, abs=1e-9)
    assert compared > 900


def test_mcr_loses_ties_to_rounding_where_this_does_not():
    """Creatinine in whole hundredths: mcr 1.3.3 and Calanas print a slope of 1.08800890272179.

    Of its 20 slopes of exactly -1 floating point puts some below -1 and some above, which moves the median by half a
    rank; counted in whole numbers it is 99/91.
    """
    hundredths = [np.rint(100 * one).astype(int) for one in CREATININE]
    exact = _exact(*hundredths, stats.norm.ppf(0.975))
    assert exact is not None
    assert exact[0] == Fraction(99, 91)
    found = passing_bablok(*CREATININE)
    assert _ends(found.slope) == pytest.approx(tuple(map(float, exact)), rel=1e-12)

    i, j = np.triu_indices(len(CREATININE[0]), 1)
    steps = [np.where(np.abs(one[j] - one[i]) < 1e-12, 0, one[j] - one[i]) for one in CREATININE]
    across, up = (step[(steps[0] != 0) | (steps[1] != 0)] for step in steps)
    angles = np.full(len(across), np.pi / 2)
    np.arctan(np.divide(up, across, out=angles, where=across != 0), out=angles, where=across != 0)
    angles.sort()
    to, below = np.count_nonzero(angles <= -np.pi / 4), np.count_nonzero(angles < -np.pi / 4)
    assert np.count_nonzero(np.abs(angles + np.pi / 4) < 1e-9) == 20
    assert to - below < 20
    place = (len(angles) + to + below + 1) // 2
    assert np.tan(angles[place - 1 : place + 1].mean()) == pytest.approx(1.08800890272179, rel=1e-12)


def test_lines_of_rising_samples_are_those_of_theil_and_sen():
    generator = np.random.default_rng(23)
    for size in generator.integers(4, 40, 200):
        first, second = (np.cumsum(generator.uniform(0.1, 2, size)) for _ in range(2))
        expected = stats.theilslopes(second, first)
        assert passing_bablok(first, second).slope.value == pytest.approx(expected.slope, rel=1e-9)


@settings(max_examples=50)
@given(SAMPLES)
def test_the_other_way_round_the_line_is_the_same(samples: list[tuple[int, int]]):
    first, second = np.array(samples, dtype=float).T
    one, other = passing_bablok(first, second), passing_bablok(second, first)
    if one.slopes % 2 == 0 or not (one.slope.defined and other.slope.defined):
        return  # the paper averages two slopes, whose reciprocals have another mean
    assert other.slope.value == pytest.approx(1 / one.slope.value, rel=1e-9)
    if math.isfinite(one.slope.low) and one.slope.low > 0 and math.isfinite(one.slope.high):
        assert (other.slope.low, other.slope.high) == pytest.approx((1 / one.slope.high, 1 / one.slope.low), rel=1e-9)


@settings(max_examples=50)
@given(SAMPLES, st.randoms(use_true_random=False))
def test_the_order_of_the_samples_does_not_matter(samples: list[tuple[int, int]], random: object):
    shuffled = list(samples)
    random.shuffle(shuffled)
    one, other = (passing_bablok(*np.array(each, dtype=float).T / 10) for each in (samples, shuffled))
    np.testing.assert_array_equal(_ends(one.slope), _ends(other.slope))
    assert one.reason == other.reason


@settings(max_examples=50)
@given(SAMPLES, st.integers(-3, 3))
def test_lines_do_not_know_the_unit(samples: list[tuple[int, int]], power: int):
    first, second = np.array(samples, dtype=float).T
    one, other = passing_bablok(first, second), passing_bablok(first * 2.0**power, second * 2.0**power)
    np.testing.assert_array_equal(_ends(one.slope), _ends(other.slope))
    np.testing.assert_array_equal(np.array(_ends(one.intercept)) * 2.0**power, _ends(other.intercept))


def test_one_outlier_hardly_moves_the_line():
    first = np.arange(1.0, 41)
    second = first + np.tile([0.1, -0.1], 20)
    second[39] = 1000
    assert passing_bablok(first, second).slope.value == pytest.approx(1, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", ["rounded", "interpolated"])
def test_limits_cover_the_true_line(ranks: str):
    generator = np.random.default_rng(29)
    kept = np.zeros(2)
    for _ in range(3000):
        true = generator.uniform(10, 100, 40)
        first, second = true + generator.normal(0, 4, 40), true - 3 + generator.normal(0, 4, 40)
        found = passing_bablok(first, second, limit_ranks=ranks)
        kept += [found.slope.covers(1), found.intercept.covers(-3)]
    assert kept[0] / 3000 == pytest.approx(0.95, abs=0.015)
    assert kept[1] / 3000 == pytest.approx(0.91, abs=0.025)  # follows from the slope alone, and is a little narrow


def test_equal_readings_lie_on_the_line_of_equality():
    values = np.arange(1.0, 30) / 10
    found = passing_bablok(values, values)
    assert _ends(found.slope) == (1, 1, 1)
    assert _ends(found.intercept) == (0, 0, 0)
    assert found.linearity.linear()
    assert not found.reason


def _undefined(found: PassingBablok) -> str:
    assert math.isnan(found.slope.value)
    assert math.isnan(found.intercept.value)
    assert not found.linearity.linear()
    return found.reason


def test_what_is_not_defined_says_why():
    assert _undefined(passing_bablok([], [])) == module.NO_SLOPES
    assert _undefined(passing_bablok([1], [1])) == module.NO_SLOPES
    assert _undefined(passing_bablok([3, 3], [4, 4])) == module.NO_SLOPES
    assert _undefined(passing_bablok([3, 3, 3], [4, 5, 6])) == module.UPRIGHT
    assert _undefined(passing_bablok([1, 2, 3, 4], [8, 6, 4, 2])) == module.OPPOSED
    assert _undefined(passing_bablok([1, 2, 3, 4], [4, 3.5, 3, 2.5])) == module.OPPOSED
    few = passing_bablok([1, 2, 4], [1, 3, 4])
    assert few.slope.defined
    assert math.isnan(few.slope.low)
    assert few.reason == module.FEW_FOR_LIMITS


def test_a_flat_line_is_a_line():
    found = passing_bablok(np.arange(20.0), np.full(20, 5.0))
    assert _ends(found.slope) == (0, 0, 0)
    assert found.intercept.value == 5


def test_more_samples_than_memory_holds_are_refused():
    values = np.zeros(module.MOST_SAMPLES + 1)
    with pytest.raises(ConfigError, match="too many slopes") as caught:
        passing_bablok(values, values)
    assert str(module.MOST_SAMPLES) in caught.value.hint


@pytest.mark.parametrize("wrong", [{"limit_ranks": "exact"}, {"confidence": 1}])
def test_impossible_parameters_are_refused(wrong: dict[str, object]):
    with pytest.raises(ConfigError):
        passing_bablok([1, 2], [1, 2], **wrong)


def test_rows_name_slope_intercept_and_linearity():
    frame = passing_bablok(*TD15, unit="%").to_frame()
    assert list(frame["figure"]) == ["slope", "intercept", "p of a line"]
    assert list(frame["unit"]) == ["", "%", ""]
