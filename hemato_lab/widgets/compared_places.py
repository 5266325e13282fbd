"""The places of a comparison for a browser, and the images that they lie in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.comparison.cells import STATES
from hemato_lab.comparison.pairing import pair_files
from hemato_lab.detections import Detections
from hemato_lab.export.reading import AbsentSource
from hemato_lab.smear import Field, Smear
from hemato_lab.widgets.cells import encode_cells
from hemato_lab.widgets.placing import fields_as_files, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hemato_lab.comparison.cells import CellComparison
    from hemato_lab.comparison.model import Comparison
    from hemato_lab.comparison.sides import Side

SIDES: Final = ("first", "second")
_MARGIN: Final = 1.05
"""Of an image without pixels whose size is not known: so much wider than its farthest place."""


@dataclass(frozen=True)
class ComparedPlaces:
    """What two readings list, in the form of a widget's traits.

    Attributes
    ----------
    first, second : bytes
        The cells of either side, see `hemato_lab.widgets.cells.COLUMNS`, in the order of the places.
    places : bytes
        Little-endian int32, shape (n, 4): image, index of the state in `STATES`, row of the first and of the second
        side (-1 where it lists nothing).
    names : list of str
        Names of both sides.
    colours : list of str
        ``#RRGGBB`` of each.
    detections : Detections
        One row a place: as the first side lists it, where it does not as the second.
    """

    first: bytes
    second: bytes
    places: bytes
    names: list[str]
    colours: list[str]
    detections: Detections

    @classmethod
    def of(cls, cells: CellComparison) -> ComparedPlaces:
        """Encode the places of a comparison."""
        listed = [cells[f"{side}_row"] >= 0 for side in SIDES]
        tables = [_side(cells, side, here) for side, here in zip(SIDES, listed, strict=True)]
        both = Detections.concatenate(tables)
        # Encoded together, so that both sides count in one list of names.
        encoded = encode_cells(both, None)
        cut = len(tables[0]) * (len(encoded.cells) // len(both) if len(both) else 0)
        rows = [np.where(here, np.cumsum(here) - 1, -1) for here in listed]
        states = np.array([STATES.index(state) for state in cells["state"].tolist()], np.int32)
        places = np.stack([cells["file"].astype(np.int32), states, *rows], axis=1).astype("<i4")
        shown = np.where(listed[0], rows[0], len(tables[0]) + rows[1])
        sides = encoded.cells[:cut], encoded.cells[cut:]
        return cls(*sides, places.tobytes(), encoded.names, encoded.colours, both.select(shown))


def _side(cells: CellComparison, side: str, here: NDArray[np.bool_]) -> Detections:
    """Return what one side lists; where only a place was marked with the radius of a red cell of the image."""
    file, radius = cells["file"][here], cells[f"{side}_radius"][here]
    red = np.array(cells.rbc_diameter_px)[file] / 2 if cells.files else np.empty(0)
    columns: dict[str, Any] = {name: cells[f"{side}_{name}"][here] for name in ("x", "y", "score")}
    columns |= {"field": file, "radius": np.where(np.isfinite(radius), radius, red)}
    return Detections({**columns, "name": shortened(cells[f"{side}_name"][here].tolist())})


def smear_of(comparison: Comparison, smear: Smear | None) -> Smear:
    """Return the images that both sides have, in the order of the comparison, with pixels where there are any.

    Each image has the pixel size of the smear that its pixels are from; the whole has a scale where all agree.

    Parameters
    ----------
    comparison : Comparison
        Whose analyses may hold the pixels.
    smear : Smear or None
        Images that were given besides.
    """
    holders = [smear, *(side.analysis.smear for side in _sides(comparison) if side.analysis is not None)]
    known = [one for one in holders if one is not None]
    fields = tuple(_fields(comparison, known))
    name = f"{comparison.labels[0]} and {comparison.labels[1]}"
    return Smear(name, fields or (_absent("no image in common", 1, 1),))


def _fields(comparison: Comparison, holders: list[Smear]) -> Iterator[Field]:
    taken: set[str] = set()
    found = [_field_by_pair(comparison, holder) for holder in holders]
    for number, name in enumerate(comparison.cells.files):
        field = next((one[number] for one in found if number in one), None)
        label = _unused(name or f"image {number + 1}", taken)
        taken.add(label)
        if field is None:
            yield _absent(label, *_extent(comparison.cells, number))
        else:
            yield replace(field, name=label)


def _field_by_pair(comparison: Comparison, smear: Smear) -> dict[int, Field]:
    """Return, by number of the common image, the field of a smear that shows it, with the smear's pixel size."""
    fields: dict[int, Field] = {}
    for position, side in enumerate(_sides(comparison)):
        partner = {pair.first: pair.second for pair in pair_files(side.files, fields_as_files(smear)).pairs}
        for number, pair in enumerate(comparison.pairing.pairs):
            own = pair.second if position else pair.first
            if own in partner:
                field = smear.fields[partner[own]]
                um_per_px = field.um_per_px if smear.scale is None else smear.scale.um_per_px
                fields.setdefault(number, replace(field, um_per_px=um_per_px))
    return fields


def _sides(comparison: Comparison) -> tuple[Side, Side]:
    return comparison.first, comparison.second


def _unused(name: str, taken: set[str]) -> str:
    number, label = 1, name
    while label in taken:
        number += 1
        label = f"{name} ({number})"
    return label


def _extent(cells: CellComparison, number: int) -> tuple[int, int]:
    """Return the size in pixels that holds every place of an image."""
    here = cells["file"] == number
    places = [np.concatenate([cells[f"{side}_{axis}"][here] for side in SIDES]) for axis in ("x", "y")]
    width, height = (int(np.max(one[np.isfinite(one)], initial=1.0) * _MARGIN) + 1 for one in places)
    return width, height


def _absent(name: str, width: int, height: int) -> Field:
    return Field(name, AbsentSource(width, height, name), "")


def without_pixels(smear: Smear) -> list[int]:
    """Return the indices of the fields whose pixels are not at hand."""
    return [index for index, field in enumerate(smear.fields) if isinstance(field.source, AbsentSource)]
