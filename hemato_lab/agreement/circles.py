"""Which cell of one reading is which cell of another, by how far their circles cover each other.

Where two readings were made by the same eyes on the same pixels, the centre alone is too weak a sign: a platelet that
lies on a red cell has nearly the red cell's centre. Here the circles have to be alike in place and size, so a cell that
is no longer listed is not mistaken for the one beside or below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from hemato_lab.agreement.matching import Matching
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

    class Circles(Protocol):
        """A table with the columns field, x, y, radius and name, as `hemato_lab.detections.Detections` is one."""

        def __len__(self) -> int: ...
        def __getitem__(self, column: str, /) -> NDArray[Any]: ...


LEAST_OVERLAP: Final = 0.25
"""Intersection over union of two circles of one cell: equal circles may lie nearly a radius apart, and of two with
one centre one may be twice as wide as the other."""
_UNLIKE_NAMES: Final = 1e-6
"""What a pair of unlike names costs: it decides between pairs that lie alike."""


def match_circles(first: Circles, second: Circles, *, least_overlap: float = LEAST_OVERLAP) -> Matching:
    """Pair the cells of two tables that index the same fields, one to one, so that the overlaps are largest together.

    Parameters
    ----------
    first, second : Detections or another table of cells
        Their ``field`` numbers mean the same fields.
    least_overlap : float
        Intersection over union of the circles of a pair, above 0 and at most 1.

    Returns
    -------
    Matching
        Its distance is 1 less the overlap.

    Raises
    ------
    ConfigError
        If the least overlap is impossible, or a place or radius is not finite and positive.
    """
    from hemato_lab.kernels.assignment import ALONE, assign

    if not 0 < least_overlap <= 1:
        raise ConfigError(f"a least overlap of {least_overlap:g} is impossible", hint=f"use {LEAST_OVERLAP:g}")
    circles = _checked(first), _checked(second)
    rows, columns = _touching(*circles, 1 + least_overlap**-0.5)
    overlap = circle_overlap(circles[0][rows], circles[1][columns])
    kept = overlap >= least_overlap
    rows, columns, overlap = rows[kept], columns[kept], overlap[kept]
    costs = 1.0 - overlap + _UNLIKE_NAMES * (np.asarray(first["name"])[rows] != np.asarray(second["name"])[columns])
    starts = np.searchsorted(rows, np.arange(len(first) + 1))
    partner = assign(starts, columns, costs, len(second), 1.0 + 2 * _UNLIKE_NAMES)
    paired = np.flatnonzero(partner != ALONE)
    alone = np.ones(len(second), dtype=bool)
    alone[partner[paired]] = False
    apart = 1.0 - circle_overlap(circles[0][paired], circles[1][partner[paired]])
    return Matching(paired, partner[paired], apart, np.flatnonzero(partner == ALONE), np.flatnonzero(alone))


def circle_overlap(first: Floats, second: Floats) -> Floats:
    """Return the intersection over union of pairs of circles.

    Parameters
    ----------
    first, second : arrays of shape (n, 4)
        Field, x, y and radius.

    Returns
    -------
    array of shape (n,)
        0 to 1; the fields are not looked at.
    """
    apart = np.hypot(first[:, 1] - second[:, 1], first[:, 2] - second[:, 2])
    small, large = np.minimum(first[:, 3], second[:, 3]), np.maximum(first[:, 3], second[:, 3])
    common = np.where(apart <= large - small, np.pi * small**2, _lens(apart, small, large))
    union = np.pi * (small**2 + large**2) - common
    shared: Floats = np.where(apart < small + large, common / union, 0.0)
    return shared


def _lens(apart: Floats, small: Floats, large: Floats) -> Floats:
    """Return the area that two circles have in common where their edges cross."""
    distance = np.maximum(apart, 1e-12)
    # Signed distances from the centres to the chord through both crossings.
    to_small = (distance**2 + small**2 - large**2) / (2 * distance)
    to_large = distance - to_small
    area: Floats = _segment(small, to_small) + _segment(large, to_large)
    return area


def _segment(radius: Floats, to_chord: Floats) -> Floats:
    cosine = np.clip(to_chord / radius, -1.0, 1.0)
    segment: Floats = radius**2 * (np.arccos(cosine) - cosine * np.sqrt(1.0 - cosine**2))
    return segment


def _checked(cells: Circles) -> Floats:
    columns = [np.asarray(cells[name], np.float64) for name in ("field", "x", "y", "radius")]
    circles = np.stack(columns, axis=1)
    if not (np.isfinite(circles).all() and (circles[:, 3] > 0).all()):
        problem = "a cell has no finite place and positive radius"
        raise ConfigError(problem, hint="leave out cells without a credible place")
    return circles


def _touching(first: Floats, second: Floats, reach: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs that may overlap enough, by rows and then columns.

    Their radii differ by no more than the square root of the overlap, so the centres are no further apart than `reach`
    radii of the first.
    """
    from scipy.spatial import cKDTree

    nothing = np.empty(0, np.intp)
    rows, columns = [nothing], [nothing]
    for field in np.intersect1d(first[:, 0], second[:, 0]):
        own, other = np.flatnonzero(first[:, 0] == field), np.flatnonzero(second[:, 0] == field)
        near = cKDTree(second[other, 1:3]).query_ball_point(first[own, 1:3], reach * first[own, 3])
        counts = np.array([len(found) for found in near], np.intp)
        rows.append(np.repeat(own, counts))
        columns.append(other[np.concatenate([nothing, *(np.asarray(found, np.intp) for found in near)])])
    one, two = np.concatenate(rows), np.concatenate(columns)
    order = np.lexsort((two, one))
    return one[order], two[order]
