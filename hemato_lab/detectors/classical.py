"""The classical detector: red cells, white cells and platelets without any model.

Parameters in the constructor, tile in the call. Works on the working grid, so that none of its numbers know the
magnification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.detections import OPERATING_SCORE, Detections
from hemato_lab.detectors.features import FEATURES, measured_columns
from hemato_lab.detectors.platelets import PlateletCandidates, find_platelets
from hemato_lab.detectors.white_cells import LEAST_NUCLEUS_AREA, WhiteCells, find_white_cells
from hemato_lab.imaging.red_cells import RedCellRegions, split_red_cells
from hemato_lab.imaging.working import RED_CELL_AREA, WorkingTile
from hemato_lab.kernels.components import ComponentTable, measure
from hemato_lab.kernels.suppression import keep_best
from hemato_lab.vocabulary import DETECTOR_CLASSES, PLATELET, RBC, WBC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.smear import Tile

LEAST_RED_CELL_AREA: Final = 0.3
"""Of a normal red cell's area; fragments below are not told from debris."""
LEAST_BORDER_AREA: Final = 0.25
"""The same for a cell that the field's border cuts."""
FULL_EVIDENCE: Final = 1.6
"""Evidence of a free, round red cell: score 1."""
LEAST_PROBABILITY: Final = 0.05
"""Platelet candidates below this probability are left out of the table altogether."""
SAME_PLACE, SAME_SIZE = 0.5, 1.2
"""In a platelet's radii: a red cell so near its centre and no larger is the platelet itself."""
PLATELET_HALO: Final = 3.4
"""Grid cells that a platelet's pale body reaches beyond its azure granules."""


class ClassicalDetector:
    """Find cells by optical density and shape.

    Parameters
    ----------
    calibration : FieldCalibration
        Of the field whose tiles will be given.
    """

    def __init__(self, calibration: FieldCalibration) -> None:
        self.calibration = calibration

    @property
    def operating_scores(self) -> Mapping[str, float]:
        """Score from which on a cell of each class is reported."""
        return dict.fromkeys(DETECTOR_CLASSES, OPERATING_SCORE)

    def __call__(self, tile: Tile) -> Detections:
        """Return the cells that the tile's core owns, in canonical order; empty when there are none, or no colour."""
        calibration = self.calibration
        if not (calibration.levels.has_cells and calibration.levels.has_colour):
            return Detections.empty(FEATURES)
        working = calibration.working(tile.pixels, tile.window)
        if working.window.area == 0:
            return Detections.empty(FEATURES)
        nuclear = calibration.levels.smooth_nuclear_density(working)
        white = find_white_cells(working, calibration.levels, nuclear)
        in_white = white.labels > 0
        platelets = find_platelets(working, calibration.levels, nuclear, in_white)
        red = split_red_cells(working, calibration.levels, in_white)
        small = self._platelets(platelets, working)
        red_cells = _without_large_platelets(self._red_cells(red, working), small)
        found = [red_cells, self._white_cells(white, working), small]
        table = Detections.concatenate(found).with_columns(field=np.full(sum(map(len, found)), tile.field, np.int32))
        return table.select(tile.core.owns_each(table["x"], table["y"])).sorted()

    def _red_cells(self, red: RedCellRegions, working: WorkingTile) -> Detections:
        table, columns = self._measured(red.labels, len(red), working)
        relative_area = table.area / RED_CELL_AREA
        large_enough = relative_area >= np.where(columns["on_border"] > 0, LEAST_BORDER_AREA, LEAST_RED_CELL_AREA)
        likeness = np.minimum(red.evidence / FULL_EVIDENCE, 1.0) * np.minimum(relative_area / 0.6, 1.0)
        return _named(RBC, 0.5 + 0.5 * likeness, columns, large_enough)

    def _white_cells(self, white: WhiteCells, working: WorkingTile) -> Detections:
        table, columns = self._measured(white.labels, len(white), working)
        columns["pallor_ratio"] = np.full(len(white), np.nan)
        size = white.nucleus_area / (1.5 * LEAST_NUCLEUS_AREA * RED_CELL_AREA)
        return _named(WBC, 0.5 + 0.5 * np.minimum(size, 1.0), columns, table.area > 0)

    def _platelets(self, candidates: PlateletCandidates, working: WorkingTile) -> Detections:
        _, columns = self._measured(candidates.labels, len(candidates), working)
        halo = PLATELET_HALO / self.calibration.grid.step
        right, bottom = self.calibration.grid.width - 0.5, self.calibration.grid.height - 0.5
        columns["x_min"] = np.maximum(columns["x_min"] - halo, -0.5)
        columns["y_min"] = np.maximum(columns["y_min"] - halo, -0.5)
        columns["x_max"] = np.minimum(columns["x_max"] + halo, right)
        columns["y_max"] = np.minimum(columns["y_max"] + halo, bottom)
        reaches_out = (columns["x_min"] < 0) | (columns["y_min"] < 0)
        reaches_out |= (columns["x_max"] >= right) | (columns["y_max"] >= bottom)
        columns["on_border"] = np.maximum(columns["on_border"], reaches_out)
        um = 2 * halo * self.calibration.scale.um_per_px
        columns["radius"] = columns["radius"] + halo
        for key in ("equivalent_diameter_um", "major_axis_um", "minor_axis_um"):
            columns[key] = columns[key] + um
        columns["perimeter_um"] = columns["perimeter_um"] + np.pi * um
        columns["area_um2"] = np.pi / 4 * columns["equivalent_diameter_um"] ** 2
        columns["pallor_ratio"] = np.full(len(candidates), np.nan)
        probability = candidates.probability
        likely = probability >= LEAST_PROBABILITY
        rows = np.flatnonzero(likely)
        # Granules of one platelet can stand apart: the likelier of two that lie within a radius stays.
        x, y, radius = columns["x"][rows], columns["y"][rows], columns["radius"][rows]
        likely[rows] = keep_best(x, y, radius, np.round(probability[rows], 4))
        return _named(PLATELET, probability, columns, likely)

    def _measured(
        self, labels: NDArray[np.int32], count: int, working: WorkingTile
    ) -> tuple[ComponentTable, dict[str, NDArray[np.float64]]]:
        origin = (working.window.x0, working.window.y0)
        table = measure(labels, count, working.density, origin)
        with np.errstate(invalid="ignore", divide="ignore"):
            return table, measured_columns(labels, table, working, self.calibration)


def _without_large_platelets(red: Detections, platelets: Detections) -> Detections:
    """Leave out the red cells that are a large platelet seen once more: no larger, and on the same place."""
    likely = platelets.select(platelets["score"] >= OPERATING_SCORE)
    apart = np.hypot(red["x"][:, None] - likely["x"], red["y"][:, None] - likely["y"])
    same = (apart < SAME_PLACE * likely["radius"]) & (red["radius"][:, None] < SAME_SIZE * likely["radius"])
    return red.select(~same.any(axis=1))


def _named(
    name: str, score: NDArray[np.float64], columns: dict[str, NDArray[np.float64]], kept: NDArray[np.bool_]
) -> Detections:
    """Make a table of one kind of cell from the rows that are kept."""
    rows: dict[str, NDArray[Any]] = {key: value[kept] for key, value in columns.items()}
    count = int(np.count_nonzero(kept))
    # Four decimals, so that the last bits of exp() on another processor do not show.
    rows["score"] = np.round(score[kept], 4)
    rows["name"] = np.full(count, name)
    rows["field"] = np.zeros(count, np.int32)
    return Detections(rows)
