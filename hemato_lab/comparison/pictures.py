"""The plots of a comparison as PNG: the same bytes for the same comparison, whatever the user's settings are."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from hemato_lab.comparison.model import Comparison

_DPI: Final = 110
_SIZE: Final = (7.6, 5.6)


def difference_png(comparison: Comparison, image: int | None = None) -> bytes:
    """Return the map of an image in which the sides differ; default that with most places that do.

    Where no image is common to both sides, the picture says so.
    """

    def draw(axes: Axes) -> None:
        if comparison.cells.files:
            comparison.plot("difference", axes, image=image)
        else:
            _draw_nothing(axes, "no image in common")

    return _png(draw)


def names_png(comparison: Comparison) -> bytes:
    """Return the table of both sides' names."""
    return _png(lambda axes: comparison.plot("names", axes))


def radii_png(comparison: Comparison) -> bytes:
    """Return the differences of the radii of paired cells."""
    return _png(lambda axes: comparison.plot("radii", axes))


def _draw_nothing(axes: Axes, reason: str) -> None:
    from hemato_lab.agreement.plots import style

    style.finish(axes, 0, across="places", up="", title="Difference", reason=reason)


def _png(draw: Callable[[Any], object]) -> bytes:
    from matplotlib import style
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    with style.context(["default", {"font.family": "DejaVu Sans"}]):
        figure = Figure(figsize=_SIZE, layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()
