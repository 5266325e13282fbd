from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hemato_lab.agreement import deming as module
from hemato_lab.agreement.deming import Deming, deming, weighted_deming
from hemato_lab.errors import ConfigError
from tests.agreement.published import CREATININE, NCSS, TD15

if TYPE_CHECKING:
    from hemato_lab.agreement.estimate import Estimate

# What Analyse-it gave, as listed in MC_TestCase_AnaIT_TD15.xml of the R package mcr: slope and intercept, each with
# limits, and the bias at 1, 10 and 100.
ANALYSE_IT = {
    ("plain", 1.0): (
        (0.998922574014433, 0.904225546852836, 1.09361960117603),
        (-0.505729735057073, -3.06557290114323, 2.05411343102908),
        (-0.5068071610, -2.9902456299816, 1.97663130789632),
        (-0.516503994912743, -2.38908787854222, 1.35607988871673),
        (-0.613472333613766, -8.14993524912432, 6.92299058189679),
    ),
    ("plain", 1.21): (
        (1.00329228321811, 0.909809514645456, 1.09677505179076),
        (-0.708594035342613, -3.2419770759952, 1.82478900530997),
        (-0.705301752124507, -3.16427218313045, 1.75366867888143),
        (-0.675671203161549, -2.54371875379321, 1.19237634747011),
        (-0.379365713531976, -7.84830151579215, 7.0895700887282),
    ),
    ("weighted", 1.0): (
        (0.971286182711744, 0.917923153034657, 1.02464921238883),
        (0.349800410110783, -0.112327006235422, 0.811927826456988),
        (0.321086592822527, -0.119134128353308, 0.761307313998363),
        (0.0626622372282246, -0.459039073240663, 0.584363547697112),
        (-2.5215813187148, -7.66241619836809, 2.61925356093848),
    ),
    ("weighted", 1.21): (
        (0.970221482846277, 0.91666676502975, 1.0237762006628),
        (0.346600763341327, -0.118104609558275, 0.811306136240929),
        (0.316822246187604, -0.125894423070613, 0.759538915445821),
        (0.0488155918041009, -0.475160020235028, 0.57279120384323),
        (-2.63125095203093, -7.79021546745192, 2.52771356339006),
    ),
}
SAMPLES = st.lists(st.tuples(st.integers(1, 100), st.integers(1, 100)), min_size=4, max_size=12)


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


@pytest.mark.parametrize(("kind", "ratio"), ANALYSE_IT)
def test_lines_limits_and_biases_are_those_of_analyse_it(kind: str, ratio: float):
    fit = deming if kind == "plain" else weighted_deming
    found = fit(*TD15, variance_ratio=ratio)
    figures = (found.slope, found.intercept, *(found.bias_at(level) for level in (1, 10, 100)))
    for figure, printed in zip(figures, ANALYSE_IT[kind, ratio], strict=True):
        assert _ends(figure) == pytest.approx(printed, rel=1e-6, abs=1e-6)


def test_the_example_of_ncss_has_the_printed_line_and_standard_errors():
    """Chapter 303: intercept -0.0897 (1.7220), slope 1.0012 (0.1872)."""
    found = deming(*NCSS, variance_ratio=4)
    t = stats.t.ppf(0.975, 8)
    errors = [(one.high - one.value) / t for one in (found.intercept, found.slope)]
    assert (round(found.intercept.value, 4), round(found.slope.value, 4)) == (-0.0897, 1.0012)
    assert (round(errors[0], 4), round(errors[1], 4)) == (1.7220, 0.1872)


def test_creatinine_has_the_lines_of_mcr():
    """Tests of the R package mcr, runit.mcDeming.R and runit.mcWDeming.R."""
    plain, weighted = deming(*CREATININE), weighted_deming(*CREATININE)
    assert (plain.slope.value, plain.intercept.value) == pytest.approx((1.054539, -0.05891341), rel=1e-6)
    assert (weighted.slope.value, weighted.intercept.value) == pytest.approx(
        (1.111956340733, -0.1254944949597), rel=1e-8
    )


def test_large_sample_limits_are_close_to_those_of_mcr():
    """Linnet's shorter formula gives 0.03534361 and 0.04604315."""
    found = deming(*CREATININE, limits="analytical")
    t = stats.t.ppf(0.975, len(CREATININE[0]) - 2)
    assert (found.slope.high - found.slope.value) / t == pytest.approx(0.03534361, rel=1e-2)
    assert (found.intercept.high - found.intercept.value) / t == pytest.approx(0.04604315, rel=1e-2)
    assert math.isnan(found.bias_at(1).low)


def _principal_axis(first: np.ndarray, second: np.ndarray, ratio: float) -> float:
    """Return the slope by another way: the first axis of the samples in units of their errors."""
    scaled = np.stack([(first - first.mean()) / math.sqrt(ratio), second - second.mean()])
    axis = np.linalg.svd(scaled, full_matrices=False)[0][:, 0]
    return axis[1] / axis[0] / math.sqrt(ratio)


def test_lines_are_principal_axes_in_1000_random_sets():
    generator = np.random.default_rng(7)
    for size in generator.integers(3, 30, 1000):
        true = generator.uniform(5, 100, size)
        ratio = generator.uniform(0.2, 5)
        first, second = true + generator.normal(0, 3, size), 1.2 * true - 4 + generator.normal(0, 3, size)
        found = deming(first, second, variance_ratio=ratio)
        assert found.slope.value == pytest.approx(_principal_axis(first, second, ratio), rel=1e-9)
        assert found.intercept.value == pytest.approx(second.mean() - found.slope.value * first.mean(), rel=1e-9)


def test_weights_are_those_of_the_line_they_give():
    generator = np.random.default_rng(11)
    for _ in range(50):
        true = np.exp(generator.uniform(1, 5, 30))
        first, second = (true * np.exp(generator.normal(0, 0.1, 30)) for _ in range(2))
        found = weighted_deming(first, second, variance_ratio=2)
        slope, intercept = found.slope.value, found.intercept.value
        rest = second - intercept - slope * first
        shrink = 1 + 2 * slope**2
        levels = (first + 2 * slope * rest / shrink + 2 * (second - rest / shrink)) / 3
        weights = levels**-2.0
        means = [np.average(one, weights=weights) for one in (first, second)]
        root = np.sqrt(weights)
        axis = _principal_axis_about(root * (first - means[0]), root * (second - means[1]), 2)
        assert slope == pytest.approx(axis, rel=1e-8)
        assert intercept == pytest.approx(means[1] - slope * means[0], rel=1e-6, abs=1e-9)


def _principal_axis_about(first: np.ndarray, second: np.ndarray, ratio: float) -> float:
    axis = np.linalg.svd(np.stack([first / math.sqrt(ratio), second]), full_matrices=False)[0][:, 0]
    return axis[1] / axis[0] / math.sqrt(ratio)


@pytest.mark.parametrize("fit", [deming, weighted_deming])
def test_the_jackknife_leaves_each_sample_out_once(fit: object, monkeypatch: pytest.MonkeyPatch):
    first, second = TD15[0][:20], TD15[1][:20]
    found = fit(first, second)
    for index in range(20):
        without = fit(np.delete(first, index), np.delete(second, index))
        expected = without.slope.value, without.intercept.value
        np.testing.assert_allclose(found.left_out[index], expected, rtol=1e-9, atol=1e-9)
    monkeypatch.setattr("hemato_lab.agreement.errors_in_both._BLOCK", 70)
    np.testing.assert_array_equal(fit(first, second).left_out, found.left_out)


@settings(max_examples=25)
@given(SAMPLES, st.sampled_from([0.25, 1.0, 3.0]))
def test_the_other_way_round_the_line_is_the_same(samples: list[tuple[int, int]], ratio: float):
    first, second = np.array(samples, dtype=float).T
    one, other = deming(first, second, variance_ratio=ratio), deming(second, first, variance_ratio=1 / ratio)
    if not (one.slope.defined and other.slope.defined) or min(abs(one.slope.value), abs(other.slope.value)) < 1e-9:
        return
    assert other.slope.value == pytest.approx(1 / one.slope.value, rel=1e-6)


@settings(max_examples=25)
@given(SAMPLES, st.floats(0.01, 100))
def test_lines_do_not_know_the_unit(samples: list[tuple[int, int]], unit: float):
    first, second = np.array(samples, dtype=float).T
    for fit in (deming, weighted_deming):
        one, other = fit(first, second), fit(unit * first, unit * second)
        if one.slope.defined and other.slope.defined:
            assert other.slope.value == pytest.approx(one.slope.value, rel=1e-5, abs=1e-9)
            assert other.intercept.value == pytest.approx(unit * one.intercept.value, rel=1e-4, abs=1e-6 * unit)


@pytest.mark.slow
@pytest.mark.parametrize("limits", ["jackknife", "analytical"])
def test_limits_cover_the_true_line(limits: str):
    generator = np.random.default_rng(13)
    kept = np.zeros(2)
    for _ in range(4000):
        true = generator.uniform(10, 100, 60)
        first, second = true + generator.normal(0, 4, 60), 1.1 * true - 3 + generator.normal(0, 4, 60)
        found = deming(first, second, limits=limits)
        kept += [found.slope.covers(1.1), found.intercept.covers(-3)]
    np.testing.assert_allclose(kept / 4000, 0.95, atol=0.02)


@pytest.mark.slow
def test_weighted_limits_cover_the_true_line():
    generator = np.random.default_rng(17)
    kept = np.zeros(2)
    for _ in range(2000):
        true = np.exp(generator.uniform(2, 6, 60))
        first, second = (line * (1 + generator.normal(0, 0.08, 60)) for line in (true, 1.1 * true - 1))
        found = weighted_deming(first, np.maximum(second, 0.1))
        kept += [found.slope.covers(1.1), found.intercept.covers(-1)]
    np.testing.assert_allclose(kept / 2000, 0.95, atol=0.025)


@pytest.mark.parametrize("fit", [deming, weighted_deming])
def test_equal_readings_lie_on_the_line_of_equality(fit: object):
    found = fit([1, 2, 3, 7], [1, 2, 3, 7])
    assert _ends(found.slope) == pytest.approx((1, 1, 1))
    assert _ends(found.intercept) == pytest.approx((0, 0, 0), abs=1e-12)
    assert not found.reason


def _undefined(found: Deming) -> str:
    assert math.isnan(found.slope.value)
    assert math.isnan(found.intercept.value)
    assert math.isnan(found.bias_at(1).value)
    return found.reason


@pytest.mark.parametrize("limits", ["jackknife", "analytical"])
def test_what_is_not_defined_says_why(limits: str):
    def fit(first: list[float], second: list[float]) -> Deming:
        return deming(first, second, limits=limits)

    assert _undefined(fit([], [])) == _undefined(fit([1], [1])) == module.TOO_FEW
    assert _undefined(fit([5, 5, 5], [5, 5, 5])) == module.NO_LINE
    assert _undefined(fit([5, 5, 5], [4, 5, 6])) == module.NO_LINE
    assert _undefined(fit([0, 1, 0, -1], [1, 0, -1, 0])) == module.NO_LINE
    two = fit([1, 2], [1, 2])
    assert two.slope.value == pytest.approx(1)
    assert math.isnan(two.slope.low)
    assert two.reason == module.TOO_FEW


def test_a_flat_line_is_a_line():
    found = deming([1, 2, 3, 4], [5, 5, 5, 5])
    assert _ends(found.slope) == pytest.approx((0, 0, 0))
    assert found.intercept.value == 5


def test_where_one_sample_decides_there_are_no_limits():
    found = deming([1, 1, 1, 2], [1, 1, 1, 2])
    assert found.slope.value == pytest.approx(1)
    assert math.isnan(found.slope.low)
    assert found.reason == module.ONE_DECIDES


def test_where_errors_explain_everything_the_large_sample_limits_are_open():
    generator = np.random.default_rng(1)
    reasons = {
        deming(*generator.normal(0, 1, (2, 4)), limits="analytical", variance_ratio=100).reason for _ in range(50)
    }
    assert reasons <= {"", module.NO_TRUTH}
    assert module.NO_TRUTH in reasons


def test_weights_need_values_above_nothing_and_a_line_that_stays_there():
    assert _undefined(weighted_deming([0, 1, 2], [1, 2, 3])) == module.NOT_POSITIVE
    assert _undefined(weighted_deming([42, 31, 59, 98], [13, 29, 93, 30])) == module.NOT_SETTLED


@pytest.mark.parametrize("wrong", [{"variance_ratio": 0}, {"variance_ratio": math.inf}, {"confidence": 0}])
def test_impossible_parameters_are_refused(wrong: dict[str, float]):
    for fit in (deming, weighted_deming):
        with pytest.raises(ConfigError):
            fit([1, 2, 3], [1, 2, 4], **wrong)
    with pytest.raises(ConfigError):
        deming([1, 2, 3], [1, 2, 4], limits="none")


def test_rows_name_slope_and_intercept():
    frame = deming(*TD15, unit="10*3/uL").to_frame()
    assert list(frame["figure"]) == ["slope", "intercept"]
    assert list(frame["unit"]) == ["", "10*3/uL"]
