"""Connected components and everything that is counted over their pixels, in one go.

Components are joined run by run with a union-find forest (two-scan labelling: Wu, Otoo & Suzuki, Pattern Anal. Applic.
12 (2009) 117) and measured in closed form over their runs. Every count is an exact integer relative to the component's
own bounding box, so that a component measures the same wherever it lies and whatever tile it was read with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable
from hemato_lab.kernels.runs import join_runs, runs_of_labels, runs_of_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AREA, _SUM_X, _SUM_Y, _SUM_XX, _SUM_XY, _SUM_YY, _X_MIN, _Y_MIN, _X_MAX, _Y_MAX = range(10)
_PAIRS, _PAIRS_UPRIGHT, _PAIRS_RISING, _PAIRS_FALLING = range(10, 14)
_COLUMNS = 14

_INDICES = readonly(types.int32, 1)
_LABELS = writable(types.int32, 2)
_TABLE = writable(types.int64, 2)
_SUMS = writable(types.float64, 2)


@dataclass(frozen=True, slots=True)
class ComponentTable:
    """Measurements of n components, one row a component; row i belongs to label i + 1.

    Attributes
    ----------
    area : (n,) int64
        Number of pixels; 0 for a label that has none, whose other columns are 0 or NaN.
    x_min, y_min, x_max, y_max : (n,) int64
        Bounding box in whole pixels, half open: pixel columns x_min <= x < x_max.
    sum_x, sum_y, sum_xx, sum_xy, sum_yy : (n,) int64
        Exact sums over the pixels of x, y, x*x, x*y, y*y, with x and y counted from (x_min, y_min).
    crossings : (n, 4) int64
        How often lines along 0, 90, 45 and 135 degrees enter the component.
    colour_sum : (n, channels) float64
        Sum of the image over the pixels; exact for uint8. No channels when no image was given.
    """

    area: NDArray[np.int64]
    x_min: NDArray[np.int64]
    y_min: NDArray[np.int64]
    x_max: NDArray[np.int64]
    y_max: NDArray[np.int64]
    sum_x: NDArray[np.int64]
    sum_y: NDArray[np.int64]
    sum_xx: NDArray[np.int64]
    sum_xy: NDArray[np.int64]
    sum_yy: NDArray[np.int64]
    crossings: NDArray[np.int64]
    colour_sum: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.area)

    @property
    def _pixels(self) -> NDArray[np.float64]:
        return np.where(self.area > 0, self.area, np.nan)

    @property
    def x(self) -> NDArray[np.float64]:
        """Centroid column, pixel centres at whole numbers, shape (n,)."""
        return self.x_min + self.sum_x / self._pixels

    @property
    def y(self) -> NDArray[np.float64]:
        """Centroid row, shape (n,)."""
        return self.y_min + self.sum_y / self._pixels

    @property
    def colour_mean(self) -> NDArray[np.float64]:
        """Mean of the image over the pixels, shape (n, channels)."""
        mean: NDArray[np.float64] = self.colour_sum / self._pixels[:, None]
        return mean

    @property
    def central_moments(self) -> NDArray[np.float64]:
        """Second central moments over the area: variance of x, of y, and covariance, shape (n, 3)."""
        pixels = self._pixels
        x, y = self.sum_x / pixels, self.sum_y / pixels
        return np.stack(
            [
                (self.sum_xx - x * self.sum_x) / pixels,
                (self.sum_yy - y * self.sum_y) / pixels,
                (self.sum_xy - x * self.sum_y) / pixels,
            ],
            axis=1,
        )

    @property
    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Major and minor axis and orientation of the ellipse with the same second moments, each of shape (n,).

        Full lengths in pixels. A pixel counts as a unit square (1/12 is added to both variances), so that one pixel has
        axes 1.15 and not 0. The orientation is the angle of the major axis in radians from +x towards +y (downwards in
        the image), in (-pi/2, pi/2].
        """
        xx, yy, xy = self.central_moments.T
        middle, half = (xx + yy) / 2 + 1 / 12, np.hypot((xx - yy) / 2, xy)
        major, minor = 4 * np.sqrt(middle + half), 4 * np.sqrt(np.maximum(middle - half, 1 / 12))
        return major, minor, 0.5 * np.arctan2(2 * xy + 0.0, xx - yy)

    @property
    def perimeter(self) -> NDArray[np.float64]:
        """Crofton perimeter from four directions in pixels, holes included, shape (n,).

        The integral of crossings over directions (Legland, Kieu & Devaux, Image Anal. Stereol. 26 (2007) 83), as
        ``skimage.measure.perimeter_crofton``.
        """
        straight = self.crossings[:, 0] + self.crossings[:, 1]
        diagonal = self.crossings[:, 2] + self.crossings[:, 3]
        length: NDArray[np.float64] = np.pi / 4 * (straight + diagonal / np.sqrt(2.0))
        return length


class Components(NamedTuple):
    """A label image, shape (height, width) int32 with 0 for background, and the table of its components."""

    labels: NDArray[np.int32]
    table: ComponentTable


def label(mask: NDArray[Any]) -> tuple[NDArray[np.int32], int]:
    """Label the 8-connected components of a mask.

    Parameters
    ----------
    mask : (height, width) bool or any integer
        Everything that is not zero is foreground.

    Returns
    -------
    labels : (height, width) int32
        0 for background; components are numbered from 1 in raster order of their first pixel.
    count : int
        Number of components.
    """
    edges, first = runs_of_mask(_binary(mask))
    names, count = join_runs(edges, first)
    labels = np.empty(mask.shape, np.int32)
    _paint(edges, first, names, labels)
    return labels, int(count)


def label_and_measure(
    mask: NDArray[Any], image: NDArray[Any] | None = None, origin: tuple[int, int] = (0, 0)
) -> Components:
    """Label the 8-connected components of a mask and measure them.

    Parameters
    ----------
    mask : (height, width) bool or any integer
        Everything that is not zero is foreground.
    image : (height, width, channels) uint8 or float32, optional
        What to sum over each component.
    origin : (int, int)
        Column and row of the mask's first pixel; bounding boxes and centroids count from there.

    Returns
    -------
    Components
        The labels, as `label` numbers them, and the table.
    """
    edges, first = runs_of_mask(_binary(mask))
    names, count = join_runs(edges, first)
    labels = np.empty(mask.shape, np.int32)
    _paint(edges, first, names, labels)
    return Components(labels, _tabulate((edges, first, names), int(count), mask.shape, image, origin))


def measure(
    labels: NDArray[np.int32], count: int, image: NDArray[Any] | None = None, origin: tuple[int, int] = (0, 0)
) -> ComponentTable:
    """Measure the regions of a label image that comes from elsewhere, a watershed for example.

    Parameters
    ----------
    labels : (height, width) int32
        Regions 1 to `count`; they may touch and need not be connected. Labels outside of that range are background.
    count : int
        Number of regions, the rows of the table.
    image, origin
        As for `label_and_measure`.
    """
    runs = runs_of_labels(np.ascontiguousarray(labels, np.int32), count)
    return _tabulate(runs, count, labels.shape, image, origin)


def _binary(mask: NDArray[Any]) -> NDArray[np.uint8]:
    flags = mask if mask.dtype == np.bool_ else mask != 0
    return np.ascontiguousarray(flags).view(np.uint8)


def _tabulate(
    runs: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]],
    count: int,
    shape: tuple[int, ...],
    image: NDArray[Any] | None,
    origin: tuple[int, int],
) -> ComponentTable:
    table = np.zeros((count, _COLUMNS), np.int64)
    _measure_runs(*runs, table)
    pixels = np.empty((*shape, 0), np.uint8) if image is None else image
    if pixels.shape[:2] != shape or pixels.ndim != 3 or pixels.dtype not in (np.uint8, np.float32):
        raise ValueError(f"an image for a mask of shape {shape} is uint8 or float32 of shape {(*shape, 'channels')}")
    sums = np.zeros((count, pixels.shape[2]))
    _sum_colours(*runs, np.ascontiguousarray(pixels), sums)
    columns = np.ascontiguousarray(table.T)
    crossings = columns[_AREA] - columns[_PAIRS:]
    x0, y0 = origin
    return ComponentTable(
        area=columns[_AREA],
        x_min=columns[_X_MIN] + x0,
        y_min=columns[_Y_MIN] + y0,
        x_max=columns[_X_MAX] + x0,
        y_max=columns[_Y_MAX] + y0,
        sum_x=columns[_SUM_X],
        sum_y=columns[_SUM_Y],
        sum_xx=columns[_SUM_XX],
        sum_xy=columns[_SUM_XY],
        sum_yy=columns[_SUM_YY],
        crossings=np.ascontiguousarray(crossings.T),
        colour_sum=sums,
    )


@kernel(types.void(_INDICES, _INDICES, _INDICES, _LABELS))
def _paint(edges, first, names, labels):  # type: ignore[no-untyped-def]
    for y in range(labels.shape[0]):
        row = labels[y]
        row[:] = 0
        for index in range(first[y], first[y + 1]):
            row[edges[2 * index] : edges[2 * index + 1]] = names[index]


@kernel()
def _squares_below(n):  # type: ignore[no-untyped-def]
    return (n - 1) * n * (2 * n - 1) // 6


@kernel(types.void(_TABLE, _INDICES, _INDICES, types.intp, types.intp))
def _add_pairs(table, edges, names, above, here):  # type: ignore[no-untyped-def]
    """Count the pixel pairs of two runs in rows above each other, upright and along both diagonals."""
    if names[above] == names[here]:
        row = table[names[here] - 1]
        left, right = edges[2 * above], edges[2 * above + 1]
        start, end = edges[2 * here], edges[2 * here + 1]
        row[_PAIRS_UPRIGHT] += max(0, min(right, end) - max(left, start))
        row[_PAIRS_RISING] += max(0, min(right - 1, end) - max(left - 1, start))
        row[_PAIRS_FALLING] += max(0, min(right + 1, end) - max(left + 1, start))


@kernel()
def _add_moments(edges, first, names, table, y):  # type: ignore[no-untyped-def]
    for index in range(first[y], first[y + 1]):
        start, end = np.int64(edges[2 * index]), np.int64(edges[2 * index + 1])
        row = table[names[index] - 1]
        length, sum_x = end - start, (end - start) * (start + end - 1) // 2
        if row[_AREA] == 0:
            row[_X_MIN], row[_Y_MIN] = start, y
        row[_AREA] += length
        row[_SUM_X] += sum_x
        row[_SUM_Y] += y * length
        row[_SUM_XX] += _squares_below(end) - _squares_below(start)
        row[_SUM_XY] += y * sum_x
        row[_SUM_YY] += y * y * length
        row[_X_MIN] = min(row[_X_MIN], start)
        row[_X_MAX] = max(row[_X_MAX], end)
        row[_Y_MAX] = y + 1
        row[_PAIRS] += length - 1


@kernel()
def _add_row_pairs(edges, first, names, table, y):  # type: ignore[no-untyped-def]
    above, here = first[y - 1], first[y]
    above_end, here_end = first[y], first[y + 1]
    while above < above_end and here < here_end:
        right, end = edges[2 * above + 1], edges[2 * here + 1]
        if right >= edges[2 * here] and end >= edges[2 * above]:
            _add_pairs(table, edges, names, above, here)
        if right < end:
            above += 1
        elif end < right:
            here += 1
        else:
            # Regions that touch each other sideways: each run also meets the other's neighbour at one diagonal.
            if above + 1 < above_end and edges[2 * above + 2] == end:
                _add_pairs(table, edges, names, above + 1, here)
            if here + 1 < here_end and edges[2 * here + 2] == right:
                _add_pairs(table, edges, names, above, here + 1)
            above += 1
            here += 1


@kernel(types.void(_INDICES, _INDICES, _INDICES, _TABLE))
def _measure_runs(edges, first, names, table):  # type: ignore[no-untyped-def]
    """Fill a table of zeros with sums counted from the first pixel of each bounding box."""
    for y in range(first.size - 1):
        _add_moments(edges, first, names, table, y)
        if y > 0:
            _add_row_pairs(edges, first, names, table, y)
    for row in table:
        x, y, area = row[_X_MIN], row[_Y_MIN], row[_AREA]
        # Exact even where a product wraps around: the final sums fit, and int64 arithmetic is modular.
        row[_SUM_XX] += x * (x * area - 2 * row[_SUM_X])
        row[_SUM_YY] += y * (y * area - 2 * row[_SUM_Y])
        row[_SUM_XY] += x * y * area - x * row[_SUM_Y] - y * row[_SUM_X]
        row[_SUM_X] -= x * area
        row[_SUM_Y] -= y * area


@kernel(
    types.void(_INDICES, _INDICES, _INDICES, readonly(types.uint8, 3), _SUMS),
    types.void(_INDICES, _INDICES, _INDICES, readonly(types.float32, 3), _SUMS),
)
def _sum_colours(edges, first, names, image, sums):  # type: ignore[no-untyped-def]
    """Add the image over each run to the sums of its component."""
    channels = image.shape[2]
    for y in range(first.size - 1):
        line = image[y].reshape(-1)
        for index in range(first[y], first[y + 1]):
            part = line[edges[2 * index] * channels : edges[2 * index + 1] * channels]
            row = sums[names[index] - 1]
            if channels == 3:
                red, green, blue = 0, 0, 0
                for pixel in range(part.size // 3):
                    red += part[3 * pixel]
                    green += part[3 * pixel + 1]
                    blue += part[3 * pixel + 2]
                row[0] += red
                row[1] += green
                row[2] += blue
            else:
                for channel in range(channels):
                    for value in part[channel::channels]:
                        row[channel] += value
