"""Differences against means, with bias, limits of agreement, and what counting explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hemato_lab.agreement.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hemato_lab.agreement.counting import Counting, Envelope
    from hemato_lab.agreement.differences import BlandAltman
    from hemato_lab.agreement.pairs import Floats

_GRID = 400
_ROUNDS = 20
_SAYS = {"plain": "{1} − {0}", "percent": "({1} − {0}) / mean", "log": "{1} / {0}"}


def draw(result: BlandAltman, axes: Axes | None = None) -> Axes:
    """Draw the result of `bland_altman`; ratios on a logarithmic axis."""
    axes = style.given_or_new(axes)
    ratio = result.scale == "log"
    heights = np.exp(result.differences) if ratio else result.differences
    outside = np.zeros(len(heights), dtype=bool)
    if result.envelope is not None and len(heights):
        outside = result.envelope.outside
    style.dots(axes, result.levels[~outside], heights[~outside])
    style.triangles(axes, result.levels[outside], heights[outside], "beyond counting")
    if ratio:
        _draw_as_ratios(axes)
    axes.axhline(1.0 if ratio else 0.0, color=style.EQUALITY, linestyle=":", linewidth=1)
    _draw_lines(axes, result)
    if result.envelope is not None and len(heights):
        _draw_envelope(axes, result, result.envelope)
    first, second = result.pairs.names
    unit = "" if ratio else result.unit
    mean = "Geometric mean" if ratio else "Mean"
    return style.finish(
        axes,
        len(result.pairs),
        across=style.with_unit(f"{mean} of {first} and {second}", result.pairs.unit),
        up=style.with_unit(_SAYS[result.scale].format(first, second), unit),
        title="Bland-Altman",
        reason=result.reason,
    )


def _draw_as_ratios(axes: Axes) -> None:
    """Make the axis logarithmic, with round ratios on it instead of powers of ten."""
    from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(MaxNLocator(7))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _draw_lines(axes: Axes, result: BlandAltman) -> None:
    """Draw bias and limits of agreement as far as they are defined, with their own limits as bands."""
    multiple = f"{result.multiplier:g} SD"
    lines = (
        (result.bias, style.LINE, "-", "bias"),
        (result.lower, style.LIMITS, "--", f"limits of agreement, {multiple}"),
        (result.upper, style.LIMITS, "--", ""),
    )
    for estimate, colour, dashes, label in lines:
        if not np.isfinite(estimate.value):
            continue
        axes.axhline(estimate.value, color=colour, linestyle=dashes, linewidth=1.3, label=label or None)
        if np.isfinite(estimate.low) and np.isfinite(estimate.high):
            axes.axhspan(estimate.low, estimate.high, color=colour, alpha=style.BAND, linewidth=0)
        beside: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "fontsize": 8}
        axes.annotate(style.number(estimate.value), (1, estimate.value), (3, 0), va="center", color=colour, **beside)


def _draw_envelope(axes: Axes, result: BlandAltman, envelope: Envelope) -> None:
    """Draw how far counting alone takes the differences: a curve where all samples were counted alike, else bars."""
    label = f"counting alone, {100 * result.confidence:g} %"
    bottom, top = axes.get_ylim()
    look: dict[str, Any] = {"color": style.CHANCE, "linestyle": "-.", "linewidth": 1.2}
    counting = envelope.counting.uniform
    if counting is None:
        low, high = _ends(result, result.levels, envelope.half_width)
        axes.vlines(result.levels, low, high, alpha=0.6, label=label, **{**look, "linestyle": "-"})
    else:
        levels = np.linspace(float(result.levels.min()), float(result.levels.max()), _GRID)
        low, high = _ends(result, levels, _half_widths(result, counting, levels))
        axes.plot(levels, low, label=label, **look)
        axes.plot(levels, high, **look)
    # Of tiny counts anything may come; the figure is about the samples.
    axes.set_ylim(bottom, top)


def _half_widths(result: BlandAltman, counting: Counting, levels: Floats) -> Floats:
    """Return how far values with these means may differ by chance; geometric means on the scale of ratios."""
    half = counting.half_width(levels, result.confidence)
    for _ in range(_ROUNDS if result.scale == "log" else 0):
        half = counting.half_width(np.sqrt(levels**2 + half**2 / 4), result.confidence)
    return half


def _ends(result: BlandAltman, levels: Floats, half: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the envelope on the scale of the figure.

    Two values with the geometric mean g that differ by d have the ratio ``exp(2 asinh(d / 2g))``.
    """
    if result.scale == "plain":
        return -half, half
    if result.scale == "percent":
        return -100 * half / levels, 100 * half / levels
    ratio = np.exp(2 * np.arcsinh(half / (2 * levels)))
    return 1 / ratio, ratio
