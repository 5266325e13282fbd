"""Test against two examiners: one class of every film, with what counting explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hemato_lab.agreement.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hemato_lab.agreement.duplicate_reading import DuplicateReading


def draw(reading: DuplicateReading, number: int, axes: Axes | None = None) -> Axes:
    """Draw the difference of test and reference against the reference, with each film's limits of counting.

    Parameters
    ----------
    reading : DuplicateReading
    number : int
        Of the class.
    axes : matplotlib.axes.Axes, optional
        Where to draw; default new axes of pyplot.
    """
    axes = style.given_or_new(axes)
    across = reading.reference[:, number]
    apart = reading.test[:, number] - across
    low, high = (limits[:, number] for limits in reading.test_limits)
    within = reading.test_within[:, number]
    axes.vlines(across, low, high, color=style.CHANCE, alpha=0.35, linewidth=2, label="explained by counting", zorder=2)
    axes.axhline(0, color=style.EQUALITY, linestyle=":", linewidth=1.2, label="equality")
    readers = reading.readers_difference[:, number]
    axes.scatter(
        across, readers, s=14, color=style.EQUALITY, marker="x", linewidths=1, label="between the examiners", zorder=3
    )
    style.dots(axes, across[within], apart[within])
    style.triangles(axes, across[~within], apart[~within], "test beyond counting")
    found = reading.per_class()[number]
    name = style.plain(found.name)
    return style.finish(
        axes,
        len(reading),
        across=f"{name}, mean of both examiners (%)",
        up="difference (percentage points)",
        title=f"{name}: bias {found.bias.text()} points" if np.isfinite(found.bias.value) else name,
    )
