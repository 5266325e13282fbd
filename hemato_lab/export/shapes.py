"""Where cells lie, for formats that count from the outer corner of the first pixel.

In this package pixel (0, 0) is the first pixel's centre; COCO, YOLO, QuPath and image viewers put (0, 0) at its outer
corner, so everything is moved by half a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.smear import Field, Scale

PIXEL_CORNER: Final = 0.5
_AXES: Final = ("major_axis_um", "minor_axis_um", "orientation_rad")


@dataclass(frozen=True, eq=False)
class Ellipses:
    """One ellipse a cell; arrays of shape (n,).

    Attributes
    ----------
    x, y : ndarray of float64
        Centres in pixels, (0, 0) the centre of the first pixel.
    major, minor : ndarray of float64
        Full axes in pixels; those of a circle where only a radius is known.
    angle : ndarray of float64
        Of the major axis in radians, from +x towards +y (downwards).
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    major: NDArray[np.float64]
    minor: NDArray[np.float64]
    angle: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    @property
    def are_circles(self) -> NDArray[np.bool_]:
        """Which of them have equal axes, shape (n,)."""
        return np.asarray(self.major == self.minor)

    @property
    def area(self) -> NDArray[np.float64]:
        """In square pixels, shape (n,)."""
        return np.pi / 4 * self.major * self.minor

    def outlines(self, points: int) -> NDArray[np.float64]:
        """Return points on each ellipse, evenly spaced in its parameter, the first on its major axis.

        Parameters
        ----------
        points : int
            How many.

        Returns
        -------
        ndarray, shape (n, points, 2), float64
            x and y in pixels from the outer corner of the first pixel, not closed.
        """
        turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
        along = self.major[:, None] / 2 * np.cos(turn)
        across = self.minor[:, None] / 2 * np.sin(turn)
        cosine, sine = np.cos(self.angle)[:, None], np.sin(self.angle)[:, None]
        x = self.x[:, None] + cosine * along - sine * across
        y = self.y[:, None] + sine * along + cosine * across
        return np.stack([x, y], axis=-1) + PIXEL_CORNER


def ellipses(cells: Detections, scale: Scale | None) -> Ellipses:
    """Return the ellipses of the measured axes, circles where a cell was not measured.

    Raises
    ------
    ConfigError
        If a cell has no place or size.
    """
    x, y, radius = cells["x"], cells["y"], cells["radius"]
    nowhere = ~(np.isfinite(x) & np.isfinite(y) & (radius > 0))
    if nowhere.any():
        raise ConfigError(
            f"cell {int(np.argmax(nowhere))} has no place or size",
            hint="leave out cells without x, y and radius, for example with detections.select",
        )
    circle = Ellipses(x, y, 2 * radius, 2 * radius, np.zeros(len(cells)))
    if scale is None or not all(name in cells.columns for name in _AXES):
        return circle
    major, minor, angle = (cells[name].astype(np.float64) for name in _AXES)
    known = np.isfinite(angle) & (minor > 0) & (major >= minor) & np.isfinite(major)
    return Ellipses(
        x,
        y,
        np.where(known, major / scale.um_per_px, circle.major),
        np.where(known, minor / scale.um_per_px, circle.minor),
        np.where(known, angle, 0.0),
    )


def boxes(cells: Detections, field: Field) -> NDArray[np.float64]:
    """Return the boxes of the cells of one field, cut to the field.

    Parameters
    ----------
    cells : Detections
        Of this field alone.
    field : Field
        Whose size is used, no pixels.

    Returns
    -------
    ndarray, shape (n, 4), float64
        x_min, y_min, x_max, y_max in pixels from the outer corner of the first pixel; measured where they are, else
        around the circle; each at least a pixel wide.

    Raises
    ------
    ConfigError
        If a cell lies wholly outside the field.
    """
    circle = np.stack([cells["x"], cells["y"]], axis=1)
    radius = cells["radius"][:, None]
    around = np.concatenate([circle - radius, circle + radius], axis=1)
    measured = cells.boxes
    chosen = np.where(np.isfinite(measured).all(axis=1, keepdims=True), measured, around) + PIXEL_CORNER
    size = np.array([field.width, field.height], dtype=np.float64)
    outside = ((chosen[:, 2:] <= 0) | (chosen[:, :2] >= size)).any(axis=1)
    if outside.any():
        raise ConfigError(
            f"cell {int(np.argmax(outside))} of this field lies outside it",
            subject=field.name,
            hint="leave out cells whose place is not in the image, for example with detections.select",
        )
    low = np.clip(chosen[:, :2], 0, size - 1)
    high = np.clip(chosen[:, 2:], low + 1, size)
    return np.concatenate([low, high], axis=1)


def cut(outline: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the part of a convex outline that lies in a box, by the method of Sutherland and Hodgman.

    Parameters
    ----------
    outline : ndarray, shape (n, 2), float64
        x and y of its points, not closed.
    box : ndarray, shape (4,), float64
        x_min, y_min, x_max, y_max.

    Returns
    -------
    ndarray, shape (m, 2), float64
        Empty where the outline lies outside the box.
    """
    points = outline
    for axis, limit, sign in ((0, box[0], 1), (1, box[1], 1), (0, box[2], -1), (1, box[3], -1)):
        inside = sign * (points[:, axis] - limit)
        kept = []
        for one, here, other, there in zip(
            points, inside, np.roll(points, -1, axis=0), np.roll(inside, -1), strict=True
        ):
            if here >= 0:
                kept.append(one)
            if (here > 0 > there) or (here < 0 < there):
                kept.append(one + (other - one) * here / (here - there))
        points = np.array(kept).reshape(-1, 2)
    return points


def area_within(outline: NDArray[np.float64]) -> float:
    """Return the area within an outline of shape (n, 2), by the shoelace formula."""
    x, y = outline.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
