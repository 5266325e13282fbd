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

    def leaves_open(self, file: int, x: float, y: float, rbc_radius_px: float) -> bool:
        """Tell whether a place lies within one that is left open, or within a red cell's radius of it."""
        places = self.open_places
        apart = np.hypot(places.x - x, places.y - y)
        return bool(np.any((places.file == file) & (apart <= np.fmax(places.radius, rbc_radius_px))))


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
        for row in np.flatnonzero(columns["state"] == f"{own} only").tolist():
            file, name = int(columns["file"][row]), str(columns[f"{own}_common"][row])
            x, y = float(columns[f"{own}_x"][row]), float(columns[f"{own}_y"][row])
            if not other.looked_for(name, file):
                keep[row], reasons[_NOT_LOOKED_FOR] = False, reasons[_NOT_LOOKED_FOR] + 1
            elif len(other.open_places) and other.leaves_open(file, x, y, rbc_radii_px[file]):
                keep[row], reasons[_LEFT_OPEN] = False, reasons[_LEFT_OPEN] + 1
    return keep, dict(reasons)
