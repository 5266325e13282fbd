"""How many parasites there are: percent of red cells, and per microlitre in two ways (DOMAIN.md section 2.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.statistics.rounding import quantised, written_limit
from hemato_lab.statistics.shares import ShareEstimate, detection_limit, ratio_of, share_of
from hemato_lab.vocabulary import RBC, WBC

if TYPE_CHECKING:
    from hemato_lab.detections import Detections
    from hemato_lab.statistics.limits import Limits

PARASITISED: Final = "parasitised RBC"
GAMETOCYTE: Final = "gametocyte"


@dataclass(frozen=True, slots=True)
class Parasitaemia:
    """Parasites of a smear.

    A red cell with several parasites counts once.

    Attributes
    ----------
    infected : ShareEstimate
        Parasitised red cells among all red cells found.
    asexual : ShareEstimate
        The same without gametocytes, which do not count for the severity of falciparum malaria.
    to_white_cells : ShareEstimate
        Parasitised red cells to white cells found.
    rbc_per_ul, wbc_per_ul : float
        Measured or assumed.
    sensitivity : float
        Share of parasitised red cells that are recognised.
    """

    infected: ShareEstimate
    asexual: ShareEstimate
    to_white_cells: ShareEstimate
    rbc_per_ul: float
    wbc_per_ul: float
    sensitivity: float

    @property
    def per_ul_by_red_cells(self) -> float:
        """Infected share times red cells per microlitre."""
        return self.infected.share * self.rbc_per_ul

    @property
    def limits_by_red_cells(self) -> Limits:
        """95 % limits, the red-cell concentration taken as exact."""
        return self.infected.limits.scaled(self.rbc_per_ul)

    @property
    def per_ul_by_white_cells(self) -> float | None:
        """Parasites to white cells times white cells per microlitre; None where no white cell was found."""
        return self.to_white_cells.share * self.wbc_per_ul if self.to_white_cells.reference else None

    @property
    def limits_by_white_cells(self) -> Limits:
        """95 % limits, the white-cell concentration taken as exact; the upper one infinite without white cells."""
        return self.to_white_cells.limits.scaled(self.wbc_per_ul)

    @property
    def detection_limit(self) -> float:
        """The least infected share that this sample would have shown with 95 % probability."""
        return detection_limit(self.infected.reference, sensitivity=self.sensitivity)

    @property
    def detection_limit_per_ul(self) -> float:
        """The same per microlitre."""
        return self.detection_limit * self.rbc_per_ul

    def to_dict(self) -> dict[str, Any]:
        """Return what the report's extension says about it, JSON-ready."""
        by_white = self.per_ul_by_white_cells
        return {
            "infected": _counted(self.infected),
            "without_gametocytes": _counted(self.asexual),
            "per_ul_by_red_cells": {
                "value": quantised(self.per_ul_by_red_cells),
                "limits_95": [written_limit(limit) for limit in self.limits_by_red_cells],
                "red_cells_per_ul": self.rbc_per_ul,
            },
            "per_ul_by_white_cells": {
                "value": None if by_white is None else quantised(by_white),
                "limits_95": [written_limit(limit) for limit in self.limits_by_white_cells],
                "white_cells": self.to_white_cells.reference,
                "white_cells_per_ul": self.wbc_per_ul,
            },
            "detection_limit": {
                "percent": quantised(100 * self.detection_limit),
                "per_ul": quantised(self.detection_limit_per_ul),
                "sensitivity": self.sensitivity,
            },
        }


def _counted(estimate: ShareEstimate) -> dict[str, Any]:
    return {
        "n": estimate.count,
        "n_reference": estimate.reference,
        "percent": quantised(100 * estimate.share),
        "limits_95": [written_limit(100 * limit) for limit in estimate.limits],
    }


def parasitaemia(
    detections: Detections, fields: int, *, rbc_per_ul: float, wbc_per_ul: float, sensitivity: float
) -> Parasitaemia:
    """Estimate the parasites of a smear whose red cells were searched for them.

    Parameters
    ----------
    detections : Detections
        Cells of the fields that are fit for it, named.
    fields : int
        Number of fields that the column ``field`` refers to.
    rbc_per_ul, wbc_per_ul : float
        Measured or assumed concentrations.
    sensitivity : float
        Share of parasitised red cells that are recognised, in (0, 1].
    """
    red = detections.select(detections.of_kind(RBC) & (detections["name"] != "nucleated RBC"))
    white = detections.select(detections.of_kind(WBC) & (detections["name"] != "nucleated RBC"))
    infected = red.of_kind(PARASITISED)
    return Parasitaemia(
        share_of(infected, red["field"], fields),
        share_of(infected & (red["name"] != GAMETOCYTE), red["field"], fields),
        ratio_of(red["field"][infected], white["field"], fields),
        rbc_per_ul,
        wbc_per_ul,
        sensitivity,
    )


def is_searched(detections: Detections) -> bool:
    """Tell whether parasites were looked for in the red cells."""
    if "parasite_score" not in detections.features:
        return False
    return bool(np.isfinite(detections["parasite_score"]).any())
