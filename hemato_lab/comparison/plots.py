"""Pictures of a comparison: where the sides differ, which names they confuse, how alike the radii are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.agreement.plots import style
from hemato_lab.comparison.cells import NOT_LISTED
from hemato_lab.comparison.document import name_pairs
from hemato_lab.errors import ConfigError
from hemato_lab.smear import Scale
from hemato_lab.vocabulary import RBC

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from hemato_lab.agreement.confusion import Confusion
    from hemato_lab.comparison.model import Comparison

COLOURS: Final = "PuOr"
"""Orange to purple, which every eye tells apart (Brewer, colorbrewer2.org): orange first only, purple second only."""
_MARKS: Final = {
    "first only": {"marker": "v", "color": "#B35806", "label": "in {first} only"},
    "second only": {"marker": "^", "color": "#542788", "label": "in {second} only"},
    "reclassified": {"marker": "s", "color": "#000000", "label": "called differently"},
}
_GRID_DIAMETER_PX: Final = 60.0
_LEAST_DIAMETER_PX: Final = 4.0
"""Of a red cell in which one could be seen; less is no diameter."""
_MOST_STEPS: Final = 1000
"""Of the raster along the longer side of an image; in a wider one each step and the Gaussian are wider."""
_CELLS_ACROSS: Final = 20
"""What an image is drawn as where its red cells are not known."""
_MOST_NAMES: Final = 12
_OTHERS: Final = "other names"
_LONGEST_LABEL: Final = 28


def draw_difference(comparison: Comparison, index: int | None = None, axes: Axes | None = None) -> Axes:
    """Draw where one side lists more than the other: density of first only minus second only, and each such place.

    Parameters
    ----------
    comparison : Comparison
    index : int, optional
        Of `CellComparison.files`; default the image with most places that differ.
    axes : matplotlib.axes.Axes, optional
        Where to draw; default new axes of pyplot.

    Raises
    ------
    ConfigError
        If there is no such image.
    """
    cells = comparison.cells
    chosen = comparison.most_differing if index is None else index
    if not 0 <= chosen < len(cells.files):
        problem = f"there is no image {chosen}" if cells.files else "there is no image in common to draw"
        raise ConfigError(problem, hint=f"{len(cells.files)} images are in both sides, counted from 0")
    axes = style.given_or_new(axes)
    width, height = _size(comparison, chosen)
    density, step = _density(comparison, chosen, (width, height))
    most = float(np.abs(density).max()) or 1.0
    extent = (-0.5, density.shape[1] * step - 0.5, density.shape[0] * step - 0.5, -0.5)
    shown = axes.imshow(-density, cmap=COLOURS, vmin=-most, vmax=most, extent=extent, interpolation="bilinear")
    _mark_places(axes, comparison, chosen)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
    _add_bar(axes, shown, comparison, known=_diameter_known(comparison, chosen))
    differing = int(np.count_nonzero((cells["file"] == chosen) & (cells["state"] != "matched")))
    style.finish(
        axes,
        differing,
        across="x (px), places that differ",
        up="y (px)",
        title=style.plain(cells.files[chosen] or f"image {chosen + 1}"),
        reason="" if differing else "no place differs",
    )
    return axes


def draw_names(comparison: Comparison, axes: Axes | None = None) -> Axes:
    """Draw the table of both sides' names; of many names the most frequent."""
    return _most_frequent(comparison).plot(axes)


def draw_radii(comparison: Comparison, axes: Axes | None = None) -> Axes:
    """Draw the differences of the radii of paired cells against their means, in red-cell radii."""
    return comparison.radii().plot(axes)


def _short(comparison: Comparison, side: int) -> str:
    label = comparison.labels[side]
    return style.plain(label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…")


def _places(comparison: Comparison, index: int, state: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    cells = comparison.cells
    rows = (cells["file"] == index) & (cells["state"] == state)
    side = "second" if state == "second only" else "first"
    return cells[f"{side}_x"][rows], cells[f"{side}_y"][rows]


def _density(comparison: Comparison, index: int, size: tuple[int, int]) -> tuple[NDArray[np.float64], float]:
    """Return first only minus second only per mm2 on a raster, and the side of a raster cell in pixels."""
    from hemato_lab.detections import Detections
    from hemato_lab.statistics.heatmap import BANDWIDTH_UM, CELLS_PER_BANDWIDTH, heat_map

    known = _diameter_known(comparison, index)
    diameter = comparison.cells.rbc_diameter_px[index] if known else max(size) / _CELLS_ACROSS
    # On a grid where a red cell always measures the same, because its diameter may be one that no analysis would take.
    zoom = _GRID_DIAMETER_PX / diameter
    scale = Scale.from_rbc_diameter_px(_GRID_DIAMETER_PX)
    width, height = (max(1, round(side * zoom)) for side in size)
    narrowest = max(width, height) * scale.um_per_px * CELLS_PER_BANDWIDTH / _MOST_STEPS
    bandwidth = max(BANDWIDTH_UM, narrowest)
    maps = []
    for state in ("first only", "second only"):
        x, y = ((axis + 0.5) * zoom - 0.5 for axis in _places(comparison, index, state))
        nothing: dict[str, Any] = {"field": np.zeros(len(x)), "radius": np.ones(len(x)), "score": np.ones(len(x))}
        cells = Detections({"x": x, "y": y, "name": np.full(len(x), RBC), **nothing})
        maps.append(heat_map(cells, (width, height), scale, bandwidth_um=bandwidth))
    return maps[0].per_mm2 - maps[1].per_mm2, maps[0].step_px / zoom


def _diameter_known(comparison: Comparison, index: int) -> bool:
    """Tell whether the size of a red cell is known in an image; without it there is no area and no density."""
    return comparison.cells.rbc_diameter_px[index] >= _LEAST_DIAMETER_PX


def _add_bar(axes: Axes, shown: AxesImage, comparison: Comparison, *, known: bool) -> None:
    bar = axes.figure.colorbar(shown, ax=axes, shrink=0.8)
    unit = "  per mm²  " if known else "  "
    bar.set_label(f"more in {_short(comparison, 0)}  ←{unit}→  more in {_short(comparison, 1)}", fontsize=8)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}" if known else "")


def _mark_places(axes: Axes, comparison: Comparison, index: int) -> None:
    first, second = (_short(comparison, side) for side in (0, 1))
    for state, mark in _MARKS.items():
        x, y = _places(comparison, index, state)
        if len(x):
            label = f"{mark['label'].format(first=first, second=second)}: {len(x)}"
            look: dict[str, Any] = {"marker": mark["marker"], "edgecolors": mark["color"], "linewidths": 1.4}
            axes.scatter(x, y, s=40, color="white", label=label, zorder=4, **look)


def _size(comparison: Comparison, index: int) -> tuple[int, int]:
    """Return the size of an image, that of the analysis where there is one, else what holds every place."""
    pair = comparison.pairing.pairs[index]
    for side, own in ((comparison.first, pair.first), (comparison.second, pair.second)):
        if side.analysis is not None:
            field = side.analysis.smear.fields[own]
            return field.width, field.height
    cells = comparison.cells
    rows = cells["file"] == index
    reach = []
    for axis in ("x", "y"):
        places = np.concatenate([cells[f"{side}_{axis}"][rows] for side in ("first", "second")])
        farthest = np.nanmax(places) if np.isfinite(places).any() else 0.0
        margin = cells.rbc_diameter_px[index] if _diameter_known(comparison, index) else 1.0
        reach.append(int(np.ceil(farthest + margin)))
    return max(1, reach[0]), max(1, reach[1])


def _most_frequent(comparison: Comparison) -> Confusion:
    """Return the table of names with the rarest put together, so that every name can be read."""
    from hemato_lab.agreement.confusion import confusion_of

    pairs = [pair for pair in name_pairs(comparison.cells) if NOT_LISTED not in pair[:2]]
    often: Counter[str] = Counter()
    for first, second, count in pairs:
        often.update({first: count})
        often.update({second: count})
    known = [name for name in comparison.cells.names() if name in often]
    kept = known
    if len(known) > _MOST_NAMES:
        frequent = set(sorted(known, key=lambda name: -often[name])[: _MOST_NAMES - 1])
        kept = [*(name for name in known if name in frequent), _OTHERS]
    home = {name: place for place, name in enumerate(kept)}
    counts = np.zeros((len(kept), len(kept)), dtype=np.int64)
    for first, second, count in pairs:
        counts[home.get(first, -1), home.get(second, -1)] += count
    return confusion_of(counts, kept, names=comparison.labels)
