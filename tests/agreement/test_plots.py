from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from hemato_lab.agreement.allowable import judge, judge_share
from hemato_lab.agreement.correlation import lin_concordance, pearson, spearman
from hemato_lab.agreement.counting import Counting
from hemato_lab.agreement.deming import deming, weighted_deming
from hemato_lab.agreement.differences import bland_altman
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.pairs import make_pairs
from hemato_lab.agreement.passing_bablok import passing_bablok
from hemato_lab.agreement.plots import style
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from tests.agreement.published import TD15

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = {"names": ("price $5", "cost $7"), "unit": "10*3/uL"}
PERCENT = np.clip(TD15, 0, 100)
DRAWN = {
    "plain": lambda: bland_altman(*TD15, **NAMES),
    "envelope": lambda: bland_altman(*PERCENT, counted=200, **NAMES),
    "percent": lambda: bland_altman(*TD15, scale="percent", counted=Counting.of_densities(2.0), **NAMES),
    "log": lambda: bland_altman(*TD15, scale="log", counted=Counting.of_densities(np.full(50, 2.0)), **NAMES),
    "areas": lambda: bland_altman(*TD15, scale="log", counted=Counting.of_densities(np.arange(1.0, 51)), **NAMES),
    "deming": lambda: deming(*TD15, **NAMES),
    "analytical": lambda: deming(*TD15, limits="analytical", **NAMES),
    "weighted": lambda: weighted_deming(*TD15, **NAMES),
    "passing-bablok": lambda: passing_bablok(*TD15, **NAMES),
    "concordance": lambda: lin_concordance(*TD15, **NAMES),
    "pearson": lambda: pearson(*TD15, **NAMES),
    "spearman": lambda: spearman(*TD15, **NAMES),
    "verdict": lambda: judge(make_pairs(*TD15, **NAMES), "platelets")[1],
}
METHODS = {
    "plain": bland_altman,
    "log": lambda first, second: bland_altman(first, second, scale="log", counted=200),
    "deming": deming,
    "weighted": weighted_deming,
    "passing-bablok": passing_bablok,
    "concordance": lin_concordance,
    "spearman": spearman,
    "verdict": lambda first, second: judge(make_pairs(first, second), "white cells")[0],
}
ODD = {"none": ([], []), "one": ([3], [4]), "constant": ([3, 3, 3], [3, 3, 3]), "zeros": ([0, 0, 1], [0, 1, 0])}


def _axes() -> Axes:
    return Figure(figsize=(5, 4), layout="constrained").add_subplot()


def _texts(axes: Axes) -> str:
    shown = [axes.get_xlabel(), axes.get_ylabel(), axes.get_title("left"), *(text.get_text() for text in axes.texts)]
    legend = axes.get_legend()
    return "\n".join([*shown, *(text.get_text() for text in (legend.get_texts() if legend else []))])


@pytest.mark.parametrize("name", DRAWN)
def test_figures_say_what_how_many_and_for_what_use(name: str):
    axes = _axes()
    assert DRAWN[name]().plot(axes) is axes
    axes.figure.canvas.draw()
    shown = _texts(axes)
    assert "n = 50" in shown
    assert "price" in axes.get_xlabel()
    assert "cost" in axes.get_ylabel() + axes.get_xlabel()
    assert name == "spearman" or "10*3/uL" in axes.get_xlabel()
    assert RESEARCH_USE_NOTICE in shown


def test_prices_are_no_formulas():
    label = bland_altman(*TD15, **NAMES).plot(_axes()).xaxis.label
    drawn, formula = label._preprocess_math(label.get_text())
    assert not formula
    assert "price $5 and cost $7" in drawn


@pytest.mark.parametrize("data", ODD)
@pytest.mark.parametrize("method", METHODS)
def test_what_is_undefined_is_drawn_with_the_reason(method: str, data: str):
    result = METHODS[method](*ODD[data])
    axes = result.plot(_axes())
    axes.figure.canvas.draw()
    if result.reason:
        assert result.reason.split()[0] in _texts(axes)
    assert RESEARCH_USE_NOTICE in _texts(axes)


def test_the_legend_counts_what_lies_outside():
    result = bland_altman(*PERCENT, counted=200)
    assert result.envelope is not None
    assert f"beyond counting: {int(result.envelope.outside.sum())}" in _texts(result.plot(_axes()))


def test_lines_and_limits_stand_where_they_were_computed():
    result = bland_altman(*TD15)
    heights = [line.get_ydata()[0] for line in result.plot(_axes()).lines]
    for expected in (result.bias.value, result.lower.value, result.upper.value):
        assert expected in heights
    line = deming(*TD15)
    drawn = next(one for one in line.plot(_axes()).lines if one.get_label() == "line")
    across, up = (np.asarray(one) for one in (drawn.get_xdata(), drawn.get_ydata()))
    np.testing.assert_allclose(up, line.intercept.value + line.slope.value * across)


def test_ratios_that_differ_by_chance_lie_on_the_envelope():
    """A pair just at the limit of chance is drawn on the curve."""
    counting = Counting.of_densities(2.0)
    level = np.array([10.0])
    half = counting.half_width(level)[0]
    first, second = level - half / 2, level + half / 2
    result = bland_altman(np.append(first, [40, 1]), np.append(second, [40, 1]), scale="log", counted=counting)
    axes = result.plot(_axes())
    curve = max((line for line in axes.lines if len(line.get_xdata()) > 100), key=lambda line: line.get_ydata()[0])
    height = np.interp(np.sqrt(first * second), curve.get_xdata(), curve.get_ydata())
    assert height == pytest.approx(second / first, rel=1e-3)


def test_linearity_is_drawn_with_its_bounds():
    axes = passing_bablok(*TD15).linearity.plot(_axes())
    axes.figure.canvas.draw()
    assert "n = 50" in axes.get_xlabel()
    assert "p = 0.57" in axes.get_title("left")


def test_without_axes_a_figure_of_pyplot_is_made():
    plt.switch_backend("agg")
    axes = pearson(*TD15).plot()
    try:
        assert plt.get_fignums() == [axes.figure.number]
    finally:
        plt.close(axes.figure)


def test_a_share_has_no_pairs_to_draw():
    with pytest.raises(ConfigError, match="no pairs to draw"):
        judge_share(Estimate(0.9, 0.85, 0.95), "cell names")[0].plot(_axes())


def test_numbers_are_short():
    assert [style.number(one) for one in (-5.3149, 12345.6, 0.0001234)] == ["−5.31", "12346", "0.000123"]


def test_methods_load_neither_matplotlib_nor_pandas():
    code = (
        "import sys, hemato_lab.agreement.differences, hemato_lab.agreement.deming, hemato_lab.agreement.correlation\n"
        "import hemato_lab.agreement.passing_bablok, hemato_lab.agreement.allowable\n"
        "print([m for m in ('matplotlib', 'pandas', 'scipy.stats', 'numba') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout.strip() == "[]"
