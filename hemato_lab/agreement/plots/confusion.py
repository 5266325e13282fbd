"""The table of two readers' names, shaded by the share of the first reader's cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.agreement.plots import style
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hemato_lab.agreement.confusion import Confusion

_SHADES: Final = "Blues"
_DARK: Final = 0.55
"""Share from which on white letters are easier to read."""
_MOST_NUMBERS: Final = 25
"""Classes; in a larger table the numbers would not be readable."""


def draw(table: Confusion, axes: Axes | None = None) -> Axes:
    """Draw the table; every row's shades say where the first reader's cells of one name go."""
    size = len(table.classes)
    axes = _new(size) if axes is None else axes
    rows = table.counts.sum(axis=1, keepdims=True)
    shares = table.counts / np.maximum(rows, 1)
    axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1)
    names = [style.plain(name) for name in table.classes]
    axes.set_xticks(range(size), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), names)
    axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0, labelsize=8)
    if size <= _MOST_NUMBERS:
        _write_counts(axes, table, shares)
    agreement = table.agreement
    axes.set_title(f"Same name: {agreement.text()}" if len(table) else "", loc="left", fontsize=10)
    axes.set_xlabel(f"{style.plain(table.names[1])}, n = {len(table)}")
    axes.set_ylabel(style.plain(table.names[0]))
    axes.spines[:].set_visible(False)
    # Names of the classes take more or less room below the axes: the notice stands below the label below them.
    below: dict[str, Any] = {"xycoords": axes.xaxis.label, "textcoords": "offset points", "ha": "center", "va": "top"}
    axes.annotate(RESEARCH_USE_NOTICE, (0.5, 0), (0, -3), fontsize=6.5, color=style.EQUALITY, **below)
    return axes


def _new(size: int) -> Axes:
    from matplotlib import pyplot as plt

    side = 3.4 + 0.42 * min(size, _MOST_NUMBERS)
    return plt.subplots(figsize=(side + 0.4, side), layout="constrained")[1]


def _write_counts(axes: Axes, table: Confusion, shares: Any) -> None:
    for (up, across), count in np.ndenumerate(table.counts):
        if count:
            colour = "white" if shares[up, across] > _DARK else "black"
            weight = "bold" if up == across else "normal"
            axes.text(across, up, f"{count}", ha="center", va="center", fontsize=8, color=colour, fontweight=weight)
