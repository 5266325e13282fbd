"""Cells that lie together: rouleaux, agglutination, platelet clumps (DOMAIN.md sections 3.2 and 3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from hemato_lab.findings.model import Circle
from hemato_lab.findings.red_cells import red_cells
from hemato_lab.vocabulary import PLATELET

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.reference.model import MeasuredRules

ROULEAUX: Final = "rouleaux"
AGGLUTINATION: Final = "agglutination"
PLATELET_CLUMP: Final = "platelet clump"
MOST_IN_A_ROW: Final = 2.2
"""Neighbours of a cell in a loose row, on average, at most: a line has two, a heap more."""


@dataclass(frozen=True, slots=True)
class Group:
    """Cells that touch or overlap: their rows in the detections, and the circle around them."""

    rows: NDArray[np.intp]
    circle: Circle


def red_cell_groups(
    detections: Detections, rules: MeasuredRules, fields: Collection[int]
) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """Return the rouleaux and the agglutinated groups of the given fields.

    A group overlaps from cell to cell. It is a stack when its cells lie in a line, and else a clump; two cells that
    overlap by chance, or a bent row, are neither.
    """
    stack, heap, red = rules.rouleaux, rules.agglutination, red_cells(detections)
    stacks = _groups(detections, red, fields, 1 - stack.least_overlap, stack.least_cells)
    heaps = _groups(detections, red, fields, 1 - heap.least_overlap, heap.least_cells)
    rouleaux = [group for group, _ in stacks if _bend(detections, group) <= stack.largest_bend]
    clumps = [
        group
        for group, neighbours in heaps
        if neighbours > MOST_IN_A_ROW and _bend(detections, group) > stack.largest_bend
    ]
    return _encircled(detections, rouleaux), _encircled(detections, clumps)


def platelet_clumps(
    detections: Detections, rules: MeasuredRules, fields: Collection[int], ragged: NDArray[np.bool_]
) -> tuple[Group, ...]:
    """Return the groups of platelets that touch each other, and the single bodies that are a clump of many.

    Parameters
    ----------
    detections, rules, fields
        As for `red_cell_groups`.
    ragged : ndarray of bool, shape (n,)
        From `hemato_lab.findings.naming.ragged_platelets`.
    """
    rule = rules.platelet_clump
    platelets = detections.of_kind(PLATELET)
    found = _groups(detections, platelets, fields, 1 + rule.largest_gap_ratio / 2, rule.least_platelets)
    touching = [group for group, _ in found]
    grouped = np.concatenate([*touching, np.empty(0, np.intp)])
    bodies = [np.array([row]) for row in np.flatnonzero(ragged) if row not in grouped]
    return _encircled(detections, [*touching, *bodies])


def _groups(
    detections: Detections, wanted: NDArray[np.bool_], fields: Collection[int], reach: float, least: float
) -> Iterator[tuple[NDArray[np.intp], float]]:
    """Yield the groups of cells nearer to each other than `reach` times the sum of their radii.

    Yields
    ------
    rows : ndarray of int
        At least `least`.
    neighbours : float
        Mean number of near cells of each.
    """
    for field in sorted(fields):
        rows = np.flatnonzero(wanted & (detections["field"] == field))
        if len(rows) < least:
            continue
        centre = np.stack([detections["x"][rows], detections["y"][rows]], axis=1)
        radius = detections["radius"][rows]
        pairs = cKDTree(centre).query_pairs(2 * reach * float(radius.max()), output_type="ndarray")
        apart = np.linalg.norm(centre[pairs[:, 0]] - centre[pairs[:, 1]], axis=1)
        pairs = pairs[apart <= reach * (radius[pairs[:, 0]] + radius[pairs[:, 1]])]
        graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(rows), len(rows)))
        _, label = connected_components(graph, directed=False)
        for one in np.flatnonzero(np.bincount(label) >= least):
            members = label == one
            yield rows[members], 2 * float(np.count_nonzero(members[pairs[:, 0]])) / int(members.sum())


def _bend(detections: Detections, rows: NDArray[np.intp]) -> float:
    """Return the scatter of centres across the line through them, in radii."""
    centre = np.stack([detections["x"][rows], detections["y"][rows]], axis=1)
    across = float(np.linalg.svd(centre - centre.mean(axis=0), compute_uv=False)[1]) / np.sqrt(len(rows))
    return float(across / np.mean(detections["radius"][rows]))


def _encircled(detections: Detections, groups: Sequence[NDArray[np.intp]]) -> tuple[Group, ...]:
    return tuple(Group(rows, _around(detections, rows)) for rows in groups)


def _around(detections: Detections, rows: NDArray[np.intp]) -> Circle:
    x, y, radius = (detections[column][rows] for column in ("x", "y", "radius"))
    middle = ((x - radius).min() + (x + radius).max()) / 2, ((y - radius).min() + (y + radius).max()) / 2
    reach = float((np.hypot(x - middle[0], y - middle[1]) + radius).max())
    return Circle(int(detections["field"][rows[0]]), float(middle[0]), float(middle[1]), reach)
