"""Detectors against marked fields: average precision, precision and recall, counts, and their limits.

The result is one JSON object::

    dataset, split, detector     names
    model_sha256                 of the ONNX file, null for a detector without a model
    images                       number evaluated; those that could not be read are not among them
    mean_ap50                    mean over the classes that have truths
    classes                      {name: {truth, ap50, precision, recall, f1, ece, threshold, count_bias, count_mae,
                                 count_error, count_fields, count_truth, limits}}
    limits                       {mean_ap50: [low, high]}
    match                        "iou" or "center"; with "center" the average precision is that of centre matches
    ignore_incomplete            whether detections on cells that nobody marked were left out
    scale                        "estimated" or "annotated"
    scale_error                  see `hemato_lab.evaluation.ruler.RulerScores`; null when the scale was given
    refused                      images without a credible scale; they count as images in which nothing was found
    skipped                      [{file, reason}] of the images that could not be read and count nowhere
    groups, resamples            of the bootstrap
    version, notice              of this package

Precision, recall and F1 are those at the class's operating threshold; ``ece`` is the expected calibration error of the
scores from there on (`hemato_lab.evaluation.calibration`): what is reported must be true as often as it claims.
``count_bias`` and ``count_mae`` are the mean and the mean absolute value of detected minus marked cells a field;
``count_error`` is the latter as a share of the marked cells, the mean over fields that have any. They are meaningful
only where every cell is marked: with ``ignore_incomplete`` only such fields count, without it all do, as the marks are
then taken for exhaustive.
``count_fields`` is the number of these fields and ``count_truth`` their mean number of marked cells. A figure without
any evidence is null. ``limits`` gives the 95 % limits of every figure (`hemato_lab.agreement.bootstrap`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab import __version__
from hemato_lab.agreement.bootstrap import RESAMPLES, Limits, draw_groups, group_index, percentile_limits
from hemato_lab.errors import DatasetError
from hemato_lab.evaluation.average_precision import average_precision
from hemato_lab.evaluation.calibration import expected_calibration_error
from hemato_lab.evaluation.evidence import ClassEvidence, gather_evidence
from hemato_lab.evaluation.fields import Detect, Progress, ScaleSource, detect_fields, readable
from hemato_lab.evaluation.ratio import ratio
from hemato_lab.evaluation.rounding import rounded, rounded_limits
from hemato_lab.evaluation.ruler import RulerScores, score_ruler
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.vocabulary import DETECTOR_CLASSES, detector_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hemato_lab.evaluation.dataset import DetectionSet
    from hemato_lab.evaluation.matching import MatchRule
    from hemato_lab.evaluation.skipping import SkippedImage

Floats = NDArray[np.float64]
MATCH_FIGURES: Final = ("ap50", "precision", "recall", "f1", "ece")
COUNT_FIGURES: Final = ("count_bias", "count_mae", "count_error")
_VALUES_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class DetectorCard:
    """Which detector is evaluated.

    Attributes
    ----------
    name : str
        As in the registry of detectors.
    thresholds : mapping of str to float
        Score from which on a detection of each detector class counts.
    model_sha256 : str or None
        Of the model file, None when there is none.
    """

    name: str
    thresholds: Mapping[str, float]
    model_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Figures of one class; a figure without evidence is None. See the module for their meaning."""

    truth: int
    threshold: float
    count_fields: int
    count_truth: float | None
    figures: Mapping[str, float | None]
    limits: Mapping[str, Limits | None]

    def to_json(self) -> dict[str, Any]:
        """Return the scores as a JSON object."""
        return {
            "truth": self.truth,
            **{name: rounded(self.figures[name]) for name in MATCH_FIGURES},
            "threshold": rounded(self.threshold),
            **{name: rounded(self.figures[name]) for name in COUNT_FIGURES},
            "count_fields": self.count_fields,
            "count_truth": rounded(self.count_truth),
            "limits": rounded_limits(self.limits),
        }


@dataclass(frozen=True, slots=True)
class DetectionScores:
    """Everything one evaluation tells; `to_json` writes it as the module documents."""

    dataset: str
    split: str
    detector: DetectorCard
    images: int
    mean_ap50: float | None
    mean_ap50_limits: Limits | None
    classes: Mapping[str, ClassScores]
    match: MatchRule
    ignore_incomplete: bool
    scale: ScaleSource
    scale_error: RulerScores | None
    refused: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]
    groups: int

    def to_json(self) -> dict[str, Any]:
        """Return the scores as a JSON object."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "detector": self.detector.name,
            "model_sha256": self.detector.model_sha256,
            "images": self.images,
            "mean_ap50": rounded(self.mean_ap50),
            "classes": {name: scores.to_json() for name, scores in self.classes.items()},
            "limits": rounded_limits({"mean_ap50": self.mean_ap50_limits}),
            "match": self.match,
            "ignore_incomplete": self.ignore_incomplete,
            "scale": self.scale,
            "scale_error": None if self.scale_error is None else self.scale_error.to_json(),
            "refused": list(self.refused),
            "skipped": [one.to_json() for one in self.skipped],
            "groups": self.groups,
            "resamples": RESAMPLES,
            "version": __version__,
            "notice": RESEARCH_USE_NOTICE,
        }


def evaluate_detection(
    dataset: DetectionSet,
    detect: Detect,
    detector: DetectorCard,
    *,
    split: str,
    match: MatchRule = "iou",
    ignore_incomplete: bool = False,
    scale: ScaleSource = "estimated",
    limit: int | None = None,
    jobs: int = 1,
    progress: Progress = iter,
) -> DetectionScores:
    """Run a detector over a split of a set and score it.

    Parameters
    ----------
    dataset : DetectionSet
        From `hemato_lab.evaluation.dataset.read_dataset`.
    detect, detector
        The detector, and its name, thresholds and model.
    split : str
        For example "val".
    match : {"iou", "center"}
        See `hemato_lab.evaluation.matching`.
    ignore_incomplete : bool
        Leave unmatched detections out where their class is not exhaustively annotated.
    scale, jobs, progress
        See `hemato_lab.evaluation.fields.detect_fields`.
    limit : int or None
        Only the first so many images of the split.

    Raises
    ------
    ConfigError
        If the split does not exist, or the annotations do not allow the chosen matching or scale.
    DatasetError
        If none of the set's names is a kind of red cell, white cell or platelet.
    InputError
        If no image can be read.
    """
    listed, names = dataset.in_split(split)[:limit], evaluated_classes(dataset)
    looked_at = detect_fields(dataset, listed, detect, scale=scale, jobs=jobs, progress=progress)
    images, outcomes, skipped = readable(listed, looked_at)
    groups, group_count = group_index([image.group for image in images])
    image_weights = draw_groups(group_count)[:, groups]
    classes: dict[str, ClassScores] = {}
    resampled_ap: list[Floats] = []
    for name in names:
        evidence = gather_evidence(dataset, images, outcomes, name, match=match, ignore_incomplete=ignore_incomplete)
        counted = evidence.complete if ignore_incomplete else np.ones(len(images), dtype=np.bool_)
        resampled = class_figures(evidence, image_weights, detector.thresholds[name], counted)
        classes[name] = _class_scores(evidence, detector.thresholds[name], counted, resampled, groups)
        if classes[name].truth:
            resampled_ap.append(resampled["ap50"])
    mean_ap50, mean_ap50_limits = _mean_ap50(classes, resampled_ap, group_count)
    return DetectionScores(
        dataset=dataset.name,
        split=split,
        detector=detector,
        images=len(images),
        mean_ap50=mean_ap50,
        mean_ap50_limits=mean_ap50_limits,
        classes=classes,
        match=match,
        ignore_incomplete=ignore_incomplete,
        scale=scale,
        scale_error=score_ruler(dataset, images, outcomes) if scale == "estimated" else None,
        refused=tuple(image.file_name for image, outcome in zip(images, outcomes, strict=True) if outcome.refused),
        skipped=skipped,
        groups=group_count,
    )


def _mean_ap50(
    classes: Mapping[str, ClassScores], resampled: Sequence[Floats], group_count: int
) -> tuple[float | None, tuple[float, float] | None]:
    """Return the mean over the classes that are there, and its limits from their resampled values."""
    precisions = [scores.figures["ap50"] for scores in classes.values() if scores.truth]
    if not precisions:
        return None, None
    limits = percentile_limits({"mean": np.mean(resampled, axis=0)}, group_count)
    return float(np.mean(np.array(precisions, dtype=np.float64))), limits.get("mean")


def evaluated_classes(dataset: DetectionSet) -> tuple[str, ...]:
    """Return the detector classes that the set's names roll up to, in the order of `DETECTOR_CLASSES`."""
    present = {detector_class(name) for name in dataset.names}
    names = tuple(name for name in DETECTOR_CLASSES if name in present)
    if not names:
        raise DatasetError("none of its categories is a kind of RBC, WBC or platelet", subject=dataset.name)
    return names


def class_figures(
    evidence: ClassEvidence, image_weights: Floats, threshold: float, counted: NDArray[np.bool_]
) -> dict[str, Floats]:
    """Return every figure of one class for each weighting of the images.

    Parameters
    ----------
    evidence : ClassEvidence
        Of the class.
    image_weights : array of shape (resamples, images)
        How often each image occurs; ones give the figures of the set itself.
    threshold : float
        Operating threshold.
    counted : array of bool, shape (images,)
        Images whose counts are compared.

    Returns
    -------
    dict of str to array of shape (resamples,)
        By the names of `MATCH_FIGURES` and `COUNT_FIGURES`; NaN where undefined.
    """
    images = len(evidence.truth)
    above = evidence.score >= threshold
    found = np.bincount(evidence.image[above & evidence.is_true], minlength=images)
    reported = np.bincount(evidence.image[above], minlength=images)
    true_positives, detections = image_weights @ found, image_weights @ reported
    truths = image_weights @ evidence.truth
    difference = (reported - evidence.truth)[counted]
    fields = image_weights[:, counted].sum(axis=1)
    marked = evidence.truth[counted] > 0
    relative = np.abs(difference[marked]) / evidence.truth[counted][marked]
    marked_weights = image_weights[:, counted][:, marked]
    return {
        "ap50": _average_precisions(evidence, image_weights, truths),
        "precision": ratio(true_positives, detections),
        "recall": ratio(true_positives, truths),
        "f1": ratio(2 * true_positives, detections + truths),
        "ece": _calibration_error(evidence, image_weights, above),
        "count_bias": ratio(image_weights[:, counted] @ difference, fields),
        "count_mae": ratio(image_weights[:, counted] @ np.abs(difference), fields),
        "count_error": ratio(marked_weights @ relative, marked_weights.sum(axis=1)),
    }


def _average_precisions(evidence: ClassEvidence, image_weights: Floats, truths: Floats) -> Floats:
    """Average precision of every weighting, in blocks of bounded memory."""
    rows = max(1, _VALUES_AT_ONCE // max(1, len(evidence.score)))
    blocks = [
        average_precision(
            evidence.is_true, image_weights[start : start + rows, evidence.image], truths[start : start + rows]
        )
        for start in range(0, len(image_weights), rows)
    ]
    return np.concatenate(blocks)


def _calibration_error(evidence: ClassEvidence, image_weights: Floats, above: NDArray[np.bool_]) -> Floats:
    """Calibration error of the reported detections for every weighting, in blocks of bounded memory."""
    score, is_true, image = evidence.score[above], evidence.is_true[above], evidence.image[above]
    rows = max(1, _VALUES_AT_ONCE // max(1, len(score)))
    blocks = [
        expected_calibration_error(score, is_true, image_weights[start : start + rows, image])
        for start in range(0, len(image_weights), rows)
    ]
    return np.concatenate(blocks)


def _class_scores(
    evidence: ClassEvidence,
    threshold: float,
    counted: NDArray[np.bool_],
    resampled: Mapping[str, Floats],
    groups: NDArray[np.intp],
) -> ClassScores:
    matched = {name: resampled[name] for name in MATCH_FIGURES}
    counts = {name: resampled[name] for name in COUNT_FIGURES}
    exact = class_figures(evidence, np.ones((1, len(evidence.truth))), threshold, counted)
    return ClassScores(
        truth=int(evidence.truth.sum()),
        threshold=threshold,
        count_fields=int(np.count_nonzero(counted)),
        count_truth=float(evidence.truth[counted].mean()) if counted.any() else None,
        figures={name: None if np.isnan(value[0]) else float(value[0]) for name, value in exact.items()},
        limits={
            **percentile_limits(matched, len(np.unique(groups))),
            **percentile_limits(counts, len(np.unique(groups[counted]))),
        },
    )
