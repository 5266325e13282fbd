"""Lines between two methods, with their limits and the line of equality."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hemato_lab.agreement.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hemato_lab.agreement.deming import Deming
    from hemato_lab.agreement.linearity import Linearity
    from hemato_lab.agreement.pairs import Floats
    from hemato_lab.agreement.passing_bablok import PassingBablok

_GRID = 100
_CRITICAL = 1.36
"""Kolmogorov's 5 % point."""


def draw_deming(result: Deming, axes: Axes | None = None) -> Axes:
    """Draw the result of `deming` or `weighted_deming`; the band is that of the jackknife at each value."""
    axes = style.given_or_new(axes)
    levels = np.linspace(*style.square(axes, result.pairs), _GRID)
    biases = [result.bias_at(float(level)) for level in levels]
    band = np.array([(level + bias.low, level + bias.high) for level, bias in zip(levels, biases, strict=True)])
    return _draw_line(axes, result, levels, band, "Weighted Deming" if result.weighted else "Deming")


def draw_passing_bablok(result: PassingBablok, axes: Axes | None = None) -> Axes:
    """Draw the result of `passing_bablok`; the band lies between the lines with the least and the greatest slope."""
    axes = style.given_or_new(axes)
    levels = np.linspace(*style.square(axes, result.pairs), _GRID)
    edges = [
        result.intercept.high + result.slope.low * levels,
        result.intercept.low + result.slope.high * levels,
    ]
    band = np.stack([np.minimum(*edges), np.maximum(*edges)], axis=1)
    return _draw_line(axes, result, levels, band, "Passing-Bablok")


def draw_linearity(result: Linearity, axes: Axes | None = None) -> Axes:
    """Draw the running sums with the bounds that they leave in 5 % of straight lines."""
    axes = style.given_or_new(axes)
    order = np.arange(1, len(result.sums) + 1)
    axes.step(order, result.sums, where="mid", color=style.POINTS, linewidth=1.3)
    bound = _CRITICAL * math.sqrt(result.below + 1)
    for end, label in ((bound, "5 % bounds"), (-bound, None)):
        axes.axhline(end, color=style.LIMITS, linestyle="--", linewidth=1.2, label=label)
    title = f"Linearity: p = {style.number(result.p_value)}, {result.above} above and {result.below} below the line"
    return style.finish(axes, len(result.sums), across="Order along the line", up="Running sum of sides", title=title)


def _draw_line(axes: Axes, result: Deming | PassingBablok, levels: Floats, band: Floats, name: str) -> Axes:
    """Draw the samples, the line where there is one, and the band, shape (n, 2), where it is defined."""
    pairs = result.pairs
    style.dots(axes, pairs.first, pairs.second)
    if result.slope.defined:
        heights = result.intercept.value + result.slope.value * levels
        axes.plot(levels, heights, color=style.LINE, linewidth=1.4, label="line")
    if np.isfinite(band).all():
        look: dict[str, Any] = {"color": style.LIMITS, "alpha": style.BAND, "linewidth": 0}
        axes.fill_between(levels, band[:, 0], band[:, 1], label=f"{100 * result.confidence:g} % limits", **look)
    across, up = (style.with_unit(one, pairs.unit) for one in pairs.names)
    title = f"{name}\nslope {result.slope.text()}, intercept {result.intercept.text()}"
    return style.finish(axes, len(pairs), across=across, up=up, title=title, reason=result.reason)
