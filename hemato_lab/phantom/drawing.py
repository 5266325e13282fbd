"""What all cells are drawn with: dyes, smooth edges, grainy textures and round bodies.

Lengths are in um, in the cell's own frame (u, v) whose origin is its centre of area. Amounts of dye are relative: 1 is
the amount whose optical density the `Stain` of a recipe states. Nothing here knows of pixels, so a cell looks the same
at every magnification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hemato_lab.phantom.outline import Outline

Floats = NDArray[np.float64]


class Dye(IntEnum):
    """What absorbs light on a Romanowsky-stained film (DOMAIN.md section 8)."""

    HAEMOGLOBIN = 0
    """Haemoglobin with the eosin bound to it: the red cells."""
    AZURE = 1
    """Azure B on ribonucleic acid: blue cytoplasm of young cells and parasites."""
    ROMANOWSKY = 2
    """The azure B-eosin complex on chromatin and granules: purple."""
    EOSIN = 3
    """Eosin alone, as in eosinophil granules: orange."""
    PIGMENT = 4
    """Haemozoin, the brown malaria pigment."""


Amounts = Mapping[Dye, Floats]


@dataclass(frozen=True, slots=True)
class DrawnCell:
    """A cell's outline and what it puts on the film.

    Attributes
    ----------
    outline : Outline
        The border of the whole cell.
    paint : callable
        ``paint(u, v)`` returns the amount of each dye at points of the outline's unrotated frame.
    """

    outline: Outline
    paint: Callable[[Floats, Floats], Amounts]


Drawer = Callable[[np.random.Generator, float], DrawnCell]
"""Draws a cell of the given equivalent diameter (um) with a generator of its own."""

EDGE_UM: Final = 0.15
"""Width over which a cell's or nucleus's border fades out."""


def smooth_step(distance: Floats, width: float = EDGE_UM) -> Floats:
    """Return 1 well inside (negative distance), 0 well outside, smooth between over `width`."""
    inside = np.clip(0.5 - distance / width, 0.0, 1.0)
    result: Floats = inside * inside * (3 - 2 * inside)
    return result


def ellipse_distance(
    u: Floats, v: Floats, centre: tuple[float, float], axes: tuple[float, float], angle: float = 0.0
) -> Floats:
    """Return about the distance to an ellipse with half axes `axes`, negative inside."""
    cosine, sine = np.cos(angle), np.sin(angle)
    along = (cosine * (u - centre[0]) + sine * (v - centre[1])) / axes[0]
    across = (cosine * (v - centre[1]) - sine * (u - centre[0])) / axes[1]
    result: Floats = (np.hypot(along, across) - 1) * float(np.sqrt(axes[0] * axes[1]))
    return result


def capsule_distance(
    u: Floats, v: Floats, start: tuple[float, float], end: tuple[float, float], radius: float
) -> Floats:
    """Return the distance to a straight strand with round ends, negative inside."""
    du, dv = end[0] - start[0], end[1] - start[1]
    length = max(du * du + dv * dv, 1e-12)
    along = np.clip(((u - start[0]) * du + (v - start[1]) * dv) / length, 0, 1)
    result: Floats = np.hypot(u - start[0] - along * du, v - start[1] - along * dv) - radius
    return result


def smooth_union(first: Floats, second: Floats, blend: float) -> Floats:
    """Return the distance to either of two bodies, the crease between them filled over a length of `blend`."""
    share = np.clip(0.5 + (second - first) / (2 * blend), 0, 1)
    result: Floats = second + (first - second) * share - blend * share * (1 - share)
    return result


@dataclass(frozen=True, slots=True)
class Grain:
    """Smooth random texture with mean 0 and a standard deviation near 1; make it with `grain`."""

    nodes: Floats
    spacing: float
    origin: float

    def __call__(self, u: Floats, v: Floats) -> Floats:
        """Return the texture at points of the cell's frame."""
        from scipy.ndimage import map_coordinates

        rows, columns = (v + self.origin) / self.spacing, (u + self.origin) / self.spacing
        result: Floats = map_coordinates(self.nodes, [rows, columns], order=2, mode="nearest", prefilter=False)
        # A quadratic B-spline of independent nodes keeps 0.55 of their standard deviation on average.
        return result / 0.55


def grain(rng: np.random.Generator, reach: float, spacing: float) -> Grain:
    """Make a texture whose grains measure about 2 x `spacing`, valid up to `reach` from the centre."""
    nodes = int(np.ceil(2 * reach / spacing)) + 4
    return Grain(rng.standard_normal((nodes, nodes)), spacing, reach + 1.5 * spacing)


def round_bodies(u: Floats, v: Floats, centres: Floats, radii: Floats, amounts: Floats) -> Floats:
    """Return the summed amount of small round bodies (granules, dots), each fading out like a Gaussian.

    Parameters
    ----------
    u, v : ndarray
        Points of a regular grid that may be rotated, shape (rows, columns).
    centres : ndarray
        Shape (n, 2), um.
    radii : ndarray
        Standard deviation of each body, shape (n,), um.
    amounts : ndarray
        Amount in each body's centre, shape (n,).
    """
    total = np.zeros(u.shape)
    if u.shape[0] < 2 or u.shape[1] < 2:
        return total
    step = np.array([[u[0, 1] - u[0, 0], v[0, 1] - v[0, 0]], [u[1, 0] - u[0, 0], v[1, 0] - v[0, 0]]])
    places = (centres - np.array([u[0, 0], v[0, 0]])) @ np.linalg.inv(step)
    pixel = float(np.hypot(*step[0]))
    for (column, row), radius, amount in zip(places, radii, amounts, strict=True):
        half = 3 * radius / pixel + 1
        rows = slice(max(int(row - half), 0), max(int(row + half) + 2, 0))
        columns = slice(max(int(column - half), 0), max(int(column + half) + 2, 0))
        down = np.arange(u.shape[0])[rows] - row
        right = np.arange(u.shape[1])[columns] - column
        total[rows, columns] += amount * np.outer(
            np.exp(-0.5 * (down * pixel / radius) ** 2), np.exp(-0.5 * (right * pixel / radius) ** 2)
        )
    return total


def scatter_inside(
    rng: np.random.Generator, count: int, outline: Outline, limit: float, *, nearest: float = 0.0
) -> Floats:
    """Return about `count` random points between the shares `nearest` and `limit` of an outline, shape (n, 2).

    The number varies as the share of random points that fall inside does.
    """
    reach = outline.reach
    tried = max(count, 1) * 2
    points = rng.uniform(-reach, reach, (tried, 2))
    radius = outline.normalised_radius(points[:, 0], points[:, 1])
    inside: Floats = points[(radius < limit) & (radius >= nearest)][:count]
    return inside
