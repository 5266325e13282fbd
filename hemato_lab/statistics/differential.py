"""The differential: what share of the white cells is of each type (DOMAIN.md sections 2.7 and 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.errors import ConfigError
from hemato_lab.statistics.rounding import quantised, written_limit
from hemato_lab.statistics.shares import MINIMUM_WBC, ShareEstimate, cells_needed, ratio_of, share_of
from hemato_lab.vocabulary import TERMS, WBC, is_a

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections

NUCLEATED_RED_CELL: Final = "nucleated RBC"
SMUDGE_CELL: Final = "smudge cell"
UNCLASSIFIED: Final = "unclassified WBC"
OUTSIDE: Final = (NUCLEATED_RED_CELL, SMUDGE_CELL)
"""Counted per 100 white cells, but no part of the differential's total."""
HALF_WIDTH: Final = 0.05
"""To within how much of all white cells a type is to be told, for the cells that this needs."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type of white cell.

    Attributes
    ----------
    estimate : ShareEstimate
        Among all white cells.
    cells_needed : int
        White cells to be counted for limits within `HALF_WIDTH` of this share.
    """

    estimate: ShareEstimate
    cells_needed: int


@dataclass(frozen=True, slots=True)
class Differential:
    """White cells by type.

    Attributes
    ----------
    total : int
        White cells, unclassified ones too; nucleated red cells and smudge cells are none of them.
    types : mapping of str to Type
        Of every type seen, in the order of the vocabulary; narrower types count for the widest type they are a kind of.
    nucleated_red_cells, smudge_cells : ShareEstimate
        To white cells.
    """

    total: int
    types: Mapping[str, Type]
    nucleated_red_cells: ShareEstimate
    smudge_cells: ShareEstimate

    def to_dict(self) -> dict[str, Any]:
        """Return what the report's extension says about it, JSON-ready."""
        return {
            "n": self.total,
            "unit": "%",
            "types": {
                name: {
                    **_counted(one.estimate),
                    f"cells_needed_within_{100 * HALF_WIDTH:.0f}_percent": one.cells_needed,
                }
                for name, one in self.types.items()
            },
            "per_100_white_cells": {
                NUCLEATED_RED_CELL: _counted(self.nucleated_red_cells),
                SMUDGE_CELL: _counted(self.smudge_cells),
            },
            "insufficient_count": self.total < MINIMUM_WBC,
        }


def differential(detections: Detections, fields: int) -> Differential:
    """Count the white cells by type.

    Parameters
    ----------
    detections : Detections
        Named cells of the fields that are fit for it.
    fields : int
        Number of fields that the column ``field`` refers to.
    """
    white = detections.select(white_cells(detections))
    names = np.array([_widest_type(name) for name in white["name"].tolist()], dtype="<U32")
    seen = [name for name in TERMS if name in set(names.tolist())]
    types = {}
    for name in seen:
        estimate = share_of(names == name, white["field"], fields)
        types[name] = Type(estimate, cells_needed(estimate.share, HALF_WIDTH))
    besides = {
        name: ratio_of(detections["field"][detections["name"] == name], white["field"], fields) for name in OUTSIDE
    }
    return Differential(len(white), types, besides[NUCLEATED_RED_CELL], besides[SMUDGE_CELL])


def white_cells(detections: Detections) -> NDArray[np.bool_]:
    """Tell which cells are in the differential's total, shape (n,)."""
    return detections.of_kind(WBC) & ~np.isin(detections["name"], OUTSIDE)


def _counted(estimate: ShareEstimate) -> dict[str, Any]:
    return {
        "count": estimate.count,
        "value": quantised(100 * estimate.share),
        "limits_95": [written_limit(100 * limit) for limit in estimate.limits],
    }


def corrected_white_cells(counted: float, nucleated_per_100: float, *, above: float = 5.0) -> float:
    """Return an analyser's white cells without the nucleated red cells that it counted among them.

    ``counted * 100 / (100 + nucleated_per_100)`` when there are more than `above` of them (DOMAIN.md section 2.5). A
    count of white cells on the film holds none and needs no correction.

    Parameters
    ----------
    counted : float
        White cells, any unit.
    nucleated_per_100 : float
        Nucleated red cells for 100 white cells.
    above : float
        Correction begins above so many.

    Raises
    ------
    ConfigError
        If a number is negative.
    """
    if counted < 0 or nucleated_per_100 < 0:
        raise ConfigError(f"{counted:g} white cells and {nucleated_per_100:g} nucleated red cells are impossible")
    return counted * 100 / (100 + nucleated_per_100) if nucleated_per_100 > above else counted


def _widest_type(name: str) -> str:
    """Return the type just below WBC that a name is a kind of; WBC itself is unclassified."""
    if name == WBC:
        return UNCLASSIFIED
    while (parent := TERMS[name].parent) not in (WBC, None):
        name = parent
    return name if is_a(name, WBC) else UNCLASSIFIED
