"""What reports and annotations list, placed on the fields of a smear whose pixels are at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.comparison.pairing import pair_files
from hemato_lab.comparison.sides import SideFile, listed_diameter, side_of
from hemato_lab.detections import NAME_DTYPE, Detections
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from hemato_lab.comparison.listing import Listed
    from hemato_lab.comparison.pairing import FilePairing
    from hemato_lab.comparison.sides import Side, Source
    from hemato_lab.smear import Smear

_LONGEST_NAME: Final = NAME_DTYPE.itemsize // 4
_IMPRECISE: Final = "their radius is that of a red cell"


@dataclass(frozen=True, slots=True)
class Placed:
    """What a reading lists on a smear.

    Attributes
    ----------
    label : str
        What the reading is called.
    detections : Detections
        One row a place, ``field`` counted in the smear; the score is NaN where the reading states none.
    remarks : tuple of str
        What to know before looking: places that no image of the smear holds, counts without a place.
    """

    label: str
    detections: Detections
    remarks: tuple[str, ...]


def place_on(smear: Smear, reading: Source | Side) -> Placed:
    """Place what a reading lists on the fields of a smear.

    Images are recognised by their content, or by name where one side knows no hash of it.

    Parameters
    ----------
    smear : Smear
        Whose pixels are shown.
    reading : Report, RemoteStudy, DetectionSet, Analysis, path or Side
        What was read of these images.

    Raises
    ------
    ConfigError
        If the smear holds none of the images, or the size of what is listed is not known.
    """
    side = side_of(reading)
    pairing = files_in(smear, side)
    listed = side.listed(findings_only=False)
    placed, _ = listed.in_files({pair.first: pair.second for pair in pairing.pairs})
    beyond = len(listed) - len(placed)
    return Placed(side.label, _detections(smear, side, placed), tuple(_remarks(side, pairing, placed, beyond)))


def files_in(smear: Smear, side: Side) -> FilePairing:
    """Find the images of a reading among the fields of a smear.

    Raises
    ------
    ConfigError
        If none is there although the reading has some.
    """
    pairing = pair_files(side.files, fields_as_files(smear))
    if side.files and not pairing.pairs:
        raise ConfigError(
            f"none of its {len(side.files)} images is among the {len(smear)} fields of {smear.name}",
            subject=side.label,
            hint="open the very images that were read, with open_smear, and give them as smear=",
        )
    return pairing


def fields_as_files(smear: Smear) -> tuple[SideFile, ...]:
    """Return the fields of a smear in the form by which images are recognised."""
    diameter = None if smear.scale is None else smear.scale.rbc_diameter_px
    return tuple(SideFile(one.name, frozenset({one.file_id}), diameter) for one in smear.fields)


def _detections(smear: Smear, side: Side, placed: Listed) -> Detections:
    columns = {
        "field": placed.file,
        "x": placed.x,
        "y": placed.y,
        "radius": _radii(smear, side, placed),
        "name": shortened(placed.name.tolist()),
        "score": placed.score,
    }
    return Detections(columns)


def _radii(smear: Smear, side: Side, placed: Listed) -> NDArray[np.float64]:
    """Return the radii in pixels; where only a place is listed that of a red cell."""
    unknown = ~np.isfinite(placed.radius)
    if not unknown.any():
        return placed.radius
    stated = [one.rbc_diameter_px for one in side.files if one.rbc_diameter_px is not None]
    diameter = (
        smear.scale.rbc_diameter_px if smear.scale is not None else stated[0] if stated else listed_diameter(placed)
    )
    if diameter is None:
        problem = f"{np.count_nonzero(unknown)} of its places have no size, and that of a red cell is not known"
        raise ConfigError(problem, subject=side.label, hint="open the smear with rbc_diameter_px or um_per_px")
    return np.where(unknown, diameter / 2, placed.radius)


def shortened(names: Sequence[str]) -> NDArray[np.str_]:
    """Return names as a column of a table of cells, those of other vendors cut where they are too long for it."""
    cut = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names]
    return np.array(cut, dtype=NAME_DTYPE)


def _remarks(side: Side, pairing: FilePairing, placed: Listed, beyond: int) -> Iterator[str]:
    if side.kind in {"report", "remote study"}:
        yield "only what the report lists is marked, not every cell that it counted"
    if pairing.first_only:
        yield f"{len(pairing.first_only)} of its images are not here, with {beyond} of its places"
    if any(pair.by == "name" for pair in pairing.pairs):
        yield "images were recognised by their names alone; whether their pixels are the same is not known"
    if side.unplaced:
        counted = ", ".join(f"{name}: {count}" for name, count in sorted(side.unplaced.items()))
        yield f"without a place, as the report does not say in which image they lie: {counted}"
    if side.misplaced:
        yield f"{side.misplaced} places are in no image"
    if missing := int(np.count_nonzero(~np.isfinite(placed.radius))):
        yield f"{missing} places have no size; {_IMPRECISE}"
