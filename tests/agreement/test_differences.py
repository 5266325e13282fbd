from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.agreement.counting import Counting
from hemato_lab.agreement.differences import bland_altman, limits_of_agreement
from hemato_lab.errors import ConfigError
from tests.agreement.published import PEAK_FLOW

LISTS = st.lists(st.tuples(st.floats(1, 1000), st.floats(1, 1000)), min_size=3, max_size=30)


def test_the_peak_flow_data_have_the_printed_mean_and_spread():
    found = bland_altman(*PEAK_FLOW, unit="l/min")
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.spread == pytest.approx(38.8, abs=0.05)


def test_the_peak_flow_data_have_the_printed_limits():
    """Lancet i (1986) 307-310 goes on from the rounded mean and standard deviation, with twice the latter."""
    bias, lower, upper = limits_of_agreement(-2.1, 38.8, 17, multiplier=2, limit_variance="rounded")
    printed = (-22.0, 17.8, -79.7, -114.3, -45.1, 75.5, 40.9, 110.1)
    found = (bias.low, bias.high, lower.value, lower.low, lower.high, upper.value, upper.low, upper.high)
    assert tuple(round(one, 1) for one in found) == printed


def test_unrounded_peak_flow_is_within_the_rounding_of_the_paper():
    found = bland_altman(*PEAK_FLOW, multiplier=2, limit_variance="rounded")
    assert (found.lower.value, found.upper.value) == pytest.approx((-79.7, 75.5), abs=0.15)
    assert (found.bias.low, found.bias.high) == pytest.approx((-22.0, 17.8), abs=0.05)
    assert (found.lower.low, found.lower.high) == pytest.approx((-114.3, -45.1), abs=0.15)
    assert (found.upper.low, found.upper.high) == pytest.approx((40.9, 110.1), abs=0.2)


def test_peak_flow_shows_no_trend():
    found = bland_altman(*PEAK_FLOW)
    assert not found.bias_trend.rises
    assert not found.spread_trend.rises


def test_limits_of_a_limit_have_the_variance_of_1999():
    _, lower, upper = limits_of_agreement(0, 1, 100)
    # Bland and Altman 1999, section 2.1: (1 / n + 1.96^2 / (2 (n - 1))) s^2 is about 1.71^2 s^2 / n.
    assert (upper.high - upper.value) / 1.984 == pytest.approx(1.71 / 10, rel=5e-3)
    assert upper.value == pytest.approx(-lower.value) == pytest.approx(1.96)
    _, _, upper = limits_of_agreement(0, 1, 5)
    assert upper.high - upper.value == pytest.approx(2.7764451 * math.sqrt(1 / 5 + 1.96**2 / 8), rel=1e-7)


@pytest.mark.slow
def test_limits_cover_what_they_should():
    generator = np.random.default_rng(5)
    kept = np.zeros(3)
    for _ in range(20_000):
        sample = generator.normal(0, 1, 25)
        figures = limits_of_agreement(float(sample.mean()), float(sample.std(ddof=1)), 25)
        kept += [one.covers(true) for one, true in zip(figures, (0, -1.96, 1.96), strict=True)]
    np.testing.assert_allclose(kept / 20_000, 0.95, atol=0.012)


def test_per_cent_are_of_the_mean():
    found = bland_altman([90, 110], [110, 90], scale="percent")
    np.testing.assert_allclose(found.differences, [20, -20])
    assert (found.bias.value, found.unit) == (0, "%")


def test_logs_come_back_as_ratios():
    first = np.array([10.0, 100, 1000, 20])
    found = bland_altman(first, first * [2, 1, 2, 1], scale="log")
    logs = np.log([2, 1, 2, 1])
    assert found.bias.value == pytest.approx(math.sqrt(2))
    assert found.upper.value == pytest.approx(math.exp(logs.mean() + 1.96 * logs.std(ddof=1)))
    assert found.spread == pytest.approx(logs.std(ddof=1))
    assert found.unit == "ratio"
    np.testing.assert_allclose(found.levels, first * np.sqrt([2, 1, 2, 1]))


def test_the_log_scale_gives_up_quietly_where_ratios_have_no_end():
    found = bland_altman([1, 1e50], [1e50, 1], scale="log")
    assert found.upper.high == math.inf
    assert found.lower.low == 0


def test_a_spread_that_grows_is_seen_and_the_log_scale_cures_it():
    generator = np.random.default_rng(8)
    true = np.exp(generator.uniform(1, 6, 200))
    first, second = (true * np.exp(generator.normal(0, 0.1, 200)) for _ in range(2))
    assert bland_altman(first, second).spread_trend.rises
    assert not bland_altman(first, second, scale="log").spread_trend.rises
    assert not bland_altman(first, second, scale="percent").spread_trend.rises


@settings(max_examples=50)
@given(LISTS)
def test_the_other_way_round_everything_changes_its_sign(pairs: list[tuple[float, float]]):
    first, second = np.array(pairs).T
    for scale, turned in (("plain", -1), ("percent", -1), ("log", 1)):
        one, other = bland_altman(first, second, scale=scale), bland_altman(second, first, scale=scale)
        if turned < 0:
            assert other.upper.high == pytest.approx(-one.lower.low, rel=1e-9, abs=1e-9)
            assert other.bias.value == pytest.approx(-one.bias.value, rel=1e-9, abs=1e-9)
        else:
            assert other.upper.value == pytest.approx(1 / one.lower.value, rel=1e-9)


@settings(max_examples=50)
@given(LISTS, st.floats(0.1, 10))
def test_ratios_do_not_know_the_unit(pairs: list[tuple[float, float]], unit: float):
    first, second = np.array(pairs).T
    one, other = bland_altman(first, second, scale="log"), bland_altman(unit * first, unit * second, scale="log")
    assert other.upper.high == pytest.approx(one.upper.high, rel=1e-6)


def test_equal_readings_have_no_bias_and_no_spread():
    found = bland_altman([1, 2, 3], [1, 2, 3], counted=200)
    assert found.bias == found.lower.__class__(0.0, 0.0, 0.0, "t")
    assert (found.lower.value, found.upper.value, found.spread) == (0, 0, 0)
    assert found.envelope is not None
    assert found.envelope.share_outside.value == 0
    assert not found.reason


@pytest.mark.parametrize("scale", ["plain", "percent", "log"])
@pytest.mark.parametrize("size", [0, 1])
def test_too_few_pairs_say_so(size: int, scale: str):
    found = bland_altman([2.0] * size, [3.0] * size, scale=scale)
    assert math.isnan(found.lower.value)
    assert math.isnan(found.bias.low)
    assert math.isnan(found.bias.value) == (size == 0)
    assert "pair" in found.reason


@pytest.mark.parametrize("scale", ["percent", "log"])
def test_values_of_nothing_have_neither_percentages_nor_logarithms(scale: str):
    found = bland_altman([0, 1, 2], [0, 1, 2], scale=scale)
    assert math.isnan(found.bias.value)
    assert "use the plain scale" in found.reason


def test_counting_explains_what_chance_gives_and_no_more():
    generator = np.random.default_rng(2)
    share = generator.uniform(0.05, 0.6, 300)
    readings = [generator.binomial(200, share) / 2 for _ in range(2)]
    same, biased = bland_altman(*readings, counted=200), bland_altman(readings[0], 1.3 * readings[1], counted=200)
    assert same.envelope is not None
    assert biased.envelope is not None
    assert same.envelope.share_outside.low < 0.05
    assert biased.envelope.share_outside.low > 0.2


def test_rows_name_every_figure():
    found = bland_altman(*PEAK_FLOW, unit="l/min", counted=Counting.of_densities(1.0))
    frame = found.to_frame().set_index("figure")
    assert frame.loc["bias", "unit"] == "l/min"
    assert frame.loc["upper limit of agreement", "value"] == found.upper.value
    assert "share beyond counting" in frame.index
    assert len(frame) == 7


@pytest.mark.parametrize(
    "wrong",
    [{"scale": "square"}, {"limit_variance": "none"}, {"multiplier": 0}, {"confidence": 1.0}, {"counted": 0}],
)
def test_impossible_parameters_are_refused(wrong: dict[str, object]):
    for values in ([1.0, 2.0, 4.0], []):
        with pytest.raises(ConfigError):
            bland_altman(values, values, **wrong)


def test_a_bias_that_grows_is_no_spread_that_grows():
    """Bland and Altman 1999, section 3.2: distances are those from the line through the differences."""
    generator = np.random.default_rng(12)
    seen = 0
    for _ in range(100):
        true = 5 + generator.exponential(20, 60)
        found = bland_altman(true + generator.normal(0, 1, 60), 1.2 * true + generator.normal(0, 1, 60))
        assert found.bias_trend.rises
        seen += found.spread_trend.rises or found.spread_trend.falls
    assert seen <= 12


def test_numbers_of_cells_may_be_those_of_numpy():
    first, second = [1, 2, 3], [1, 2, 4]
    np.testing.assert_array_equal(
        bland_altman(first, second, counted=np.int64(200)).envelope.half_width,
        bland_altman(first, second, counted=200).envelope.half_width,
    )
