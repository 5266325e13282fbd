"""Rules on what is measured in red cells (DOMAIN.md section 3.2): which ones are judged, and what they are.

Ratios are to the median of the judged cells of all fields, so that neither stain nor light decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.vocabulary import RBC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.reference.model import MeasuredRules

    Mask = NDArray[np.bool_]
    Floats = NDArray[np.float64]

POLYCHROMATIC: Final = "polychromatic cell"
SPHEROCYTE: Final = "spherocyte"
HYPOCHROMIC: Final = "hypochromic cell"
NORMAL_DEVIATIONS: Final = 1.4826
"""Standard deviations of a normal spread in one median absolute deviation."""
FEWEST_FOR_MEDIAN: Final = 20
"""Red cells without which there is no median to compare with."""
LEAST_PARASITE_SCORE: Final = 0.1
"""Cells that may hold a parasite from this score on are not judged by their colour: it would be the parasite's."""
NEEDED: Final = ("equivalent_diameter_um", "circularity", "pallor_ratio", "od_red", "od_green")


def red_cells(detections: Detections) -> Mask:
    """Tell which cells are red cells, nucleated ones left out, shape (n,)."""
    return np.asarray(detections.of_kind(RBC) & (detections["name"] != "nucleated RBC"))


def judged(detections: Detections) -> Mask:
    """Tell which red cells can be judged by shape: whole, and not lying over others, shape (n,).

    Cells that were not outlined are taken for apart from others.
    """
    whole = red_cells(detections)
    for column in ("on_border", "overlapped"):
        if column in detections.features:
            whole &= ~(detections[column] == 1)
    return whole


def measured(detections: Detections) -> Mask:
    """Tell which judged red cells were outlined and measured, shape (n,)."""
    if not set(NEEDED) <= set(detections.features):
        return np.zeros(len(detections), np.bool_)
    finite = np.isfinite(np.stack([detections[column] for column in NEEDED])).all(axis=0)
    return np.asarray(judged(detections) & finite)


@dataclass(frozen=True, slots=True)
class RelativeRedCells:
    """Measured red cells relative to their median.

    Attributes
    ----------
    rows : ndarray of int, shape (k,)
        Of the detections.
    diameter, density : ndarray of float64, shape (k,)
        Ratios of equivalent diameter and green optical density.
    red, blueness : ndarray of float64, shape (k,)
        Standard deviations above the median, from median absolute deviations: red optical density, and its ratio to
        the green one.
    pallor, circularity : ndarray of float64, shape (k,)
    """

    rows: NDArray[np.intp]
    diameter: Floats
    density: Floats
    red: Floats
    blueness: Floats
    pallor: Floats
    circularity: Floats


def relative_red_cells(detections: Detections) -> RelativeRedCells | None:
    """Compare the measured red cells with their median; None where there are too few for one."""
    rows = np.flatnonzero(measured(detections))
    if len(rows) < FEWEST_FOR_MEDIAN:
        return None
    diameter, density = detections["equivalent_diameter_um"][rows], detections["od_green"][rows]
    blueness = detections["od_red"][rows] / np.maximum(density, 1e-6)
    return RelativeRedCells(
        rows,
        diameter / np.median(diameter),
        density / np.maximum(np.median(density), 1e-6),
        _deviations(detections["od_red"][rows]),
        _deviations(blueness),
        detections["pallor_ratio"][rows],
        detections["circularity"][rows],
    )


def _deviations(values: Floats) -> Floats:
    off = values - np.median(values)
    spread = NORMAL_DEVIATIONS * float(np.median(np.abs(off)))
    return np.asarray(off / max(spread, 1e-6))


def measured_shapes(detections: Detections, rules: MeasuredRules) -> Mapping[str, Mask]:
    """Tell which red cells are polychromatic, spherocytes or hypochromic by measurement.

    Parameters
    ----------
    detections : Detections
        Of all fields that are fit for it.
    rules : MeasuredRules
        Thresholds.

    Returns
    -------
    mapping of str to ndarray of bool, shape (n,)
        Empty where too few red cells were measured.
    """
    cells = relative_red_cells(detections)
    if cells is None:
        return {}
    free = _free_of_parasites(detections)[cells.rows]
    blue, ball, pale = rules.polychromatic_cell, rules.spherocyte, rules.hypochromic_cell
    polychromatic = (
        (cells.red > blue.deviations_red)
        & (cells.blueness > blue.deviations_blueness)
        & (cells.diameter >= blue.least_diameter_ratio)
        & free
    )
    spherocyte = (
        (cells.diameter < ball.largest_diameter_ratio)
        & (cells.circularity > ball.least_circularity)
        & (cells.pallor < ball.largest_pallor_ratio)
        & (cells.density > ball.least_density_ratio)
        & free
    )
    hypochromic = (cells.pallor > pale.least_pallor_ratio) | (cells.density < pale.largest_density_ratio)
    named = {POLYCHROMATIC: polychromatic, SPHEROCYTE: spherocyte, HYPOCHROMIC: hypochromic & free}
    return {name: _of_all(mask, cells.rows, len(detections)) for name, mask in named.items()}


def _free_of_parasites(detections: Detections) -> Mask:
    if "parasite_score" not in detections.features:
        return np.ones(len(detections), np.bool_)
    return np.asarray(np.nan_to_num(detections["parasite_score"]) < LEAST_PARASITE_SCORE)


def _of_all(mask: Mask, rows: NDArray[Any], count: int) -> Mask:
    whole = np.zeros(count, np.bool_)
    whole[rows[mask]] = True
    return whole
