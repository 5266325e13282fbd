"""How large red cells are in the crops of a set: one microscope, so one size for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from hemato_lab.classifiers.crops import stands_on_black
from hemato_lab.errors import InputError, ScaleNotCredibleError
from hemato_lab.evaluation.rounding import rounded
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.imaging.scale import read_scale
from hemato_lab.smear import ArraySource, Field, Scale, Smear

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hemato_lab.evaluation.dataset import LabelledCrop
    from hemato_lab.smear import RGB

Origin = Literal["stated", "estimated", "cells on black", "unknown"]
MOST_CROPS_READ: Final = 36
"""More than fields of a smear: a crop holds few red cells."""
_MOSTLY: Final = 0.5


@dataclass(frozen=True, slots=True)
class CropScale:
    """Diameter of a red cell in the crops of a set.

    Attributes
    ----------
    rbc_diameter_px : float or None
        Pixels; None where each crop has to tell itself.
    origin : {"stated", "estimated", "cells on black", "unknown"}
        Given by the user; read from the red cells of some crops as from the fields of one smear; of no use, as single
        cells stand on black; or not to be found.
    """

    rbc_diameter_px: float | None
    origin: Origin

    def to_json(self) -> dict[str, Any]:
        """Return the scale as a JSON object."""
        return {"rbc_diameter_px": rounded(self.rbc_diameter_px), "origin": self.origin}


def crop_scale(crops: Sequence[LabelledCrop], read: Callable[[Path], RGB], stated: float | None = None) -> CropScale:
    """Return the scale of crops that come from one microscope.

    Parameters
    ----------
    crops : sequence of LabelledCrop
        At most `MOST_CROPS_READ` of them are read, evenly spread.
    read : callable
        Reads a file as RGB uint8, shape (height, width, 3), or raises `InputError`.
    stated : float or None
        Diameter of a red cell in pixels, if the user knows it.

    Raises
    ------
    ScaleNotCredibleError
        If the stated diameter is impossible.
    """
    if stated is not None:
        return CropScale(Scale.from_rbc_diameter_px(stated).rbc_diameter_px, "stated")
    chosen = np.unique(np.linspace(0, max(len(crops) - 1, 0), MOST_CROPS_READ).astype(int))[: len(crops)]
    fields = []
    for index in chosen:
        try:
            pixels = read(crops[index].path)
        except InputError:  # is listed as skipped when its turn comes
            continue
        fields.append(Field(crops[index].file_name, ArraySource(np.ascontiguousarray(pixels)), ""))
    if not fields:
        return CropScale(None, "unknown")
    if np.mean([stands_on_black(field.read()) for field in fields]) > _MOSTLY:
        return CropScale(None, "cells on black")
    try:
        illuminations = {index: fit_illumination(field) for index, field in enumerate(fields)}
        reading = read_scale(Smear("crops", tuple(fields)), illuminations, most_fields=MOST_CROPS_READ)
    except ScaleNotCredibleError:
        return CropScale(None, "unknown")
    return CropScale(reading.scale.rbc_diameter_px, "estimated")
