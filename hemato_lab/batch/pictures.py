"""Pictures of a batch as SVG: the same bytes for the same table, whenever they are drawn."""

from __future__ import annotations

import io
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from hemato_lab.analysis.tables import significant
from hemato_lab.batch.outliers import comparable
from hemato_lab.batch.summary import COUNT, HIGH, LOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from hemato_lab.agreement.differences import BlandAltman
    from hemato_lab.batch.summary import Summary

MOST_SINGLE: Final = 40
"""Up to so many smears are drawn one by one with their limits, more as a histogram."""
MOST_FINDINGS: Final = 20
_BLUE: Final = "#4477AA"
_RED: Final = "#AA3377"
_GREY: Final = "#888888"
_BEYOND: Final = 4.0
"""Quartile distances from the quartiles to which a histogram reaches; what lies beyond is counted in its last bars."""
_MOST_BARS: Final = 40
_STYLE: Final[dict[str, Any]] = {
    "svg.hashsalt": "hemato_lab",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
}
_SIZE: Final = (4.4, 2.8)
_LARGE: Final = (4.4, 3.6)


class Canvas:
    """One picture while it is drawn, in a style that no setting of the user's changes."""

    def __init__(self, size: tuple[float, float]) -> None:
        self._size = size
        self._style = ExitStack()

    def __enter__(self) -> Self:
        from matplotlib import style
        from matplotlib.figure import Figure

        self._style.enter_context(style.context(["default", _STYLE]))
        self._figure = Figure(figsize=self._size, layout="constrained")
        self.axes = self._figure.add_subplot()
        self.axes.spines[["top", "right"]].set_visible(False)
        return self

    def __exit__(self, *_: object) -> None:
        self._style.close()

    def rendered(self) -> bytes:
        """Return the picture; nothing in it tells when or by which library it was drawn."""
        stream = io.BytesIO()
        self._figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        return stream.getvalue()


def distribution(summary: Summary, key: str) -> bytes:
    """Return a picture of the values of one column over the smears.

    Parameters
    ----------
    summary : Summary
        The table.
    key : str
        A statistic, or ``um_per_px``; at least one smear has a value.
    """
    unit, rows = comparable(summary, key)
    values = np.array([summary.rows[row][key] for row in rows])
    with Canvas(_SIZE) as canvas:
        if len(values) <= MOST_SINGLE:
            _draw_single(canvas.axes, [summary.rows[row] for row in rows], key, values)
            canvas.axes.set_xlabel("smears, sorted by value")
            canvas.axes.set_ylabel(unit)
        else:
            _draw_histogram(canvas.axes, values)
            canvas.axes.set_xlabel(unit)
            canvas.axes.set_ylabel("smears")
        noun = "smear" if len(values) == 1 else "smears"
        title = f"{key}: {len(values)} {noun}, median {significant(float(np.median(values)))}"
        canvas.axes.set_title(title, fontsize=9, loc="left")
        return canvas.rendered()


def _draw_single(axes: Axes, rows: Sequence[Any], key: str, values: NDArray[np.float64]) -> None:
    order = np.argsort(values, kind="stable")
    places = np.arange(len(values))
    lows = np.array([_or_value(rows[index], key + LOW, key) for index in order])
    highs = np.array([_or_value(rows[index], key + HIGH, key) for index in order])
    axes.vlines(places, lows, highs, color=_BLUE, linewidth=1)
    axes.plot(places, values[order], "o", color=_BLUE, markersize=3)
    axes.axhline(float(np.median(values)), color=_RED, linewidth=1, linestyle="--")
    axes.set_xticks([])
    axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])  # a dot at zero is seen whole


def _or_value(row: Any, limit: str, key: str) -> float:
    stated = row.get(limit)
    return float(row[key] if stated is None else stated)


def _draw_histogram(axes: Axes, values: NDArray[np.float64]) -> None:
    from matplotlib.ticker import MaxNLocator

    first, third = np.quantile(values, (0.25, 0.75))
    reach = _BEYOND * (third - first)
    low, high = (first - reach, third + reach) if reach > 0 else (values.min(), values.max())
    shown = np.clip(values, low, high)
    bars = min(_MOST_BARS, len(np.histogram_bin_edges(shown, "auto")) - 1)
    axes.hist(shown, bins=max(bars, 1), color=_BLUE, edgecolor="white", linewidth=0.3)
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.axvline(float(np.median(values)), color=_RED, linewidth=1, linestyle="--")
    beyond = int(np.count_nonzero((values < low) | (values > high)))
    if beyond:
        furthest = f", up to {significant(float(values.max()))}" if values.max() > high else ""
        text = f"{beyond} beyond{furthest}"
        axes.text(0.98, 0.94, text, transform=axes.transAxes, ha="right", va="top", color=_GREY)


def seen_findings(summary: Summary) -> tuple[tuple[str, int, int], ...]:
    """Return (finding, smears with at least one such cell, smears in which it was looked for), the most frequent first.

    Findings that no smear has are left out.
    """
    seen = []
    for column in (column for column in summary.columns if column.startswith(COUNT)):
        counts = [count for count in summary.column(column) if count is not None]
        if any(counts):
            seen.append((column.removeprefix(COUNT), sum(count > 0 for count in counts), len(counts)))
    return tuple(sorted(seen, key=lambda one: (-one[1] / one[2], one[0])))


def findings(summary: Summary) -> bytes:
    """Return a picture of the share of smears with each finding; at least one was seen."""
    shown = seen_findings(summary)[:MOST_FINDINGS]
    with Canvas((6.4, 0.9 + 0.24 * max(len(shown), 2))) as canvas:
        axes, places = canvas.axes, np.arange(len(shown))
        bars = axes.barh(places, [100 * seen / assessed for _, seen, assessed in shown], color=_BLUE, height=0.7)
        axes.bar_label(bars, [f"{seen} of {assessed}" for _, seen, assessed in shown], padding=3)
        axes.set_yticks(places, [name for name, _, _ in shown])
        axes.set_ylim(max(len(shown), 2) - 0.5, -0.5)
        axes.set_xlim(0, 118)
        axes.set_xticks(range(0, 101, 20))
        axes.set_xlabel("% of the smears in which it was looked for")
        return canvas.rendered()


def differences(result: BlandAltman, key: str) -> bytes:
    """Return a picture of the differences of two readings of one estimate against their means."""
    with Canvas(_LARGE) as canvas:
        result.plot(canvas.axes)
        canvas.axes.set_title(key, loc="left", fontsize=9, pad=24)
        return canvas.rendered()
