"""Does a field show a blood film of single cells? By what of its stained area the cells that were found account for.

In a thin film nearly everything that is stained is a cell. In a thick film (lysed cells on a stained ground), in tissue
and in pictures of anything else most of what stands out from the background is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.imaging.sampling import sample_windows
from hemato_lab.vocabulary import PLATELET, RBC, WBC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.imaging.working import WorkingGrid, WorkingTile


LEAST_EXPLAINED_SHARE: Final = 0.3
"""Our own limit: on the validation fields of our public sets the share is .34 or more, .95 in the middle; pictures of
other things stay below .27 even when a scale is forced on them."""
MOST_WHITE_CELLS: Final = 0.5
"""White cells for each red cell: a thin film has fewer even in leukaemia (.35 at most on our public sets)."""
MOST_PLATELETS: Final = 1.0
"""Platelets for each red cell."""
FEWEST_TO_JUDGE: Final = 5
NO_FILM: Final = "no blood film, as it seems"


@dataclass(frozen=True, slots=True)
class FieldContent:
    """What was found in a field.

    Attributes
    ----------
    explained_share : float or None
        See `explained_share`.
    red_cells, white_cells, platelets : int
        Numbers found.
    """

    explained_share: float | None
    red_cells: int
    white_cells: int
    platelets: int

    @property
    def is_film(self) -> bool:
        """Whether what is stained may be blood cells at all."""
        return self.explained_share is None or self.explained_share >= LEAST_EXPLAINED_SHARE

    @property
    def verdict(self) -> str:
        """``"ok"`` or what is wrong."""
        if self.explained_share is None:
            return "not assessed: nothing is stained"
        if not self.is_film:
            return f"{NO_FILM}: cells account for {100 * self.explained_share:.0f} % of what is stained"
        for found, most, name in (
            (self.white_cells, MOST_WHITE_CELLS, "white cells"),
            (self.platelets, MOST_PLATELETS, "platelets"),
        ):
            if found >= FEWEST_TO_JUDGE and found > most * self.red_cells:
                return f"a thick film, as it seems: {found} {name} to {self.red_cells} red cells"
        return "ok"


def explained_share(calibration: FieldCalibration, boxes: NDArray[np.float64]) -> float | None:
    """Return the share of the stained area that lies in the boxes of the cells that were found.

    Parameters
    ----------
    calibration : FieldCalibration
        Of the field.
    boxes : array of shape (n, 4)
        x_min, y_min, x_max, y_max of the cells in pixels of the field.

    Returns
    -------
    float or None
        In [0, 1]; None where nothing is stained.
    """
    if not calibration.levels.has_cells:
        return None
    stained = explained = 0
    for window in sample_windows(calibration.field):
        pixels = calibration.field.read(window)
        tile = calibration.working(pixels, window)
        mask = calibration.levels.foreground(tile)
        stained += int(np.count_nonzero(mask))
        explained += int(np.count_nonzero(mask & _in_boxes(boxes, tile, calibration.grid)))
    return explained / stained if stained else None


def content_of(calibration: FieldCalibration, cells: Detections) -> FieldContent:
    """Return what was found in a field.

    Parameters
    ----------
    calibration : FieldCalibration
        Of the field.
    cells : Detections
        Of this field.
    """
    counts = (int(np.count_nonzero(cells.of_kind(name))) for name in (RBC, WBC, PLATELET))
    return FieldContent(explained_share(calibration, cells.boxes), *counts)


def _in_boxes(boxes: NDArray[np.float64], tile: WorkingTile, grid: WorkingGrid) -> NDArray[np.bool_]:
    """Paint the boxes; shape of the tile."""
    height, width = tile.lit.shape
    painted = np.zeros((height, width), np.bool_)
    edges = grid.to_grid(boxes) - np.array([tile.window.x0, tile.window.y0] * 2)
    first = np.clip(np.floor(edges[:, :2] + 0.5), 0, [width, height]).astype(np.intp)
    last = np.clip(np.ceil(edges[:, 2:] + 0.5), 0, [width, height]).astype(np.intp)
    for (x0, y0), (x1, y1) in zip(first, last, strict=True):
        painted[y0:y1, x0:x1] = True
    return painted
