"""Which cell of one reading is which cell of another.

Pairs are one to one, no further apart than a gate, and together the best there are: the sum over all pairs of gate
minus distance is as large as it can be. That is the assignment problem on distances cut off at the gate (Kuhn, Naval
Research Logistics Quarterly 2 (1955) 83-97), as ``scipy.optimize.linear_sum_assignment`` solves it on a full matrix;
here only pairs within the gate are ever looked at, so memory grows with the number of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from hemato_lab.agreement import DEFAULT_GATE
from hemato_lab.errors import ConfigError
from hemato_lab.vocabulary import TERMS, is_a

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    class Cells(Protocol):
        """A table with the columns field, x, y and name, as `hemato_lab.detections.Detections` is one."""

        def __len__(self) -> int: ...
        def __getitem__(self, column: str, /) -> NDArray[Any]: ...


MOST_NEIGHBOURS: Final = 64
"""Cells within the gate, on average; more mean that the gate is no longer one of cells."""
_UNLIKE_NAMES: Final = 1e-6
"""What a pair of unlike names costs, in gates: it decides between pairs that lie alike, as two findings of one cell."""
_FARTHEST: Final = 1e12
"""In gates: beyond it, distances are no longer told from rounding."""
_APART: Final = 4.0
"""Distance between fields, in gates."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Rows of two tables that belong together; arrays are in the order of the first table's rows.

    Attributes
    ----------
    first, second : array of int, shape (n,)
        Row of each pair in either table.
    distance : array of float, shape (n,)
        Between the centres of each pair, in gates: 0 to 1.
    first_only, second_only : array of int
        Rows without a partner, rising.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    distance: NDArray[np.float64]
    first_only: NDArray[np.intp]
    second_only: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def of_singles(cls, first: int, second: int) -> Matching:
        """Return the matching in which nothing of two tables of these lengths is paired."""
        none = np.empty(0, dtype=np.intp)
        return cls(none, none, np.empty(0), np.arange(first), np.arange(second))


def match_points(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    codes: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None,
    together: NDArray[np.bool_] | None = None,
) -> Matching:
    """Pair points that are at most 1 apart.

    Parameters
    ----------
    first, second : array of shape (n, d) and (m, d)
        Coordinates in gates.
    codes : pair of integer arrays of shape (n,) and (m,), optional
        What each point is; decides between pairs that lie alike.
    together : array of bool, shape (k, k), optional
        Which codes of the first may be paired with which of the second; None for all.

    Returns
    -------
    Matching
        The same for the same points, whatever else is in the process.

    Raises
    ------
    ConfigError
        If more than `MOST_NEIGHBOURS` points lie within the gate of another on average, or a coordinate is not finite
        or lies where no image is.
    """
    from hemato_lab.kernels.assignment import ALONE, assign

    if not all((np.abs(points) < _FARTHEST).all() for points in (first, second)):  # false for NaN too
        raise ConfigError("a place is not finite, or in no image", hint="leave out cells without a credible place")
    rows, columns, costs = _within_gate(first, second)
    if codes is not None:
        kinds = codes[0][rows], codes[1][columns]
        if together is not None:
            kept = together[kinds]
            rows, columns, costs, kinds = rows[kept], columns[kept], costs[kept], (kinds[0][kept], kinds[1][kept])
        costs = costs + _UNLIKE_NAMES * (kinds[0] != kinds[1])
    starts = np.searchsorted(rows, np.arange(len(first) + 1))
    # Dearer than every edge: no pair within the gate is given up for being as dear as none.
    partner = assign(starts, columns, costs, len(second), 1.0 + 2 * _UNLIKE_NAMES)
    paired = np.flatnonzero(partner != ALONE)
    chosen = partner[paired]
    alone = np.ones(len(second), dtype=bool)
    alone[chosen] = False
    apart = np.sqrt(((first[paired] - second[chosen]) ** 2).sum(axis=1))
    return Matching(paired, chosen, apart, np.flatnonzero(partner == ALONE), np.flatnonzero(alone))


def _within_gate(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return all pairs at most 1 apart, by rows and then columns."""
    from scipy.spatial import cKDTree

    if not len(first) or not len(second):
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    trees = cKDTree(first), cKDTree(second)
    pairs = int(trees[0].count_neighbors(trees[1], 1.0))
    if pairs > MOST_NEIGHBOURS * (len(first) + len(second)):
        problem = f"{pairs} pairs of {len(first)} and {len(second)} cells lie within the gate"
        raise ConfigError(problem, hint="use a smaller gate, or check the scale and that no cell is listed many times")
    near = trees[0].sparse_distance_matrix(trees[1], 1.0, output_type="ndarray")
    order = np.lexsort((near["j"], near["i"]))
    return near["i"][order], near["j"][order], near["v"][order]


def match_cells(
    first: Cells,
    second: Cells,
    *,
    rbc_radius_px: float | Sequence[float],
    gate: float = DEFAULT_GATE,
    class_aware: bool = False,
) -> Matching:
    """Pair the cells of two tables that index the same fields.

    Parameters
    ----------
    first, second : Detections or another table of cells
        Their ``field`` numbers mean the same fields.
    rbc_radius_px : float, or one for each field
        Radius of a red cell in pixels.
    gate : float
        How far the centres of a pair may be apart, in radii of a red cell.
    class_aware : bool
        Whether only cells are paired of which one has the name of the other or of a kind of it; otherwise names matter
        only between pairs that lie alike.

    Raises
    ------
    ConfigError
        If the gate or a radius is not positive, a field has no radius, or the gate is too wide for this many cells.
    """
    if not (np.isfinite(gate) and gate > 0):
        raise ConfigError(
            f"a gate of {gate:g} red-cell radii is impossible", hint=f"use {DEFAULT_GATE:g}, or about that"
        )
    names = np.unique(np.concatenate([first["name"], second["name"]]))
    known = np.searchsorted(names, first["name"]), np.searchsorted(names, second["name"])
    radii = np.asarray(rbc_radius_px, dtype=np.float64)
    if not (np.isfinite(radii) & (radii > 0)).all():
        raise ConfigError("the radius of a red cell must be positive", hint="state rbc_diameter_px")
    places = [_places(cells, radii * gate) for cells in (first, second)]
    return match_points(places[0], places[1], codes=known, together=_related(names) if class_aware else None)


def _related(names: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which names are the same, or one a kind of the other; shape (names, names)."""
    related = np.eye(len(names), dtype=bool)
    known = [index for index, name in enumerate(names.tolist()) if name in TERMS]
    for one in known:
        for other in known:
            if is_a(names[one], names[other]):
                related[one, other] = related[other, one] = True
    return related


def _places(cells: Cells, gates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return coordinates in gates; fields are further apart than any gate."""
    fields = cells["field"]
    if gates.ndim and len(fields) and fields.max() >= len(gates):
        raise ConfigError(f"field {fields.max()} has no red-cell radius", hint="give one radius for each field")
    gate = gates[fields] if gates.ndim else np.full(len(cells), gates)
    return np.stack([cells["x"] / gate, cells["y"] / gate, fields * _APART], axis=1)
