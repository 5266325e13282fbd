"""What a reading lists: one row a place, whatever it calls it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections

Row = tuple[int, float, float, float, str, float]
"""File, x, y, radius, name and score."""
FARTHEST_PX: Final = 1e7
"""No image is wider than this: what lies farther lies in none."""
LARGEST_RADIUS_PX: Final = 1e5
LONGEST_NAME: Final = 200
"""Characters; every row of a table of names takes as much room as the longest."""
_LEAST_RADIUS_PX: Final = 0.01
_COLUMNS: Final = ("file", "x", "y", "radius", "name", "score")


def sane_radius(radius: float) -> float:
    """Return a radius in pixels, NaN where it is none that anything in an image could have."""
    return radius if _LEAST_RADIUS_PX <= radius <= LARGEST_RADIUS_PX else math.nan


@dataclass(frozen=True)
class Listed:
    """Cells or findings with their places; columns of equal length.

    Attributes
    ----------
    file : int array
        Index of the file among those of its side.
    x, y, radius : float arrays
        In pixels of the file; the radius is NaN where only a place was marked.
    name : array of str
        As the reading calls it: vendors' names may be any text.
    score : float array
        Confidence in [0, 1], NaN where none is stated.
    """

    file: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    radius: NDArray[np.float64]
    name: NDArray[Any]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Return a column; ``field`` is another word for ``file``."""
        return np.asarray(getattr(self, "file" if column == "field" else column))

    @classmethod
    def of_rows(cls, rows: Iterable[Row]) -> Listed:
        """Return the table of rows."""
        columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
        file, x, y, radius, name, score = columns
        return cls(
            np.array(file, dtype=np.int64),
            np.array(x, dtype=np.float64),
            np.array(y, dtype=np.float64),
            np.array(radius, dtype=np.float64),
            np.array(name, dtype=np.str_),
            np.array(score, dtype=np.float64),
        )

    @classmethod
    def of_detections(cls, cells: Detections) -> Listed:
        """Return the table of the cells of an analysis."""
        file = cells["field"].astype(np.int64)
        return cls(file, cells["x"], cells["y"], cells["radius"], cells["name"], cells["score"])

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Listed:
        """Return the rows of a mask or an index array, in its order."""
        return Listed(*(self[column][rows] for column in _COLUMNS))

    def lying_in(self, files: Collection[int]) -> int:
        """Return how many rows lie in the given files."""
        return int(np.count_nonzero(np.isin(self.file, list(files))))

    def in_files(self, renumbered: dict[int, int]) -> tuple[Listed, NDArray[np.intp]]:
        """Return the rows that lie in the given files under their new numbers, and which rows these are."""
        rows = np.flatnonzero(np.isin(self.file, list(renumbered)))
        kept = self.select(rows)
        file = np.array([renumbered[number] for number in kept.file.tolist()], dtype=np.int64)
        return Listed(file, *(kept[column] for column in _COLUMNS[1:])), rows
