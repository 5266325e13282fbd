"""Samples of two methods with what their correlation and concordance say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hemato_lab.agreement.correlation import ranks
from hemato_lab.agreement.pairs import Pairs
from hemato_lab.agreement.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hemato_lab.agreement.correlation import Concordance, Correlation


def draw_concordance(result: Concordance, axes: Axes | None = None) -> Axes:
    """Draw the result of `lin_concordance` with the reduced major axis, along which the samples scatter."""
    axes = style.given_or_new(axes)
    pairs = result.pairs
    ends = np.array(style.square(axes, pairs))
    style.dots(axes, pairs.first, pairs.second)
    if math.isfinite(result.scale_shift) and result.precision:
        slope = math.copysign(result.scale_shift, result.precision)
        heights = pairs.second.mean() + slope * (ends - pairs.first.mean())
        axes.plot(ends, heights, color=style.LINE, linewidth=1.4, label="reduced major axis")
    across, up = (style.with_unit(name, pairs.unit) for name in pairs.names)
    title = f"Lin's concordance {result.concordance.text()}"
    return style.finish(axes, len(pairs), across=across, up=up, title=title, reason=result.reason)


def draw_correlation(result: Correlation, axes: Axes | None = None) -> Axes:
    """Draw the result of `pearson`, or the ranks that `spearman` compares."""
    axes = style.given_or_new(axes)
    pairs = result.pairs
    across, up = (style.with_unit(name, pairs.unit) for name in pairs.names)
    if result.kind == "Spearman":
        across, up = (style.plain(f"Rank of {name}") for name in pairs.names)
        pairs = Pairs(ranks(pairs.first), ranks(pairs.second))
    style.square(axes, pairs)
    style.dots(axes, pairs.first, pairs.second)
    title = f"{result.kind}'s correlation {result.coefficient.text()}"
    return style.finish(axes, len(pairs), across=across, up=up, title=title, reason=result.reason)
