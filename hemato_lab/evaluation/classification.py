"""Classifiers against labelled cells: accuracy, F1, area under the curve, calibration, and their limits.

The cells are crops, or marked cells of whole fields (`hemato_lab.evaluation.marked_cells`).

The result is one JSON object::

    dataset, split, classifier   names
    model_sha256                 of the ONNX file, null for a classifier without a model
    crops                        number of cells evaluated; those that could not be read are not among them
    accuracy                     share of crops named rightly
    macro_f1                     mean F1 over the names that occur in the split
    unknown                      share of crops that the classifier said it does not know; they are scored all the same
    accuracy_known               accuracy of the others
    auc                          area under the receiver operating curve; null unless two names are scored
    ece                          expected calibration error (`hemato_lab.evaluation.calibration`)
    confusion                    {truth: {answer: crops}}
    classes                      {name: {truth, precision, recall, f1, limits}}
    limits                       {accuracy, macro_f1, auc, ece, unknown, accuracy_known: [low, high]}
    scale                        {rbc_diameter_px, origin} of the crops (`hemato_lab.evaluation.crop_scale`), or the
                                 name of a field's scale source
    left_out                     {label of the set: cells} that the classifier has no name for and that count nowhere
    rolled_up                    {label of the set: scored name} where these differ
    skipped                      [{file, reason}] of the crops that could not be read and count nowhere
    groups, resamples            of the bootstrap
    version, notice              of this package

A figure without any evidence is null. ``limits`` are 95 % limits (`hemato_lab.agreement.bootstrap`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab import __version__
from hemato_lab.agreement.bootstrap import RESAMPLES, Limits, draw_groups, group_index, percentile_limits
from hemato_lab.errors import InputError
from hemato_lab.evaluation.calibration import expected_calibration_error
from hemato_lab.evaluation.crop_scale import CropScale, crop_scale
from hemato_lab.evaluation.dataset import CropSet, LabelledCrop
from hemato_lab.evaluation.naming import CommonNames, common_names
from hemato_lab.evaluation.ranking import area_under_curve
from hemato_lab.evaluation.ratio import ratio
from hemato_lab.evaluation.rounding import rounded, rounded_limits
from hemato_lab.evaluation.skipping import SkippedImage
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.smear import RGB

if TYPE_CHECKING:
    from hemato_lab.classifiers.base import Classification, Classifier

Floats = NDArray[np.float64]
CLASS_FIGURES: Final = ("precision", "recall", "f1")
SET_FIGURES: Final = ("accuracy", "macro_f1", "auc", "ece", "unknown", "accuracy_known")
CROPS_AT_ONCE: Final = 64

ReadCrop = Callable[[Path], RGB]
CropProgress = Callable[[Iterable[Sequence[LabelledCrop]]], Iterable[Sequence[LabelledCrop]]]


@dataclass(frozen=True, slots=True)
class CropScores:
    """Everything one evaluation tells; `to_json` writes it as the module documents."""

    dataset: str
    split: str
    classifier: str
    model_sha256: str | None
    names: CommonNames
    confusion: NDArray[np.int64]
    figures: Mapping[str, float | None]
    limits: Mapping[str, Limits | None]
    scale: dict[str, Any] | str
    left_out: Mapping[str, int]
    skipped: tuple[SkippedImage, ...]
    groups: int

    def to_json(self) -> dict[str, Any]:
        """Return the scores as a JSON object."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "classifier": self.classifier,
            "model_sha256": self.model_sha256,
            "crops": int(self.confusion.sum()),
            **{name: rounded(self.figures[name]) for name in SET_FIGURES},
            "confusion": {
                truth: {answer: int(self.confusion[row, column]) for column, answer in enumerate(self.names.answers)}
                for row, truth in enumerate(self.names.scored)
            },
            "classes": {name: self._class_json(row, name) for row, name in enumerate(self.names.scored)},
            "limits": rounded_limits({name: self.limits[name] for name in SET_FIGURES}),
            "scale": self.scale,
            "left_out": dict(self.left_out),
            "rolled_up": {label: name for label, name in self.names.of_label.items() if label != name},
            "skipped": [one.to_json() for one in self.skipped],
            "groups": self.groups,
            "resamples": RESAMPLES,
            "version": __version__,
            "notice": RESEARCH_USE_NOTICE,
        }

    def _class_json(self, row: int, name: str) -> dict[str, Any]:
        keys = {figure: f"{figure} {name}" for figure in CLASS_FIGURES}
        return {
            "truth": int(self.confusion[row].sum()),
            **{figure: rounded(self.figures[key]) for figure, key in keys.items()},
            "limits": rounded_limits({figure: self.limits[key] for figure, key in keys.items()}),
        }


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier said of every crop.

    Attributes
    ----------
    truth : array of int, shape (n,)
        Index of the scored name.
    probabilities : array of shape (n, answers)
        Scored names first, then the classifier's other answers.
    unknown : array of bool, shape (n,)
        Whether the classifier said that it does not know the cell.
    scored : int
        Number of scored names.
    """

    truth: NDArray[np.intp]
    probabilities: Floats
    unknown: NDArray[np.bool_]
    scored: int

    @property
    def named(self) -> NDArray[np.intp]:
        """Index of the most probable answer, shape (n,)."""
        return np.asarray(np.argmax(self.probabilities, axis=1))


@dataclass(frozen=True, slots=True)
class Reading:
    """What was made of a number of labelled cells.

    Attributes
    ----------
    cells : sequence of LabelledCrop
        Those that could be read.
    answers : sequence of Classification
        Of the classifier, one after the other in the order of `cells`.
    skipped : sequence of SkippedImage
        The others.
    scale : dict or str
        For the result's ``scale``.
    left_out : mapping of str to int
        Labels without a name, and their number of cells.
    """

    cells: Sequence[LabelledCrop]
    answers: Sequence[Classification]
    skipped: Sequence[SkippedImage]
    scale: dict[str, Any] | str
    left_out: Mapping[str, int]


def evaluate_crops(
    dataset: CropSet,
    classifier: Classifier,
    read: ReadCrop,
    *,
    split: str,
    rbc_diameter_px: float | None = None,
    limit: int | None = None,
    progress: CropProgress = iter,
) -> CropScores:
    """Classify the crops of a split and score the answers.

    Parameters
    ----------
    dataset : CropSet
        From `hemato_lab.evaluation.dataset.read_dataset`.
    classifier : Classifier
        One of `hemato_lab.classifiers.CLASSIFIERS`.
    read : ReadCrop
        Reads a file as RGB uint8, shape (height, width, 3), or raises `InputError`.
    split : str
        For example "val".
    rbc_diameter_px : float or None
        Diameter of a red cell in the crops, None to read it from some of them.
    limit : int or None
        Only the first so many crops of the split.
    progress : CropProgress
        Passes batches of crops on and shows how far they are.

    Raises
    ------
    ConfigError
        If the split does not exist, or the classifier has no name for one of the labels.
    InputError
        If no crop can be read.
    """
    listed = dataset.in_split(split)[:limit]
    names = common_names(dataset.labels, classifier.classes, dataset=dataset.name, classifier=classifier.name)
    scale = crop_scale(listed, read, rbc_diameter_px)
    reading = _read_crops(listed, classifier, read, scale, progress)
    return scored(reading, names, classifier, dataset=dataset.name, split=split)


def _read_crops(
    listed: Sequence[LabelledCrop], classifier: Classifier, read: ReadCrop, scale: CropScale, progress: CropProgress
) -> Reading:
    """Classify the crops that can be read."""
    crops: list[LabelledCrop] = []
    skipped: list[SkippedImage] = []
    answers: list[Classification] = []
    for batch in progress([listed[start : start + CROPS_AT_ONCE] for start in range(0, len(listed), CROPS_AT_ONCE)]):
        pixels = []
        for crop in batch:
            try:
                pixels.append(read(crop.path))
            except InputError as error:
                skipped.append(SkippedImage(crop.file_name, error))
            else:
                crops.append(crop)
        if pixels:
            answers.append(classifier.classify(pixels, rbc_diameter_px=scale.rbc_diameter_px))
    return Reading(crops, answers, skipped, scale.to_json(), {})


def scored(reading: Reading, names: CommonNames, classifier: Classifier, *, dataset: str, split: str) -> CropScores:
    """Score what a classifier answered.

    Raises
    ------
    InputError
        If no cell could be read.
    """
    if not reading.cells:
        raise reading.skipped[0].error
    truth = np.array([names.scored.index(names.of_label[cell.label]) for cell in reading.cells], dtype=np.intp)
    probabilities = np.concatenate([answer.probabilities for answer in reading.answers])
    unknown = np.concatenate([answer.unknown for answer in reading.answers])
    answers = Answers(truth, names.pool(classifier.classes, probabilities), unknown, len(names.scored))
    groups, group_count = group_index([cell.group for cell in reading.cells])
    weights = draw_groups(group_count)[:, groups]
    exact = crop_figures(answers, names, np.ones((1, len(truth))))
    confusion = np.zeros((len(names.scored), len(names.answers)), dtype=np.int64)
    np.add.at(confusion, (answers.truth, answers.named), 1)
    return CropScores(
        dataset=dataset,
        split=split,
        classifier=classifier.name,
        model_sha256=classifier.model_sha256,
        names=names,
        confusion=confusion,
        figures={name: None if np.isnan(value[0]) else float(value[0]) for name, value in exact.items()},
        limits=percentile_limits(crop_figures(answers, names, weights), group_count),
        scale=reading.scale,
        left_out=reading.left_out,
        skipped=tuple(reading.skipped),
        groups=group_count,
    )


def crop_figures(answers: Answers, names: CommonNames, weight: Floats) -> dict[str, Floats]:
    """Return every figure for each weighting of the crops.

    Parameters
    ----------
    answers : Answers
        Of the classifier.
    names : CommonNames
        The scored names.
    weight : array of shape (resamples, n)
        How often each crop occurs; ones give the figures of the set itself.

    Returns
    -------
    dict of str to array of shape (resamples,)
        Those of `SET_FIGURES`, and ``precision NAME``, ``recall NAME``, ``f1 NAME`` for every scored name; NaN where
        undefined. ``macro_f1`` is the mean over the names that occur in the whole split.
    """
    correct = answers.named == answers.truth
    known, total = weight @ ~answers.unknown, weight.sum(axis=1)
    figures: dict[str, Floats] = {
        "accuracy": ratio(weight @ correct, total),
        "unknown": ratio(total - known, total),
        "accuracy_known": ratio(weight @ (correct & ~answers.unknown), known),
    }
    f1_present = []
    for index, name in enumerate(names.scored):
        is_name, named_so = answers.truth == index, answers.named == index
        hits, truths, named = weight @ (is_name & named_so), weight @ is_name, weight @ named_so
        figures[f"precision {name}"] = ratio(hits, named)
        figures[f"recall {name}"] = ratio(hits, truths)
        figures[f"f1 {name}"] = ratio(2 * hits, truths + named)
        if is_name.any():
            f1_present.append(figures[f"f1 {name}"])
    figures["macro_f1"] = np.mean(f1_present, axis=0)
    figures["auc"] = _auc(answers, weight)
    confidence = answers.probabilities.max(axis=1)
    figures["ece"] = expected_calibration_error(confidence, correct, weight)
    return figures


def _auc(answers: Answers, weight: Floats) -> Floats:
    if answers.scored != 2:
        return np.full(len(weight), np.nan)
    first, second = answers.probabilities[:, 0], answers.probabilities[:, 1]
    # of the two scored names only, so that the result is the same for either being the positive one
    share = np.divide(first, first + second, out=np.full_like(first, 0.5), where=first + second > 0)
    return area_under_curve(share, answers.truth == 0, weight)
