"""Sensitivity and its kin with their limits, one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hemato_lab.agreement.accuracy import FIGURES
from hemato_lab.agreement.plots import style

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from hemato_lab.agreement.accuracy import Accuracy

_COLOURS = (style.POINTS, style.LIMITS, style.CHANCE, style.OUTSIDE)
_SHAPES = "os^D"


def draw(results: Mapping[str, Accuracy], axes: Axes | None = None) -> Axes:
    """Draw the figures of one or several comparisons with the truth.

    Parameters
    ----------
    results : mapping of str to Accuracy
        By label; an empty label is not shown.
    axes : matplotlib.axes.Axes, optional
        Where to draw; default new axes of pyplot.
    """
    axes = style.given_or_new(axes)
    step = 0.7 / max(len(results), 1)
    for place, (label, result) in enumerate(results.items()):
        shown: dict[str, Any] = {"color": _COLOURS[place % 4], "fmt": _SHAPES[place % 4], "capsize": 3}
        ups, across, ends = [], [], []
        for line, figure in enumerate(result.figures().values()):
            if figure.defined:
                ups.append(line + (place - (len(results) - 1) / 2) * step)
                across.append(100 * figure.value)
                ends.append((100 * (figure.value - figure.low), 100 * (figure.high - figure.value)))
        name = style.plain(", ".join(filter(None, (label, f"n = {len(result)}"))))
        if ups:
            axes.errorbar(across, ups, xerr=list(zip(*ends, strict=True)), label=name, **shown)
        _write(axes, result, (place - (len(results) - 1) / 2) * step)
    axes.set_yticks(range(len(FIGURES)), FIGURES)
    axes.set_ylim(len(FIGURES) - 0.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    confidence = next((result.confidence for result in results.values()), 0.95)
    style.finish(axes, sum(map(len, results.values())), across="", up="", title="Accuracy")
    axes.set_xlabel(f"per cent, with {100 * confidence:g} % limits")
    return axes


def _write(axes: Axes, result: Accuracy, shift: float) -> None:
    """Write every figure at the right edge, where no limits hide it."""
    for line, figure in enumerate(result.figures().values()):
        ends = (100 * end for end in (figure.value, figure.low, figure.high))
        text = "undefined" if not figure.defined else "{:.1f} ({:.1f} to {:.1f})".format(*ends)
        axes.annotate(text, (1.01, line + shift), xycoords=axes.get_yaxis_transform(), fontsize=7, va="center")
