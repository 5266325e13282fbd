"""The scale of a smear: stated, or read from its red cells; and whether the two agree.

Order of trust: a stated pixel size, a stated red-cell diameter, the pixel size that the files state, the ruler.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.imaging.ruler import RulerReading, read_ruler
from hemato_lab.smear import CREDIBLE_UM_PER_PX, RED_CELL_DIAMETER_UM, Scale, Smear

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hemato_lab.imaging.illumination import Illumination

MOST_FIELDS_READ: Final = 12
"""A smear's fields share one microscope: the ruler reads at most this many, evenly spread."""
LARGEST_DISAGREEMENT: Final = 0.15
"""A scale and the ruler's reading in a field may differ by this much before it is flagged (DOMAIN.md section 2.3)."""
LEAST_AGREEING_SHARE: Final = 0.75
"""Of the readings of one smear; with fewer within `LARGEST_DISAGREEMENT` of their median no scale is believed."""
Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""What ``map`` is: applies a function to each of many, results in their order."""
_FIELDS_NAMED: Final = 2
"""Fields that a message names for each size."""


@dataclass(frozen=True)
class ScaleReading:
    """The scale of a smear and the ruler's readings it rests on or was compared with.

    Attributes
    ----------
    scale : Scale
        To use.
    readings : mapping of int to RulerReading
        By index of the field; fields in which the ruler could not read are absent.
    """

    scale: Scale
    readings: Mapping[int, RulerReading]

    def disagreement(self, field: int) -> float | None:
        """Return how far the ruler's reading in a field is from the scale, None where it did not read."""
        if field not in self.readings:
            return None
        return round(self.readings[field].diameter_px / self.scale.rbc_diameter_px - 1, 4)


def read_scale(
    smear: Smear, illuminations: Mapping[int, Illumination], *, each: Each = map, most_fields: int = MOST_FIELDS_READ
) -> ScaleReading:
    """Take the stated scale of a smear, or estimate it from the red cells.

    Parameters
    ----------
    smear : Smear
        With or without a stated scale.
    illuminations : mapping of int to Illumination
        Of the fields that could be read, by index.
    each : callable
        Applies the ruler to the fields as ``map`` does; that of a pool reads several at a time.
    most_fields : int
        The ruler reads so many, evenly spread.

    Raises
    ------
    ScaleNotCredibleError
        If no scale is stated and the ruler can read in none of the fields, or its readings contradict each other.
    """

    def read(index: int) -> RulerReading | ScaleNotCredibleError:
        try:
            return read_ruler(smear.fields[index], illuminations[index])
        except ScaleNotCredibleError as error:
            return error

    indices = _spread(sorted(illuminations), most_fields)
    answers = dict(zip(indices, each(read, indices), strict=True))
    readings = {index: answer for index, answer in answers.items() if isinstance(answer, RulerReading)}
    refusal = next((answer for answer in answers.values() if isinstance(answer, ScaleNotCredibleError)), None)
    stated = smear.known_scale
    if stated is not None:
        return ScaleReading(stated, readings)
    if not readings:
        raise refusal or ScaleNotCredibleError("no field to measure red cells in", subject=smear.name)
    return ScaleReading(_pooled(smear, readings), readings)


def _spread(indices: Sequence[int], most: int) -> list[int]:
    if len(indices) <= most:
        return list(indices)
    return [indices[(2 * k + 1) * len(indices) // (2 * most)] for k in range(most)]


def _pooled(smear: Smear, by_field: Mapping[int, RulerReading]) -> Scale:
    """Return the median of the readings; a smear has one magnification, so they must agree."""
    readings = list(by_field.values())
    diameters = np.array([reading.diameter_px for reading in readings])
    middle = float(np.median(diameters))
    if len(readings) >= 2:
        agreeing = np.abs(diameters / middle - 1) < LARGEST_DISAGREEMENT
        if np.count_nonzero(agreeing) < LEAST_AGREEING_SHARE * len(readings):
            raise ScaleNotCredibleError(
                f"red cells measure {_by_size(smear, by_field)}",
                subject=smear.name,
                hint="analyse pictures of different magnification as separate smears, or state the scale",
            )
    own = float(np.median([reading.relative_uncertainty for reading in readings]))
    between = float(1.4826 * np.median(np.abs(diameters / middle - 1)))
    uncertainty = round(math.hypot(own, between) / math.sqrt(len(readings)), 4)
    try:
        return Scale.from_rbc_diameter_px(
            round(middle, 4), origin="estimated from red cells", relative_uncertainty=uncertainty
        )
    except ScaleNotCredibleError as error:
        raise ScaleNotCredibleError(
            f"what looks like red cells measures {middle:.0f} pixels: {error.problem}",
            subject=smear.name,
            hint=_resizing(middle),
        ) from error


def _by_size(smear: Smear, readings: Mapping[int, RulerReading]) -> str:
    """Return the sizes that were read, smallest first, each with a few of the fields that have it."""
    groups: list[list[int]] = []
    for index in sorted(readings, key=lambda index: readings[index].diameter_px):
        least = readings[groups[-1][0]].diameter_px if groups else 0.0
        if readings[index].diameter_px > (1 + LARGEST_DISAGREEMENT) * least:
            groups.append([])
        groups[-1].append(index)
    return "; ".join(_size_of(smear, readings, group) for group in groups)


def _size_of(smear: Smear, readings: Mapping[int, RulerReading], group: Sequence[int]) -> str:
    size = float(np.median([readings[index].diameter_px for index in group]))
    named = ", ".join(smear.fields[index].name for index in sorted(group)[:_FIELDS_NAMED])
    others = len(group) - _FIELDS_NAMED
    return f"{size:.0f} pixels in {named}" + (f" and {others} more" if others > 0 else "")


def _resizing(diameter_px: float) -> str:
    """Return what to do with a picture whose red cells have a size that cannot be."""
    low, high = CREDIBLE_UM_PER_PX
    if diameter_px > RED_CELL_DIAMETER_UM / low:
        return f"shrink the picture until a red cell measures less than {RED_CELL_DIAMETER_UM / low:.0f} pixels"
    return (
        f"enlarge the picture, or photograph at a higher magnification, until a red cell measures more than "
        f"{RED_CELL_DIAMETER_UM / high:.0f} pixels"
    )
