"""A table of cells as the browser gets it: one block of numbers, never JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.errors import ConfigError
from hemato_lab.vocabulary import TERMS, detector_class

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections

COLUMNS: Final = ("x", "y", "radius", "score", "field", "name", "major_axis", "minor_axis", "orientation")
"""Of a row, all float32: place and radius in pixels of the field with (0, 0) in the centre of its first pixel, score,
index of the field, index in the names, full axes in pixels and the angle of the major one from +x towards +y (down) in
radians; NaN where not measured."""
UNKNOWN_COLOUR: Final = "#000000"
"""Of a name that is not in the vocabulary."""


@dataclass(frozen=True, slots=True)
class EncodedCells:
    """Cells for a browser.

    Attributes
    ----------
    cells : bytes
        Little-endian float32, shape (n, 9), see `COLUMNS`; rows in the order of the table.
    names : list of str
        The names that occur, in the vocabulary's order, others after them by alphabet.
    colours : list of str
        ``#RRGGBB`` of each name.
    """

    cells: bytes
    names: list[str]
    colours: list[str]


def encode_cells(detections: Detections, um_per_px: float | None) -> EncodedCells:
    """Return a table of cells for a browser.

    Parameters
    ----------
    detections : Detections
        Any number of cells, of any field.
    um_per_px : float or None
        Pixel size by which the cells were measured; without it there are no axes.

    Raises
    ------
    ConfigError
        If a place or radius is not finite.
    """
    check_places(detections)
    names = ordered_names(detections["name"].tolist())
    rows = np.full((len(detections), len(COLUMNS)), np.nan, "<f4")
    for column, name in enumerate(COLUMNS[:5]):
        rows[:, column] = detections[name]
    rows[:, 5] = name_indices(detections["name"], names)
    for column, name in ((6, "major_axis_um"), (7, "minor_axis_um")):
        if name in detections.columns and um_per_px is not None:
            rows[:, column] = detections[name] / um_per_px
    if "orientation_rad" in detections.columns:
        rows[:, 8] = detections["orientation_rad"]
    return EncodedCells(rows.tobytes(), names, colours_of(names))


def check_places(detections: Detections) -> None:
    """Refuse cells that lie nowhere or have no size: raises ConfigError that names the first."""
    for name in ("x", "y", "radius"):
        lost = np.flatnonzero(~np.isfinite(detections[name]))
        if len(lost):
            problem = f"{name} of cell {lost[0]} is {detections[name][lost[0]]}"
            raise ConfigError(problem, hint="leave out cells whose place or radius is not a finite number")


def ordered_names(names: Iterable[str]) -> list[str]:
    """Return every name once, in the vocabulary's order, those that it does not know after them by alphabet."""
    found = set(names)
    return [*(name for name in TERMS if name in found), *sorted(found - set(TERMS))]


def colours_of(names: Iterable[str]) -> list[str]:
    """Return the colour of each name, ``#RRGGBB``."""
    return [TERMS[name].colour if name in TERMS else UNKNOWN_COLOUR for name in names]


def lineages_of(names: Iterable[str]) -> list[str]:
    """Return the cell line of each name, ``other`` where the vocabulary does not have it."""
    return [TERMS[name].lineage if name in TERMS else "other" for name in names]


def classes_of(names: Iterable[str]) -> list[str]:
    """Return which detector class each name rolls up to, empty for none."""
    return [(detector_class(name) or "") if name in TERMS else "" for name in names]


def name_indices(column: NDArray[np.str_], names: list[str]) -> NDArray[np.int64]:
    """Return for each of many names its index in `names`, shape (n,)."""
    found, which = np.unique(column, return_inverse=True)
    index = np.array([names.index(str(name)) for name in found], np.int64)
    return index[which] if len(found) else np.empty(0, np.int64)
