"""How densely cells lie where: a raster of cells per mm2 over one field.

This module loads numba; import it by its own name when a heat map is wanted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtr

from hemato_lab.errors import ConfigError
from hemato_lab.kernels.density import blur, deposit, kernel_density

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.smear import Scale

    _Columns = tuple[NDArray[np.float64], NDArray[np.float64]]
    _Method = Callable[[_Columns, tuple[int, int], float], NDArray[np.float64]]

BANDWIDTH_UM: Final = 15.0
"""Standard deviation of the Gaussian: two red cells, so that single cells melt into a density."""
CELLS_PER_BANDWIDTH: Final = 4
"""Raster cells in one standard deviation; at 4 the grid follows the exact density to about 1 % of its peak."""
_CLOUD_VARIANCE: Final = 1 / 6
"""Of sharing a point out linearly between raster cells, in cells squared."""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A raster over one field.

    Attributes
    ----------
    per_mm2 : ndarray of float64, shape (rows, columns)
        Density at the centre of each raster cell.
    step_px : float
        Side of a raster cell in pixels of the field; the first cell begins at the field's top-left corner, and the
        last ones may reach beyond its far borders.
    bandwidth_um : float
        Standard deviation of the Gaussian.
    """

    per_mm2: NDArray[np.float64]
    step_px: float
    bandwidth_um: float


def heat_map(
    detections: Detections,
    field_size: tuple[int, int],
    scale: Scale,
    *,
    bandwidth_um: float = BANDWIDTH_UM,
    method: str = "grid",
) -> HeatMap:
    """Compute the density of the cells of one field.

    Parameters
    ----------
    detections : Detections
        The cells to show, all of one field; nothing else than x and y is used.
    field_size : (width, height)
        In pixels.
    scale : Scale
        Pixel size.
    bandwidth_um : float
        Standard deviation of the Gaussian in micrometres.
    method : str
        One of `METHODS`: grid shares the points out on the raster and blurs it, fast for any number of cells; exact
        sums the Gaussian of every cell.

    Returns
    -------
    HeatMap
        Corrected at the borders: each value is divided by the share of its Gaussian that lies within the field, so an
        even film gives an even map (Diggle, Applied Statistics 1985;34:138).

    Raises
    ------
    ConfigError
        If the method is unknown or the bandwidth is not positive.
    """
    if method not in METHODS:
        raise ConfigError(f"unknown heat-map method {method!r}", hint="use one of " + ", ".join(METHODS))
    if not (math.isfinite(bandwidth_um) and bandwidth_um > 0):
        raise ConfigError(f"a bandwidth of {bandwidth_um} um is impossible", hint="a usual value is 15 um")
    step = bandwidth_um / CELLS_PER_BANDWIDTH / scale.um_per_px
    rows, columns = (max(1, math.ceil(side / step)) for side in (field_size[1], field_size[0]))
    # Pixel i is centred at i and covers i - 0.5 to i + 0.5; so do raster cells in their own unit.
    x, y = ((detections[axis] + 0.5) / step - 0.5 for axis in ("x", "y"))
    per_cell = METHODS[method]((x, y), (rows, columns), float(CELLS_PER_BANDWIDTH))
    within = np.outer(_share_within(rows, field_size[1] / step), _share_within(columns, field_size[0] / step))
    return HeatMap(per_cell / within / scale.area_mm2(step * step), step, bandwidth_um)


def _on_the_grid(points: _Columns, shape: tuple[int, int], bandwidth: float) -> NDArray[np.float64]:
    # One more raster cell on every side takes the shares of points near the border, which the blur brings back.
    shared = deposit(points[0] + 1, points[1] + 1, (shape[0] + 2, shape[1] + 2))
    return blur(shared, math.sqrt(bandwidth**2 - _CLOUD_VARIANCE), truncate=5.0)[1:-1, 1:-1]


def _exactly(points: _Columns, shape: tuple[int, int], bandwidth: float) -> NDArray[np.float64]:
    return kernel_density(points[0], points[1], shape, bandwidth)


METHODS: Final[Mapping[str, _Method]] = {"grid": _on_the_grid, "exact": _exactly}
"""By name: points in raster cells, shape and bandwidth in raster cells to points per raster cell."""


def _share_within(cells: int, length: float) -> NDArray[np.float64]:
    """Return, for the centre of each raster cell along one axis, the share of its Gaussian within the field."""
    centre = np.arange(cells) + 0.5
    share: NDArray[np.float64] = ndtr((length - centre) / CELLS_PER_BANDWIDTH) - ndtr(-centre / CELLS_PER_BANDWIDTH)
    return share
