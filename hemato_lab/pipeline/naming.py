"""From kinds of cells to their names: white cells by type, red cells by parasite and by shape.

A classifier that does not know a cell says so, and the cell keeps the widest name that is still true: ``unclassified
WBC``, ``uncategorised RBC``.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hemato_lab.classifiers import NETWORKS
from hemato_lab.classifiers.crops import cut_cells
from hemato_lab.classifiers.network import NetworkClassifier
from hemato_lab.vocabulary import RBC, WBC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.classifiers.base import Classification
    from hemato_lab.detections import Detections
    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.smear import Tile

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

UNCLASSIFIED: Final = "unclassified WBC"
UNCATEGORISED: Final = "uncategorised RBC"
NORMAL: Final = "normal RBC"
WITHOUT_SIZES: Final = MappingProxyType({"macrocyte": NORMAL, "microcyte": NORMAL})
"""Cells of another size count as normal where the scale rests on red cells and cannot judge theirs (DOMAIN.md 2.3)."""
UNINFECTED: Final = "uninfected RBC"
COLUMNS: Final = ("name_confidence", "parasite_score")
"""Columns that naming adds or fills: probability of a cell's name, and of a parasite in a red cell; NaN where not
looked for."""
SUREST: Final = 1e-6
"""Scores nearer to 0 and 1 count as this far away."""


def load_classifiers() -> dict[str, NetworkClassifier]:
    """Make the classifiers that ship with the package; their models are read when they are first used."""
    return {name: NetworkClassifier(name) for name in NETWORKS}


def joint_score(detector: Floats, classifier: Floats, plane: Mapping[str, float]) -> Floats:
    """Return one probability of what two networks have looked for in the same cells.

    Parameters
    ----------
    detector, classifier : arrays of shape (n,)
        Probabilities of each.
    plane : mapping
        ``with_detector`` of the classifier's card.

    Returns
    -------
    array of shape (n,)
    """
    first, second = (special.logit(np.clip(score, SUREST, 1 - SUREST)) for score in (detector, classifier))
    return np.asarray(special.expit(plane["detector"] * first + plane["classifier"] * second + plane["intercept"]))


@dataclass(frozen=True)
class _Names:
    """What is known of each cell of a tile so far; its arrays are filled in."""

    name: NDArray[np.object_]
    confidence: Floats
    parasite: Floats

    def give(self, rows: Rows, names: NDArray[np.str_], seen: Classification) -> None:
        """Name cells; the confidence is that of a name that the classifier knows."""
        self.name[rows] = names
        self.confidence[rows] = np.where(seen.unknown, np.nan, seen.confidences)


@dataclass(frozen=True)
class CellNamer:
    """Names the cells of one field, tile by tile; safe to use from several threads.

    Attributes
    ----------
    calibration : FieldCalibration
        Of the field.
    classifiers : mapping of str to NetworkClassifier
        By the names of `NETWORKS`; made once for all fields.
    """

    calibration: FieldCalibration
    classifiers: Mapping[str, NetworkClassifier]

    def __call__(self, tile: Tile, cells: Detections) -> Detections:
        """Return the cells of a tile, in their order, with the names that the classifiers give them."""
        red, white = cells["name"] == RBC, cells["name"] == WBC
        # Without a look at the field the classifier alone calls too many cells parasitised.
        parasite = np.where(red, cells.columns.get("parasite_score", np.nan), np.nan)
        named = _Names(cells["name"].astype(object), np.full(len(cells), np.nan), parasite)
        self._name_white_cells(tile, cells, np.flatnonzero(white), named)
        infected = self._name_parasites(tile, cells, np.flatnonzero(red & ~np.isnan(parasite)), named)
        others = np.setdiff1d(np.flatnonzero(red), infected)
        named.name[others] = UNCATEGORISED
        self._name_shapes(tile, cells, others[cells["on_border"][others] == 0], named)
        return cells.with_columns(
            name=named.name.astype(str),
            name_confidence=np.round(named.confidence, 4),
            parasite_score=np.round(named.parasite, 4),
        )

    def _name_white_cells(self, tile: Tile, cells: Detections, rows: Rows, named: _Names) -> None:
        if len(rows):
            seen = self.classified("white-cells", tile, cells.select(rows))
            named.give(rows, np.where(seen.unknown, UNCLASSIFIED, seen.names), seen)

    def _name_shapes(self, tile: Tile, cells: Detections, rows: Rows, named: _Names) -> None:
        if len(rows):
            together = {} if self.calibration.scale.origin == "stated um/px" else WITHOUT_SIZES
            seen = self.classified("red-cell-shape", tile, cells.select(rows), together=together)
            named.give(rows, np.where(seen.unknown, UNCATEGORISED, seen.names), seen)

    def _name_parasites(self, tile: Tile, cells: Detections, rows: Rows, named: _Names) -> Rows:
        """Name the parasitised ones of the red cells and return their rows."""
        if len(rows) == 0:
            return rows
        seen = self.classified("malaria", tile, cells.select(rows))
        plane = self.classifiers["malaria"].with_detector
        stages = [index for index, name in enumerate(seen.classes) if name != UNINFECTED]
        probability = seen.probabilities[:, stages]
        named.parasite[rows] = joint_score(named.parasite[rows], probability.sum(axis=1), plane)
        infected = named.parasite[rows] >= plane["threshold"]
        share = probability[infected] / np.maximum(probability[infected].sum(axis=1, keepdims=True), SUREST)
        named.name[rows[infected]] = np.array(seen.classes)[stages][np.argmax(share, axis=1)]
        named.confidence[rows[infected]] = share.max(axis=1, initial=0.0)
        return rows[infected]

    def classified(
        self, name: str, tile: Tile, cells: Detections, *, together: Mapping[str, str] = MappingProxyType({})
    ) -> Classification:
        """Return what a classifier makes of the cells of a tile, in their order; see `NetworkClassifier`."""
        classifier = self.classifiers[name]
        centres = np.stack([cells["x"], cells["y"]], axis=1)
        return classifier.classify_densities(
            cut_cells(tile.pixels, tile.window, self.calibration, centres, classifier.shape), together=together
        )
