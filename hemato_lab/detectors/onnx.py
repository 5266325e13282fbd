"""The network detector: red cells, white cells and platelets by a network that was trained on real smears.

The network draws a heat map of centres for each kind of cell and, at every place, the box of the cell around it
(Zhou et al., Objects as Points, arXiv:1904.07850). It sees optical densities on a grid where a red cell measures a
fixed number of grid cells, so neither magnification nor the colour of the light is its concern. What it needs to know
about the network it reads from the network's card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hemato_lab.detections import Detections
from hemato_lab.detectors.features import FEATURES
from hemato_lab.detectors.field_view import FIELD_OF_VIEW, FieldView
from hemato_lab.detectors.measuring import measured_in_boxes
from hemato_lab.errors import ConfigError
from hemato_lab.imaging.tiling import MARGIN_DIAMETERS
from hemato_lab.kernels.boxes import keep_best_boxes
from hemato_lab.kernels.peaks import find_peaks
from hemato_lab.networks.runtime import WINDOW_STEP
from hemato_lab.vocabulary import DETECTOR_CLASSES, PLATELET, RBC, WBC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.networks import Network, NetworkCard
    from hemato_lab.smear import Tile, Window

Floats = NDArray[np.float64]

LARGEST_CELL: Final = 4.5
"""Sides of a box in red-cell diameters, at most: 34 um."""
NEIGHBOURHOOD: Final = 96
"""Grid cells around a tile's core in which cells are found too, because they compete with those of the core: three
times the distance at which the largest boxes do."""
LEAST_SCORE: Final = 0.02
"""Candidates below are left out of the table altogether."""
_PEAK_RADIUS: Final = 1.0
_SAME_CELL: Final = {(RBC, RBC): 0.5, (WBC, WBC): 0.4, (PLATELET, PLATELET): 0.4, (RBC, WBC): 0.5, (WBC, PLATELET): 0.4}
"""Overlap of two boxes (intersection over union) from which on the less likely one is the same cell again."""
_OTHERS_OVERLAP: Final = 0.6


@dataclass(frozen=True)
class _Candidates:
    """Peaks of one heat map: boxes in grid cells from the first cell's outer corner, and calibrated scores."""

    boxes: Floats
    score: Floats


def check_network(card: NetworkCard) -> None:
    """Refuse a network that is no detector of the cells of `DETECTOR_CLASSES`.

    Raises
    ------
    ConfigError
        If it is for something else, or looks farther than tiles reach.
    """
    if card.task != "detect" or not set(DETECTOR_CLASSES) <= set(card.classes):
        problem = f"the network {card.name!r} is no detector of {', '.join(DETECTOR_CLASSES)}"
        raise ConfigError(problem, hint="choose another model")
    if (FIELD_OF_VIEW + NEIGHBOURHOOD + WINDOW_STEP) / card.rbc_diameter_px > MARGIN_DIAMETERS:
        problem = f"the network {card.name!r} sees too many red cells at a time: {card.rbc_diameter_px:g} pixels each"
        raise ConfigError(problem, hint="choose a model that sees red cells larger")


class NetworkDetector:
    """Find cells with a detection network.

    Parameters
    ----------
    calibration : FieldCalibration
        Of the field whose tiles will be given.
    network : Network
        A detector with the classes of `DETECTOR_CLASSES` at least.
    measured : bool
        Outline the cells and measure them; without, only what the boxes tell is in the table.

    Raises
    ------
    ConfigError
        If the network is no detector of these cells.
    """

    def __init__(self, calibration: FieldCalibration, network: Network, *, measured: bool = True) -> None:
        check_network(network.card)
        self.calibration = calibration
        self.network = network
        self.measured = measured
        self._view = FieldView(calibration, network)

    @property
    def operating_scores(self) -> Mapping[str, float]:
        """Score from which on a cell of each class is reported."""
        return {name: self.network.card.thresholds[name] for name in DETECTOR_CLASSES}

    def __call__(self, tile: Tile) -> Detections:
        """Return the cells that the tile's core owns, in canonical order; empty when there are none."""
        window = self._view.window(tile.core, NEIGHBOURHOOD)
        if window.area == 0:
            return Detections.empty(FEATURES)
        table = self._table(self._view.maps(tile, window), window, tile.field)
        if self.measured:
            table = measured_in_boxes(table, tile, self.calibration)
        return table.select(tile.core.owns_each(table["x"], table["y"])).sorted()

    def _table(self, output: NDArray[np.float32], window: Window, field: int) -> Detections:
        """Return every cell whose centre the network saw with all that surrounds it."""
        classes = self.network.card.classes
        sides = output[len(classes) :]
        found = {name: self._candidates(output[classes.index(name)], sides, name, window) for name in DETECTOR_CLASSES}
        boxes = np.concatenate([found[name].boxes for name in DETECTOR_CLASSES])
        score = np.concatenate([found[name].score for name in DETECTOR_CLASSES])
        kind = np.repeat(np.arange(len(DETECTOR_CLASSES)), [len(found[name].score) for name in DETECTOR_CLASSES])
        kept = keep_best_boxes(boxes, score, kind, _LIMITS)
        boxes, score, names = boxes[kept], score[kept], np.array(DETECTOR_CLASSES)[kind[kept]]
        return self._with_pixels(boxes, score, names, field)

    def _candidates(
        self, heat: NDArray[np.float32], sides: NDArray[np.float32], name: str, window: Window
    ) -> _Candidates:
        slope, intercept = self.network.card.calibration[name]
        least = (float(special.logit(LEAST_SCORE)) - intercept) / slope
        peaks = find_peaks(heat, _PEAK_RADIUS, least, "square")
        x = (peaks.x.astype(np.float64) + 0.5) * self._view.stride + window.x0
        y = (peaks.y.astype(np.float64) + 0.5) * self._view.stride + window.y0
        left, top, right, bottom = sides[:, peaks.y, peaks.x].astype(np.float64)
        boxes = np.stack([x - left, y - top, x + right, y + bottom], axis=1)
        # Four decimals, so that the last bits of exp() on another processor do not show.
        score = np.round(special.expit(slope * peaks.value.astype(np.float64) + intercept), 4)
        size = boxes[:, 2:] - boxes[:, :2]
        largest = LARGEST_CELL * self.network.card.rbc_diameter_px
        seen = self._view.seen(x, y, window) & (size > 0).all(axis=1) & (size <= largest).all(axis=1)
        return _Candidates(boxes[seen], score[seen])

    def _with_pixels(self, boxes: Floats, score: Floats, names: NDArray[np.str_], field: int) -> Detections:
        """Return the table in pixels of the field."""
        grid, um_per_px = self._view.grid, self.calibration.scale.um_per_px
        size = (boxes[:, 2:] - boxes[:, :2]) / grid.step
        first, last = np.array([-0.5, -0.5]), np.array([grid.width, grid.height]) - 0.5
        whole = boxes / grid.step - 0.5
        # A box that ends within a grid cell of the border is cut by it: the network draws no finer.
        slack = max(1.0, 1.0 / grid.step)
        low, high = whole[:, :2] <= first + slack, whole[:, 2:] >= last - slack
        box = np.concatenate([np.where(low, first, whole[:, :2]), np.where(high, last, whole[:, 2:])], axis=1)
        cut_off = low | high
        centre = (box[:, :2] + box[:, 2:]) / 2
        diameter: Floats = np.sqrt(size[:, 0] * size[:, 1])
        columns: dict[str, NDArray[Any]] = {name: np.full(len(names), np.nan) for name in FEATURES}
        columns |= {
            "area_um2": np.pi / 4 * (diameter * um_per_px) ** 2,
            "equivalent_diameter_um": diameter * um_per_px,
            "x_min": box[:, 0],
            "y_min": box[:, 1],
            "x_max": box[:, 2],
            "y_max": box[:, 3],
            "on_border": np.max(cut_off, axis=1, initial=False).astype(np.float64),
        }
        base: dict[str, NDArray[Any]] = {
            "field": np.full(len(names), field, np.int32),
            "x": centre[:, 0],
            "y": centre[:, 1],
            "radius": diameter / 2,
        }
        return Detections({**base, "name": names, "score": score, **columns})


def _limits() -> Floats:
    limits = np.full((len(DETECTOR_CLASSES), len(DETECTOR_CLASSES)), _OTHERS_OVERLAP)
    for (one, other), limit in _SAME_CELL.items():
        row, column = DETECTOR_CLASSES.index(one), DETECTOR_CLASSES.index(other)
        limits[row, column] = limits[column, row] = limit
    return limits


_LIMITS: Final = _limits()
