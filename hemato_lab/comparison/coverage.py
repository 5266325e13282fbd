"""What a reading would have listed if it had seen it: without that, being unlisted means nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.comparison.sides import assessed_names
from hemato_lab.vocabulary import TERMS, is_a

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hemato_lab.comparison.listing import Listed
    from hemato_lab.comparison.sides import Side

_NOT_LOOKED_FOR: Final = "of a name that the other side did not look for there"
_LEFT_OPEN: Final = "where the annotation leaves open what it is"

_OPEN_AT_ONCE: Final = 64
"""Open places whose neighbours are held in memory."""


@dataclass(frozen=True)
class Coverage:
    """What one side looked for.

    Attributes
    ----------
    names : sequence of frozenset of str or None
        For each image that both sides have; None for every name.
    open_places : Listed
        Places that it marks as neither one thing nor the other.
    """

    names: Sequence[frozenset[str] | None]
    open_places: Listed

    @classmethod
    def of(cls, side: Side, files: Sequence[int], *, findings_only: bool) -> Coverage:
        """Return the coverage of some images of a side, in this order."""
        open_places, _ = side.ignored.in_files({file: number for number, file in enumerate(files)})
        if findings_only and side.report is not None:
            return cls([assessed_names(side.report)] * len(files), open_places)
        return cls([side.files[file].covered for file in files], open_places)

    def looked_for(self, name: str, file: int) -> bool:
        """Tell whether a name, or a wider one, was looked for in an image."""
        names = self.names[file]
        if names is None or name in names:
            return True
        return name in TERMS and any(is_a(name, wider) for wider in names if wider in TERMS)

    def leaves_open(
        self, file: int, x: NDArray[np.float64], y: NDArray[np.float64], rbc_radius_px: float
    ) -> NDArray[np.bool_]:
        """Tell which places of an image lie within one that is left open, or within a red cell's radius of it."""
        from scipy.spatial import cKDTree

        places = self.open_places.select(self.open_places.file == file)
        inside = np.zeros(len(x), dtype=bool)
        if not len(places) or not len(x):
            return inside
        tree = cKDTree(np.stack([x, y], axis=1))
        centres, reach = np.stack([places.x, places.y], axis=1), np.nan_to_num(np.fmax(places.radius, rbc_radius_px))
        for start in range(0, len(places), _OPEN_AT_ONCE):
            some = slice(start, start + _OPEN_AT_ONCE)
            for near in tree.query_ball_point(centres[some], reach[some]):
                inside[near] = True
        return inside


def comparable(
    columns: Mapping[str, NDArray[Any]], first: Coverage, second: Coverage, rbc_radii_px: Sequence[float]
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Tell which rows of a comparison count, and how many do not by the reason why.

    A place that one side alone lists counts when the other side looked for such a thing there and did not leave it
    open.
    """
    keep = np.ones(len(columns["state"]), dtype=bool)
    reasons: Counter[str] = Counter()
    for own, other in (("first", second), ("second", first)):
        alone = columns["state"] == f"{own} only"
        for file in np.unique(columns["file"][alone]).tolist():
            rows = np.flatnonzero(alone & (columns["file"] == file))
            names, inverse = np.unique(columns[f"{own}_common"][rows], return_inverse=True)
            sought = np.array([other.looked_for(name, file) for name in names.tolist()], dtype=bool)[inverse]
            x, y = (columns[f"{own}_{axis}"][rows] for axis in ("x", "y"))
            left_open = sought & other.leaves_open(file, x, y, rbc_radii_px[file])
            keep[rows] = sought & ~left_open
            reasons.update({_NOT_LOOKED_FOR: int((~sought).sum()), _LEFT_OPEN: int(left_open.sum())})
    return keep, {reason: count for reason, count in reasons.items() if count}
