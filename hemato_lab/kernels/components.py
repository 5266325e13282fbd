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

from hemato_lab.kernels._compiled import kernel, readonly, several, writable
from hemato_lab.kernels.runs import join_runs, runs_of_labels, runs_of_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AREA, _SUM_X, _SUM_Y, _SUM_XX, _SUM_XY, _SUM_YY, _X_MIN, _Y_MIN, _X_MAX, _Y_MAX = range(10)
_PAIRS, _PAIRS_UPRIGHT, _PAIRS_RISING, _PAIRS_FALLING = range(10, 14)
_COLUMNS = 14

_INDICES = readonly(types.int32, 1)
_LABELS = writable(types.int32, 2)
_TABLE = writable(types.int64, 2)


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
    _measure_runs(*runs, shape[1], table)
    pixels = np.empty((*shape, 0), np.uint8) if image is None else image
    if pixels.shape[:2] != shape or pixels.ndim != 3 or pixels.dtype not in (np.uint8, np.float32):
        raise ValueError(f"an image for a mask of shape {shape} is uint8 or float32 of shape {(*shape, 'channels')}")
    sums = np.zeros((count, pixels.shape[2]))
    add_up = _sum_three_channels if pixels.shape[2] == 3 else _sum_channels
    add_up(*runs, np.require(pixels, requirements=("C", "W")), sums)
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


@kernel(types.void(_TABLE, _INDICES, _INDICES, types.uint64, types.uint64))
def _add_pairs(table, edges, names, above, here):  # type: ignore[no-untyped-def]
    """Count the pixel pairs of two runs in rows above each other, upright and along both diagonals."""
    if names[above] == names[here]:
        row, one = np.uint64(names[here] - 1), np.uint64(1)
        left, right = edges[above << one], edges[(above << one) | one]
        start, end = edges[here << one], edges[(here << one) | one]
        table[row, _PAIRS_UPRIGHT] += max(0, min(right, end) - max(left, start))
        table[row, _PAIRS_RISING] += max(0, min(right - 1, end) - max(left - 1, start))
        table[row, _PAIRS_FALLING] += max(0, min(right + 1, end) - max(left + 1, start))


@kernel(types.void(_TABLE, _INDICES, _INDICES, readonly(types.int64, 1), types.int64, several(types.intp, types.intp)))
def _add_moments(table, edges, names, squares, y, runs):  # type: ignore[no-untyped-def]
    """Add the runs of row y; `squares` holds the sums of all smaller squares."""
    for index in range(runs[0], runs[1]):
        start, end, row = np.int64(edges[2 * index]), np.int64(edges[2 * index + 1]), np.uint64(names[index] - 1)
        length = end - start
        sum_x = (length * (start + end - 1)) >> 1
        if table[row, _AREA] == 0:
            table[row, _X_MIN], table[row, _Y_MIN] = start, y
        table[row, _AREA] += length
        table[row, _SUM_X] += sum_x
        table[row, _SUM_Y] += y * length
        table[row, _SUM_XX] += squares[np.uint64(end)] - squares[np.uint64(start)]
        table[row, _SUM_XY] += y * sum_x
        table[row, _SUM_YY] += y * y * length
        table[row, _X_MIN] = min(table[row, _X_MIN], start)
        table[row, _X_MAX] = max(table[row, _X_MAX], end)
        table[row, _Y_MAX] = y + 1
        table[row, _PAIRS] += length - 1


@kernel(types.void(_TABLE, _INDICES, _INDICES, several(types.intp, types.intp, types.intp)))
def _add_row_pairs(table, edges, names, runs):  # type: ignore[no-untyped-def]
    """Meet the runs of a row, from runs[1] to runs[2], with those of the row above, which begin at runs[0]."""
    above, here, one = np.uint64(runs[0]), np.uint64(runs[1]), np.uint64(1)
    above_end, here_end = np.uint64(runs[1]), np.uint64(runs[2])
    while above < above_end and here < here_end:
        right, end = edges[(above << one) | one], edges[(here << one) | one]
        if right >= edges[here << one] and end >= edges[above << one]:
            _add_pairs(table, edges, names, above, here)
        if right == end:
            # Regions that touch each other sideways: each run also meets the other's neighbour at one diagonal.
            if above + one < above_end and edges[(above + one) << one] == end:
                _add_pairs(table, edges, names, above + one, here)
            if here + one < here_end and edges[(here + one) << one] == right:
                _add_pairs(table, edges, names, above, here + one)
        above, here = above + np.uint64(right <= end), here + np.uint64(end <= right)


@kernel(types.void(_INDICES, _INDICES, _INDICES, types.int64, _TABLE))
def _measure_runs(edges, first, names, width, table):  # type: ignore[no-untyped-def]
    """Fill a table of zeros with sums counted from the first pixel of each bounding box."""
    squares = np.zeros(width + 1, np.int64)
    for x in range(width):
        squares[x + 1] = squares[x] + x * x
    for y in range(first.size - 1):
        _add_moments(table, edges, names, squares, y, (np.intp(first[y]), np.intp(first[y + 1])))
        if y > 0:
            _add_row_pairs(table, edges, names, (np.intp(first[y - 1]), np.intp(first[y]), np.intp(first[y + 1])))
    for row in table:
        x, y, area = row[_X_MIN], row[_Y_MIN], row[_AREA]
        # Exact even where a product wraps around: the final sums fit, and int64 arithmetic is modular.
        row[_SUM_XX] += x * (x * area - 2 * row[_SUM_X])
        row[_SUM_YY] += y * (y * area - 2 * row[_SUM_Y])
        row[_SUM_XY] += x * y * area - x * row[_SUM_Y] - y * row[_SUM_X]
        row[_SUM_X] -= x * area
        row[_SUM_Y] -= y * area


@kernel()
def _sum_three_channels(edges, first, names, image, sums):  # type: ignore[no-untyped-def]
    """Add three channels over each run to the sums of its component."""
    values, row_size, green, blue = image.reshape(-1), 3 * image.shape[1], np.uint64(1), np.uint64(2)
    for y in range(first.size - 1):
        for index in range(first[y], first[y + 1]):
            begin = np.uint64(y * row_size + 3 * edges[2 * index])
            one, two, three = 0, 0, 0
            for pixel in range(edges[2 * index + 1] - edges[2 * index]):
                place = begin + np.uint64(3) * np.uint64(pixel)
                one += values[place]
                two += values[place + green]
                three += values[place + blue]
            row = np.uint64(names[index] - 1)
            sums[row, 0] += one
            sums[row, 1] += two
            sums[row, 2] += three


@kernel()
def _sum_channels(edges, first, names, image, sums):  # type: ignore[no-untyped-def]
    """Add any number of channels over each run to the sums of its component, pixel by pixel in float64."""
    for y in range(first.size - 1):
        for index in range(first[y], first[y + 1]):
            row = sums[names[index] - 1]
            for x in range(edges[2 * index], edges[2 * index + 1]):
                for channel in range(row.size):
                    row[channel] += image[y, x, channel]
