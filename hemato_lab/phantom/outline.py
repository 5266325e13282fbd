"""Outlines of cells: closed curves around the cell's centre of area, in micrometres.

An outline is star-shaped, r(theta), and may then be bent along its long axis, (u, v) -> (u, v + bend u^2). The bend
shifts columns only, so it keeps areas exactly; it makes crescents, which no star-shaped curve can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ANGLES: Final = 360
"""Number of directions in which an outline's radius is stored."""
THETA: Final[Floats] = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
_STEP: Final = 2 * np.pi / ANGLES
_COSINE: Final = np.cos(THETA)
_SINE: Final = np.sin(THETA)
for _constant in (THETA, _COSINE, _SINE):
    _constant.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Outline:
    """One closed curve; make it with `outline_of_area`.

    Attributes
    ----------
    radii : ndarray
        Radius in um in each direction of `THETA`, before bending, seen from the pole.
    bend : float
        Curvature of the bend, 1/um.
    angle : float
        Rotation of the finished curve in rad, from x towards y.
    pole : tuple of float
        Where the pole lies in the unrotated frame whose origin is the centre of area, um.
    """

    radii: Floats
    bend: float
    angle: float
    pole: tuple[float, float]

    def polygon(self) -> Floats:
        """Return the curve as a polygon around the centre of area, shape (ANGLES, 2), um."""
        curve = _bent(self.radii, self.bend) + np.asarray(self.pole)
        return _rotated(curve, self.angle)

    def normalised_radius(self, u: Floats, v: Floats) -> Floats:
        """Return how far points are from the pole as a share of the curve: below 1 inside, 1 on it, above 1 outside.

        Parameters
        ----------
        u, v : ndarray
            Points in the unrotated frame whose origin is the centre of area (see `local_frame`), um.
        """
        along = u - self.pole[0]
        across = v - self.pole[1] - self.bend * along**2
        position = (np.arctan2(across, along) / _STEP) % ANGLES
        before = position.astype(np.intp) % ANGLES
        share = position - np.floor(position)
        limit = self.radii[before] * (1 - share) + self.radii[(before + 1) % ANGLES] * share
        result: Floats = np.hypot(along, across) / limit
        return result

    def local_frame(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Turn offsets from the centre of area (um) into the unrotated frame."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return cosine * x + sine * y, cosine * y - sine * x

    @property
    def reach(self) -> float:
        """Distance in um from the centre of area to the farthest point."""
        return float(np.hypot(*self.polygon().T).max())


def outline_of_area(radii: Floats, diameter_um: float, *, bend: float = 0.0, angle: float = 0.0) -> Outline:
    """Scale a curve to the area of a disc and centre it on its centre of area.

    Parameters
    ----------
    radii : ndarray
        Relative radius in each direction of `THETA`, shape (ANGLES,), positive.
    diameter_um : float
        Equivalent diameter of the result.
    bend : float
        Bend of the result in units of 1 / `diameter_um`.
    angle : float
        Rotation in rad.
    """
    # A bend keeps areas: the star's triangles from the pole are enough.
    area = np.sin(_STEP) / 2 * float(np.dot(radii, np.roll(radii, 1)))
    scaled = radii * np.sqrt(np.pi * diameter_um**2 / 4 / area)
    curvature = bend / diameter_um
    centre = polygon_centroid(_bent(scaled, curvature))
    return Outline(scaled, curvature, angle, (-float(centre[0]), -float(centre[1])))


def polygon_area(polygon: Floats) -> float:
    """Return the area of a polygon with vertices (n, 2), positive for either orientation."""
    return abs(_moments(polygon)[0])


def polygon_centroid(polygon: Floats) -> Floats:
    """Return the centre of area (x, y) of a polygon with vertices (n, 2)."""
    area, first, _ = _moments(polygon)
    centroid: Floats = first / area
    return centroid


def polygon_perimeter(polygon: Floats) -> float:
    """Return the length of a polygon's closed line."""
    return float(np.hypot(*(_next(polygon) - polygon).T).sum())


def ellipse_of_polygon(polygon: Floats) -> tuple[float, float, float]:
    """Return major axis, minor axis and orientation (rad in (-pi/2, pi/2]) of the ellipse with the same moments."""
    area, first, second = _moments(polygon)
    mean = first / area
    xx, yy, xy = second / area - np.array([mean[0] ** 2, mean[1] ** 2, mean[0] * mean[1]])
    spread = np.hypot(xx - yy, 2 * xy)
    major, minor = 2 * np.sqrt(2 * (xx + yy + spread)), 2 * np.sqrt(max(2 * (xx + yy - spread), 0.0))
    return float(major), float(minor), float(np.arctan2(2 * xy, xx - yy) / 2)


def _moments(polygon: Floats) -> tuple[float, Floats, Floats]:
    """Return signed area, first moments (x, y) and second moments (xx, yy, xy) by Green's theorem."""
    x, y = polygon.T
    xn, yn = _next(polygon).T
    cross = x * yn - xn * y
    first = np.array([((x + xn) * cross).sum(), ((y + yn) * cross).sum()]) / 6
    second = np.array(
        [
            ((x * x + x * xn + xn * xn) * cross).sum() / 12,
            ((y * y + y * yn + yn * yn) * cross).sum() / 12,
            ((x * yn + 2 * x * y + 2 * xn * yn + xn * y) * cross).sum() / 24,
        ]
    )
    return float(cross.sum() / 2), first, second


def _next(polygon: Floats) -> Floats:
    """Return the vertex after each one."""
    return np.concatenate([polygon[1:], polygon[:1]])


def _bent(radii: Floats, bend: float) -> Floats:
    along, across = radii * _COSINE, radii * _SINE
    return np.column_stack([along, across + bend * along**2])


def _rotated(points: Floats, angle: float) -> Floats:
    cosine, sine = np.cos(angle), np.sin(angle)
    turned: Floats = points @ np.array([[cosine, sine], [-sine, cosine]])
    return turned


def wavy_circle(rng: np.random.Generator, amplitude: float, waves: int = 6, *, lowest: int = 2) -> Floats:
    """Return relative radii of a circle with smooth random waves; `amplitude` is the standard deviation of the radius.

    Wave k has a weight of 1/k, so that low orders rule.
    """
    orders = np.arange(lowest, lowest + waves)
    weights = rng.standard_normal(waves) / orders
    phases = rng.uniform(0, 2 * np.pi, waves)
    waves_of_theta = np.cos(np.outer(THETA, orders) + phases) @ weights
    expected = np.sqrt(np.sum(1.0 / orders**2) / 2)
    result: Floats = np.clip(1 + amplitude * waves_of_theta / expected, 0.4, 1.8)
    return result


def ellipse_radii(aspect: float) -> Floats:
    """Return relative radii of an ellipse with the given major/minor axis, long axis at theta = 0."""
    result: Floats = 1 / np.hypot(np.cos(THETA) / np.sqrt(aspect), np.sin(THETA) * np.sqrt(aspect))
    return result
