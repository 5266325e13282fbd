"""How well the size of a red cell was told from each image alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.evaluation.rounding import rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.evaluation.dataset import AnnotatedImage, DetectionSet
    from hemato_lab.evaluation.fields import FieldOutcome

TOLERANCE: Final = 0.15
"""Relative error within which a scale still serves every later step."""


@dataclass(frozen=True, slots=True)
class RulerScores:
    """Estimated against annotated red-cell diameters.

    The annotated one is that of the cells: an image's own, times the set's ratio of thresholded to annotated diameter,
    because boxes are up to 16 % wider than the cells they hold. Shares and medians are None where no image tells.

    Attributes
    ----------
    images : int
        Images with an annotated diameter.
    refused : int
        Of these, images whose scale was not credible.
    median : float or None
        Median absolute relative error over the images that were not refused.
    median_signed : float or None
        Median relative error; positive when cells are taken for larger than they are.
    share_within_15_percent : float or None
        Of the images that were not refused.
    share_within_15_percent_or_refused : float or None
        Of all images with an annotated diameter.
    """

    images: int
    refused: int
    median: float | None
    median_signed: float | None
    share_within_15_percent: float | None
    share_within_15_percent_or_refused: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the scores as a JSON object with the attributes' names."""
        return {name: rounded(getattr(self, name)) for name in self.__slots__}


def score_ruler(
    dataset: DetectionSet, images: Sequence[AnnotatedImage], outcomes: Sequence[FieldOutcome]
) -> RulerScores:
    """Compare the diameters a detector worked with to the annotated ones of the same images."""
    errors = []
    refused = 0
    for image, outcome in zip(images, outcomes, strict=True):
        annotated = dataset.cell_diameter_px(image)
        if image.rbc_diameter_px is None or annotated is None:
            continue
        if outcome.rbc_diameter_px is None:
            refused += 1
        else:
            errors.append(outcome.rbc_diameter_px / annotated - 1.0)
    within = sum(abs(error) <= TOLERANCE for error in errors)
    total = len(errors) + refused
    return RulerScores(
        images=total,
        refused=refused,
        median=float(np.median(np.abs(errors))) if errors else None,
        median_signed=float(np.median(errors)) if errors else None,
        share_within_15_percent=within / len(errors) if errors else None,
        share_within_15_percent_or_refused=(within + refused) / total if total else None,
    )
