"""What the detections of one class are worth, before any figure is computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab.detections import BOX_COLUMNS
from hemato_lab.errors import ConfigError
from hemato_lab.evaluation.matching import (
    UNMATCHED,
    MatchRule,
    center_agreement,
    intersection_over_union,
    match_greedily,
)
from hemato_lab.vocabulary import detector_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.detections import Detections
    from hemato_lab.evaluation.dataset import AnnotatedImage, DetectionSet
    from hemato_lab.evaluation.fields import FieldOutcome

Floats = NDArray[np.float64]
_TRUE, _FALSE, _IGNORED = 1, 0, -1
_BOX_HINT: Final = "match by centre: --match center"


@dataclass(frozen=True, slots=True)
class ClassEvidence:
    """Every counted detection of one class over all images, sorted by falling score.

    Attributes
    ----------
    score : array of shape (n,)
        Detections that are ignored are left out.
    is_true : array of bool, shape (n,)
        Matched to a truth.
    image : array of int, shape (n,)
        Index of the image.
    truth : array of shape (images,)
        Number of truths in each image, ignored ones left out.
    complete : array of bool, shape (images,)
        Whether the class is exhaustively annotated there.
    """

    score: Floats
    is_true: NDArray[np.bool_]
    image: NDArray[np.intp]
    truth: Floats
    complete: NDArray[np.bool_]


def gather_evidence(
    dataset: DetectionSet,
    images: Sequence[AnnotatedImage],
    outcomes: Sequence[FieldOutcome],
    name: str,
    *,
    match: MatchRule,
    ignore_incomplete: bool,
) -> ClassEvidence:
    """Match the detections of one detector class in every image.

    Names on both sides roll up to their detector class. A class is exhaustively annotated in an image only if it is
    itself named in ``complete``: that all sickle cells are marked says nothing about the other red cells.

    Raises
    ------
    ConfigError
        If boxes are to be compared and a truth has none, or a truth has neither a box nor a known diameter.
    """
    scores: list[Floats] = []
    verdicts: list[NDArray[np.int8]] = []
    truths: list[int] = []
    complete = np.array([name in image.complete for image in images], dtype=np.bool_)
    for image, outcome, exhaustive in zip(images, outcomes, complete, strict=True):
        found = by_falling_score(of_class(outcome.detections, name))
        truth = of_class(image.truth, name)
        ignored = truth["ignored"] > 0
        agreement = agreement_of(dataset, image, found, truth, match)
        verdict = _verdicts(match_greedily(agreement, ignored), ignored)
        if ignore_incomplete and not exhaustive:
            verdict[verdict == _FALSE] = _IGNORED
        scores.append(found["score"][verdict != _IGNORED])
        verdicts.append(verdict[verdict != _IGNORED])
        truths.append(int(np.count_nonzero(~ignored)))
    image_index = np.repeat(np.arange(len(images)), [len(score) for score in scores])
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    return ClassEvidence(
        score=score[order],
        is_true=(np.concatenate(verdicts) == _TRUE)[order],
        image=image_index[order],
        truth=np.array(truths, dtype=np.float64),
        complete=complete,
    )


def of_class(table: Detections, name: str) -> Detections:
    """Return the rows whose name rolls up to a detector class."""
    names, place = np.unique(table["name"], return_inverse=True)
    wanted = np.array([detector_class(str(one)) == name for one in names], dtype=np.bool_)
    return table.select(wanted[place] if len(names) else np.zeros(0, dtype=np.bool_))


def by_falling_score(table: Detections) -> Detections:
    """Return the rows by falling score, ties from top to bottom and left to right."""
    return table.select(np.lexsort((table["x"], table["y"], -table["score"])))


def _verdicts(matched: NDArray[np.intp], ignored: NDArray[np.bool_]) -> NDArray[np.int8]:
    verdict = np.where(matched == UNMATCHED, _FALSE, _TRUE).astype(np.int8)
    hit = matched != UNMATCHED
    verdict[hit] = np.where(ignored[matched[hit]], _IGNORED, _TRUE)
    return verdict


def agreement_of(
    dataset: DetectionSet, image: AnnotatedImage, found: Detections, truth: Detections, match: MatchRule
) -> Floats:
    """Return how well each detection and each truth of an image agree, shape (detections, truths).

    Raises
    ------
    ConfigError
        As in `gather_evidence`.
    """
    if match == "iou":
        boxes = _stacked(truth, BOX_COLUMNS)
        if np.isnan(boxes).any():
            raise ConfigError(
                f"{image.file_name} marks places without boxes, which cannot be compared by overlap",
                subject=dataset.name,
                hint=_BOX_HINT,
            )
        return intersection_over_union(found.boxes, boxes)
    centers = ("x", "y")
    return center_agreement(_stacked(found, centers), _stacked(truth, centers), _diameters(dataset, image, truth))


def _diameters(dataset: DetectionSet, image: AnnotatedImage, truth: Detections) -> Floats:
    """Diameter of the disc with the area of the ellipse in each box; of the image's red cells where there is no box."""
    diameter = 2.0 * truth["radius"]
    without_box = np.isnan(diameter)
    if not without_box.any():
        return diameter
    red_cell = image.rbc_diameter_px if image.rbc_diameter_px is not None else dataset.rbc_diameter_px
    if red_cell is None:
        raise ConfigError(
            f"{image.file_name} has marks without boxes, and no red-cell diameter to judge distances by",
            subject=dataset.name,
            hint="add rbc_diameter_px to the image or to info",
        )
    return np.where(without_box, red_cell, diameter)


def _stacked(table: Detections, names: Sequence[str]) -> Floats:
    return np.stack([table[name] for name in names], axis=1).astype(np.float64)
