"""Classifiers against the marked cells of whole fields: each is cut out at its annotated place and named.

Detection plays no part in it: a classifier is asked about every marked cell that it has a name for. The result is that
of `hemato_lab.evaluation.classification`, its groups are those of the images, and it has besides::

    refused                      images without a credible scale; their cells count as unknown and as wrongly named
    cells_refused                number of these cells, which are among ``crops``

A cell of a refused image gets even probabilities for all answers and is unknown. It has no most probable name that
could be right by chance: the confusion has the answer `REFUSED` for it, where there is any. An image that cannot be
read at all is among ``skipped``, and its cells count nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from hemato_lab.classifiers.base import Classification
from hemato_lab.errors import ConfigError, InputError, ScaleNotCredibleError
from hemato_lab.evaluation.classification import CropScores, Reading, scored
from hemato_lab.evaluation.dataset import LabelledCrop
from hemato_lab.evaluation.fields import stated_diameter
from hemato_lab.evaluation.naming import common_names, has_name
from hemato_lab.evaluation.skipping import SkippedImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hemato_lab.classifiers.base import Classifier
    from hemato_lab.evaluation.dataset import AnnotatedImage, DetectionSet
    from hemato_lab.evaluation.fields import ScaleSource
    from hemato_lab.evaluation.naming import CommonNames

REFUSED: Final = "refused"
"""The answer to cells of an image without a credible scale: none of the names, so always wrong."""
ClassifyAt = Callable[[Path, NDArray[np.float64], float | None], Classification]
"""``classify_at(path, centres, rbc_diameter_px)``: name the cells at places (n, 2) of one image; the diameter is the
stated one, None when it is to be estimated. May raise `ScaleNotCredibleError` and any other `InputError`."""
Marked = tuple["AnnotatedImage", NDArray[np.intp]]
"""An image and the rows of its truth that are asked about."""
ImageProgress = Callable[["Iterable[Classification | InputError]"], "Iterable[Classification | InputError]"]


@dataclass(frozen=True, slots=True)
class MarkedCellScores:
    """Everything one evaluation tells; `to_json` writes it as the module documents.

    Attributes
    ----------
    cells : CropScores
        Of all marked cells, those of refused images too.
    refused : tuple of str
        Images without a credible scale.
    cells_refused : int
        Number of their marked cells that the classifier has a name for.
    """

    cells: CropScores
    refused: tuple[str, ...]
    cells_refused: int

    def to_json(self) -> dict[str, Any]:
        """Return the scores as a JSON object."""
        return {**self.cells.to_json(), "refused": list(self.refused), "cells_refused": self.cells_refused}


def evaluate_marked_cells(
    dataset: DetectionSet,
    classifier: Classifier,
    classify_at: ClassifyAt,
    *,
    split: str,
    scale: ScaleSource = "estimated",
    limit: int | None = None,
    jobs: int = 1,
    progress: ImageProgress = iter,
) -> MarkedCellScores:
    """Classify the marked cells of a split and score the answers.

    The cells of an image whose scale is refused stay in the denominator, as unknown and wrongly named ones: a
    classifier that is not asked names no cell.

    Parameters
    ----------
    dataset : DetectionSet
        From `hemato_lab.evaluation.dataset.read_dataset`.
    classifier : Classifier
        Whose answers these are.
    classify_at : ClassifyAt
        Names cells at places of an image with it.
    split : str
        For example "val".
    scale : {"estimated", "annotated"}
        See `hemato_lab.evaluation.fields.detect_fields`.
    limit : int or None
        Only the first so many images of the split.
    jobs : int
        Images that are worked on at a time.
    progress : ImageProgress
        Passes the images' answers on and shows how far they are.

    Raises
    ------
    ConfigError
        If the split does not exist, no label has a name, or an image has no annotated scale that is asked for.
    InputError
        If no image can be read; a refused image has been read.
    """
    listed = dataset.in_split(split)[:limit]
    known = [name for name in dataset.names if has_name(name, classifier.classes)]
    marked = [(image, rows) for image in listed if len(rows := _rows(image, known))]
    present = {str(name) for image, rows in marked for name in image.truth["name"][rows]}
    if not marked:
        hint = f"it tells apart {', '.join(classifier.classes)}"
        raise ConfigError(
            f"the classifier {classifier.name!r} has no name for any marked cell", subject=dataset.name, hint=hint
        )
    names = common_names(
        [name for name in known if name in present],
        classifier.classes,
        dataset=dataset.name,
        classifier=classifier.name,
    )
    left_out = Counter(
        str(name) for image in listed for name in image.truth["name"][image.truth["ignored"] == 0] if name not in known
    )
    stated = [stated_diameter(dataset, image, scale) for image, _ in marked]
    with ThreadPoolExecutor(jobs) as pool:
        outcomes = list(progress(pool.map(partial(_look, classify_at), marked, stated)))
    refused = [one for one, outcome in zip(marked, outcomes, strict=True) if isinstance(outcome, ScaleNotCredibleError)]
    if refused:
        names, classifier, outcomes = _with_refusals(names, classifier, marked, outcomes)
    cells, answers, skipped = _sorted_out(marked, outcomes)
    reading = Reading(cells, answers, skipped, scale, dict(sorted(left_out.items())))
    return MarkedCellScores(
        scored(reading, names, classifier, dataset=dataset.name, split=split),
        tuple(image.file_name for image, _ in refused),
        sum(len(rows) for _, rows in refused),
    )


def _rows(image: AnnotatedImage, known: Sequence[str]) -> NDArray[np.intp]:
    return np.flatnonzero((image.truth["ignored"] == 0) & np.isin(image.truth["name"], known))


def _look(classify_at: ClassifyAt, marked: Marked, diameter: float | None) -> Classification | InputError:
    image, rows = marked
    centres = np.stack([image.truth["x"], image.truth["y"]], axis=1)[rows]
    try:
        return classify_at(image.path, centres, diameter)
    except InputError as error:
        return error


@dataclass(frozen=True, slots=True)
class _Answering:
    """What scoring reads of a classifier, with other classes."""

    name: str
    model_sha256: str | None
    classes: tuple[str, ...]


def _with_refusals(
    names: CommonNames,
    classifier: Classifier,
    marked: Sequence[Marked],
    outcomes: Sequence[Classification | InputError],
) -> tuple[CommonNames, Classifier, list[Classification | InputError]]:
    """Return names and answers with `REFUSED` as one more, which answers the cells of images that were refused."""
    answers = (*names.answers, REFUSED)
    even = np.full(len(answers), 1 / len(answers))
    # Of equal answers the first is taken for the most probable, which would be right by chance where it is the truth.
    even[-1] = np.nextafter(even[-1], 1)

    def widened(outcome: Classification | InputError, count: int) -> Classification | InputError:
        if isinstance(outcome, ScaleNotCredibleError):
            return Classification(answers, np.tile(even, (count, 1)), np.ones(count, np.bool_))
        if isinstance(outcome, InputError):
            return outcome
        pooled = names.pool(classifier.classes, outcome.probabilities)
        return Classification(answers, np.pad(pooled, ((0, 0), (0, 1))), outcome.unknown)

    common = replace(names, answers=answers, of_class={answer: answer for answer in answers})
    # It is only scored from here on and not asked again, so that it need not classify.
    answering = cast("Classifier", _Answering(classifier.name, classifier.model_sha256, answers))
    return (
        common,
        answering,
        [widened(outcome, len(rows)) for (_, rows), outcome in zip(marked, outcomes, strict=True)],
    )


def _sorted_out(
    marked: Sequence[Marked], outcomes: Sequence[Classification | InputError]
) -> tuple[list[LabelledCrop], list[Classification], list[SkippedImage]]:
    """Return the cells of the images that have answers, these, and the other images."""
    cells: list[LabelledCrop] = []
    answers: list[Classification] = []
    skipped: list[SkippedImage] = []
    for (image, rows), outcome in zip(marked, outcomes, strict=True):
        if isinstance(outcome, InputError):
            skipped.append(SkippedImage(image.file_name, outcome))
            continue
        answers.append(outcome)
        cells += [
            LabelledCrop(image.path, image.file_name, str(name), image.split, image.group)
            for name in image.truth["name"][rows]
        ]
    return cells, answers, skipped
