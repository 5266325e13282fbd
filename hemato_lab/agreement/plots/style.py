"""What all figures share: colours that the colour-blind can tell apart, and what must stand on each."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hemato_lab.agreement.pairs import Floats, Pairs

# Okabe and Ito's colours (jfly.uni-koeln.de/color); shapes and dashes say the same as the colours.
POINTS: Final = "#0072B2"
OUTSIDE: Final = "#CC79A7"
LINE: Final = "#000000"
LIMITS: Final = "#D55E00"
CHANCE: Final = "#009E73"
EQUALITY: Final = "#666666"
BAND: Final = 0.15
"""Opacity of what lies between limits."""
_SIZE: Final = 22


def given_or_new(axes: Axes | None) -> Axes:
    """Return the axes to draw on: those that are given, else those of a new figure of pyplot, which notebooks show.

    Programs that draw many figures should give the axes of a `matplotlib.figure.Figure` of their own, because pyplot
    keeps its figures until they are closed.
    """
    if axes is not None:
        return axes
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(6.4, 4.8), layout="constrained")[1]


def dots(axes: Axes, across: Floats, up: Floats) -> None:
    """Draw samples."""
    axes.scatter(across, up, s=_SIZE, color=POINTS, alpha=0.75, linewidths=0, zorder=3)


def triangles(axes: Axes, across: Floats, up: Floats, label: str) -> None:
    """Draw samples that lie outside of something, and say how many; none, nothing."""
    if len(across):
        label = f"{label}: {len(across)}"
        axes.scatter(across, up, s=1.5 * _SIZE, color=OUTSIDE, marker="^", linewidths=0, zorder=4, label=label)


def plain(text: str) -> str:
    """Return text that is drawn as it stands; between two dollar signs matplotlib would expect a formula."""
    return text.replace("$", r"\$")


def with_unit(name: str, unit: str) -> str:
    """Return the label of an axis."""
    return plain(f"{name} ({unit})" if unit else name)


def number(value: float) -> str:
    """Return a figure with three digits for a label."""
    return (f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}").replace("-", "−")


def finish(axes: Axes, size: int, *, across: str, up: str, title: str, reason: str = "") -> Axes:
    """Label the axes and add the number of samples, what is undefined, the legend and the research-use notice."""
    axes.set_xlabel(f"{across}, n = {size}")
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    if reason:
        shown = textwrap.fill(plain(reason), 50)
        axes.text(0.5, 0.5, shown, transform=axes.transAxes, ha="center", va="center", color=LIMITS)
    # The legend stands above the axes, where it hides no sample, and the title above the legend.
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        look: dict[str, Any] = {"fontsize": 8, "frameon": False, "ncols": 2, "borderaxespad": 0.2}
        axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1), **look)
    axes.set_title(title, loc="left", fontsize=10, pad=8 + 14 * -(-len(handles) // 2))
    below: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "right", "va": "top"}
    axes.annotate(RESEARCH_USE_NOTICE, (1, 0), (0, -34), fontsize=6.5, color=EQUALITY, **below)
    return axes


def square(axes: Axes, pairs: Pairs) -> tuple[float, float]:
    """Give both axes the same range, a little wider than the values, draw the line of equality, return the range."""
    low = float(min(pairs.first.min(), pairs.second.min())) if len(pairs) else 0.0
    high = float(max(pairs.first.max(), pairs.second.max())) if len(pairs) else 1.0
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    ends = (low - margin, high + margin)
    axes.set(xlim=ends, ylim=ends)
    axes.set_aspect("equal", adjustable="box")
    axes.plot(ends, ends, color=EQUALITY, linestyle=":", linewidth=1.2, label="equality")
    return ends
