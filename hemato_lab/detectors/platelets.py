"""Platelets: small, round, azure bodies, on the working grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from hemato_lab.imaging.working import RED_CELL_AREA, RED_CELL_DIAMETER, WorkingTile
from hemato_lab.kernels.components import Components, ComponentTable, label_and_measure
from hemato_lab.kernels.surroundings import Surroundings, measure_surroundings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.imaging.levels import Levels

LEAST_DENSITY: Final = 0.4
"""Nuclear density from which a pixel may belong to a platelet."""
BODY_SHARE, BODY_WINDOW = 0.45, 0.5
"""A body's pixels reach this share of the densest point in a window of this many diameters around them."""
LEAST_AREA, LARGEST_AREA = 0.01, 0.6
"""Of a red cell's area."""
FRAME: Final = (2, 5)
"""A body's surroundings, in grid cells outside of its bounding box."""
CALMEST: Final = 0.05
"""Deviation of nuclear density in calm surroundings of real fields; images without grain say no more."""
INSIDE, APART = 0.3, 0.5
"""A body with this share in a white cell's outline belongs to it, unless this share of its surroundings is free."""


@dataclass(frozen=True)
class PlateletCandidates:
    """Small azure bodies of a tile.

    Attributes
    ----------
    labels : NDArray, shape (height, width), int32
        1 to n.
    table : ComponentTable
        Their measurements.
    evidence : NDArray, shape (n, 8), float64
        `EVIDENCE` in its order.
    possible : NDArray, shape (n,), bool
        Whether size and place allow a platelet.
    """

    labels: NDArray[np.int32]
    table: ComponentTable
    evidence: NDArray[np.float64]
    possible: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.possible)

    @property
    def probability(self) -> NDArray[np.float64]:
        """That the body is a platelet, shape (n,), float64."""
        return np.where(self.possible, platelet_probability(self.evidence), 0.0)


def find_platelets(
    tile: WorkingTile, levels: Levels, nuclear: NDArray[np.float32], white: NDArray[np.bool_]
) -> PlateletCandidates:
    """Find small azure bodies and tell how likely each is a platelet.

    Parameters
    ----------
    tile : WorkingTile
        Densities.
    levels : Levels
        Of the field.
    nuclear : NDArray, shape (height, width), float32
        `Levels.smooth_nuclear_density`.
    white : NDArray, shape (height, width), bool
        What lies in the outlines of white cells.
    """
    bodies = label_and_measure(_azure_bodies(nuclear) & tile.lit, tile.density)
    labels, table = bodies
    evidence = _evidence(bodies, tile, levels, nuclear)
    free = evidence[:, _FREE]
    inside_white = np.bincount(labels[white], minlength=len(table) + 1)[1:] / np.maximum(table.area, 1)
    area = table.area / RED_CELL_AREA
    possible = (area >= LEAST_AREA) & (area <= LARGEST_AREA) & ((inside_white < INSIDE) | (free >= APART))
    return PlateletCandidates(labels, table, evidence, possible)


def _azure_bodies(nuclear: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark azure bodies down to a share of their own densest point, to keep halos out."""
    densest = ndimage.maximum_filter(nuclear, size=int(BODY_WINDOW * RED_CELL_DIAMETER) | 1, mode="nearest")
    bodies: NDArray[np.bool_] = nuclear > np.maximum(np.float32(LEAST_DENSITY), np.float32(BODY_SHARE) * densest)
    return bodies


EVIDENCE: Final = (
    "size: logarithm of the area over a tenth of a red cell's",
    "square of the size",
    "logarithm of the nuclear density at the densest point",
    "share of the surroundings that is free of cells",
    "axis ratio, at most 4",
    "share of the ellipse of the same axes that the body fills",
    "logarithm of the standard deviation of nuclear density in the surroundings",
    "blue over green contrast to the surroundings, in [-1, 3]",
)
"""What tells platelets from the coloured rims and grains that look alike; columns of `PlateletCandidates.evidence`."""


_FREE: Final = 3


def _evidence(
    bodies: Components, tile: WorkingTile, levels: Levels, nuclear: NDArray[np.float32]
) -> NDArray[np.float64]:
    labels, table = bodies
    if not len(table):
        return np.empty((0, len(EVIDENCE)))

    def around(plane: NDArray[np.float32]) -> Surroundings:
        return measure_surroundings(plane, labels, table, *FRAME)

    size = np.log(np.maximum(table.area, 1) / (0.1 * RED_CELL_AREA))
    densest = np.asarray(ndimage.maximum(nuclear, labels, np.arange(1, len(table) + 1)), np.float64)
    major, minor, _ = table.axes
    green, blue = (table.colour_mean[:, channel] - around(tile.density[..., channel]).mean for channel in (1, 2))
    return np.stack(
        [
            size,
            size**2,
            np.log(np.maximum(densest, LEAST_DENSITY)),
            1 - around(levels.foreground(tile).astype(np.float32)).mean,
            np.minimum(major / minor, 4.0),
            table.area / (np.pi / 4 * major * minor),
            np.log(np.maximum(around(nuclear).deviation, CALMEST)),
            np.clip(blue / np.maximum(green, 0.05 * levels.red_cell), -1.0, 3.0),
        ],
        axis=1,
    )


_INTERCEPT: Final = -10.804
_WEIGHTS: Final = (-0.541, -1.133, 3.048, 5.313, -2.001, 5.982, -1.989, 1.252)


def platelet_probability(evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of a platelet from `EVIDENCE`, shape (n,).

    A logistic function fitted on the training and validation splits of three public sets (bccd, deepbionet,
    txl_pbc_cells; each set with equal weight) against their platelet boxes, and, with a fifth of such a weight, on
    phantoms with malaria parasites, which are none. `models/training/fit_platelets.py` repeats the fit.
    """
    total = _INTERCEPT + evidence @ np.array(_WEIGHTS)
    probability: NDArray[np.float64] = 1 / (1 + np.exp(-total))
    return probability
