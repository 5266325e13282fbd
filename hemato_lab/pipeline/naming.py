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
from hemato_lab.detectors.parasite_map import ParasiteMap
from hemato_lab.networks import load_network
from hemato_lab.vocabulary import RBC, WBC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
PARASITE_NETWORK: Final = "parasites"
"""Network that draws the map of parasites."""
SUREST: Final = 1e-6
"""Scores nearer to 0 and 1 count as this far away."""


def load_classifiers() -> dict[str, NetworkClassifier]:
    """Make the classifiers that ship with the package; their models are read when they are first used."""
    return {name: NetworkClassifier(name) for name in NETWORKS}


def joint_score(seen_in_map: Floats, classifier: Floats, plane: Mapping[str, float]) -> Floats:
    """Return one probability of what two networks have looked for in the same cells.

    Parameters
    ----------
    seen_in_map, classifier : arrays of shape (n,)
        Probabilities of each.
    plane : mapping
        ``with_map`` of the classifier's card.

    Returns
    -------
    array of shape (n,)
    """
    first, second = (special.logit(np.clip(score, SUREST, 1 - SUREST)) for score in (seen_in_map, classifier))
    return np.asarray(special.expit(plane["map"] * first + plane["classifier"] * second + plane["intercept"]))


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
    parasite_map : callable
        Gives each of a tile's red cells the probability that it holds a parasite, by a look at the field.
    """

    calibration: FieldCalibration
    classifiers: Mapping[str, NetworkClassifier]
    parasite_map: Callable[[Tile, Detections], Floats]

    def __call__(self, tile: Tile, cells: Detections) -> Detections:
        """Return the cells of a tile, in their order, with the names that the classifiers give them."""
        red, white = cells["name"] == RBC, cells["name"] == WBC
        named = _Names(cells["name"].astype(object), np.full(len(cells), np.nan), np.full(len(cells), np.nan))
        self._name_white_cells(tile, cells, np.flatnonzero(white), named)
        infected = self._name_parasites(tile, cells, np.flatnonzero(red), named)
        others = np.setdiff1d(np.flatnonzero(red), infected)
        named.name[others] = UNCATEGORISED
        self._name_shapes(tile, cells, others[cells["on_border"][others] == 0], named)
        # The shape's probability holds for a cell without a parasite.
        named.confidence[others] *= 1 - named.parasite[others]
        return cells.with_columns(
            name=named.name.astype(str),
            name_confidence=np.round(named.confidence, 4),
            parasite_score=np.round(named.parasite, 4),
        )

    def _name_white_cells(self, tile: Tile, cells: Detections, rows: Rows, named: _Names) -> None:
        if len(rows):
            seen = self._seen("white-cells", tile, cells.select(rows))
            named.give(rows, np.where(seen.unknown, UNCLASSIFIED, seen.names), seen)

    def _name_shapes(self, tile: Tile, cells: Detections, rows: Rows, named: _Names) -> None:
        if len(rows):
            together = {} if self.calibration.scale.origin == "stated um/px" else WITHOUT_SIZES
            seen = self._seen("red-cell-shape", tile, cells.select(rows), together=together)
            named.give(rows, np.where(seen.unknown, UNCATEGORISED, seen.names), seen)

    def _name_parasites(self, tile: Tile, cells: Detections, rows: Rows, named: _Names) -> Rows:
        """Name the parasitised ones of the red cells and return their rows."""
        if len(rows) == 0:
            return rows
        plane = self.classifiers["malaria"].with_map
        named.parasite[rows] = self.parasite_map(tile, cells.select(rows))
        # The classifier alone calls too many cells parasitised, and looking closer takes time.
        rows = rows[named.parasite[rows] >= plane["least"]]
        if len(rows) == 0:
            return rows
        seen = self._seen("malaria", tile, cells.select(rows))
        stages = [index for index, name in enumerate(seen.classes) if name != UNINFECTED]
        probability = seen.probabilities[:, stages]
        named.parasite[rows] = joint_score(named.parasite[rows], probability.sum(axis=1), plane)
        infected = named.parasite[rows] >= plane["threshold"]
        share = probability[infected] / np.maximum(probability[infected].sum(axis=1, keepdims=True), SUREST)
        named.name[rows[infected]] = np.array(seen.classes)[stages][np.argmax(share, axis=1)]
        named.confidence[rows[infected]] = share.max(axis=1, initial=0.0)
        return rows[infected]

    def _seen(
        self, name: str, tile: Tile, cells: Detections, *, together: Mapping[str, str] = MappingProxyType({})
    ) -> Classification:
        return classified(self.classifiers[name], self.calibration, tile, cells, together=together)


def classified(
    classifier: NetworkClassifier,
    calibration: FieldCalibration,
    tile: Tile,
    cells: Detections,
    *,
    together: Mapping[str, str] = MappingProxyType({}),
) -> Classification:
    """Return what a classifier makes of the cells of a tile, in their order; see `NetworkClassifier`."""
    centres = np.stack([cells["x"], cells["y"]], axis=1)
    densities = cut_cells(tile.pixels, tile.window, calibration, centres, classifier.shape)
    return classifier.classify_densities(densities, together=together)


def make_namer(calibration: FieldCalibration, classifiers: Mapping[str, NetworkClassifier]) -> CellNamer:
    """Make the namer of a field that looks for parasites with the network that ships.

    Raises
    ------
    ModelError
        If that network is missing or damaged.
    """
    return CellNamer(calibration, classifiers, ParasiteMap(calibration, load_network(PARASITE_NETWORK)))
