"""Annotated image sets as typed, frozen objects.

Two kinds of folder are read. A *detection set* holds ``annotations.json`` (COCO-like: ``info``, ``categories``,
``images``, ``annotations``); a *crop set* holds ``labels.csv`` with the columns file, label, split and group.

Coordinates in files follow COCO: the outer corner of the first pixel is (0, 0). They are moved by half a pixel on
reading, because here the first pixel's centre is (0, 0).
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.detections import BOX_COLUMNS, Detections
from hemato_lab.errors import ConfigError, DatasetError
from hemato_lab.evaluation.entry import Entry
from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from pathlib import Path

ANNOTATIONS_FILE: Final = "annotations.json"
LABELS_FILE: Final = "labels.csv"
_PIXEL_CORNER: Final = -0.5


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One image of a detection set and what an expert marked in it.

    Attributes
    ----------
    path : Path
        Where the image lies.
    file_name : str
        Its path below the set's folder.
    width, height : int
        Pixels.
    split : str
        For example "train", "val" or "test".
    group : str
        Images of one group (slide, patient, photographs of one region) are not independent of each other.
    complete : frozenset of str
        Names that are exhaustively annotated in this image: an unmatched detection of another name may be a cell
        that nobody marked.
    rbc_diameter_px : float or None
        Annotated diameter of a red cell, None where it was not measurable.
    truth : Detections
        One row a marked object, with the columns x_min, y_min, x_max, y_max (NaN where only the place was marked;
        radius is NaN there too) and ``ignored`` (1.0 for objects marked as difficult and for the parts of cells that
        reach in over the border: neither truth nor false positive).
    """

    path: Path
    file_name: str
    width: int
    height: int
    split: str
    group: str
    complete: frozenset[str]
    rbc_diameter_px: float | None
    truth: Detections


@dataclass(frozen=True, slots=True)
class DetectionSet:
    """A folder of whole fields with marked cells.

    Attributes
    ----------
    name : str
        As the set calls itself.
    names : tuple of str
        Every category, in the order of the file.
    images : tuple of AnnotatedImage
        In the order of the file.
    rbc_diameter_px : float or None
        Median diameter of a red cell as annotated (from boxes, where there are any).
    rbc_diameter_by_threshold_px : float or None
        The same from thresholded isolated cells; boxes are often wider than the cells.
    """

    name: str
    names: tuple[str, ...]
    images: tuple[AnnotatedImage, ...]
    rbc_diameter_px: float | None
    rbc_diameter_by_threshold_px: float | None

    def in_split(self, split: str) -> tuple[AnnotatedImage, ...]:
        """Return the images of a split.

        Raises
        ------
        ConfigError
            If no image has that split.
        """
        chosen = tuple(image for image in self.images if image.split == split)
        if not chosen:
            raise _unknown_split(self.name, split, {image.split for image in self.images})
        return chosen

    def cell_diameter_px(self, image: AnnotatedImage) -> float | None:
        """Return the annotated diameter of the cells themselves, not of their boxes, None where unknown.

        The image's own diameter is corrected by the set's ratio of thresholded to annotated diameter.
        """
        if image.rbc_diameter_px is None:
            return self.rbc_diameter_by_threshold_px
        if self.rbc_diameter_px is None or self.rbc_diameter_by_threshold_px is None:
            return image.rbc_diameter_px
        return image.rbc_diameter_px * self.rbc_diameter_by_threshold_px / self.rbc_diameter_px


@dataclass(frozen=True, slots=True)
class LabelledCrop:
    """One cell cut out of its field, with the name an expert gave it; ``file_name`` is its path below the folder."""

    path: Path
    file_name: str
    label: str
    split: str
    group: str


@dataclass(frozen=True, slots=True)
class CropSet:
    """A folder of single-cell crops with labels; ``labels`` lists every label of the set in vocabulary order."""

    name: str
    labels: tuple[str, ...]
    crops: tuple[LabelledCrop, ...]

    def in_split(self, split: str) -> tuple[LabelledCrop, ...]:
        """Return the crops of a split; raises `ConfigError` if there is none."""
        chosen = tuple(crop for crop in self.crops if crop.split == split)
        if not chosen:
            raise _unknown_split(self.name, split, {crop.split for crop in self.crops})
        return chosen


def read_dataset(folder: Path) -> DetectionSet | CropSet:
    """Read an annotated set.

    Parameters
    ----------
    folder : Path
        Holds ``annotations.json`` (whole fields) or ``labels.csv`` (crops).

    Raises
    ------
    DatasetError
        If neither file is there, or an entry of it does not follow the format; names the file and the entry. Whether
        the images can be read is seen only when they are.
    """
    if (folder / ANNOTATIONS_FILE).is_file():
        return _read_detection_set(folder)
    if (folder / LABELS_FILE).is_file():
        return _read_crop_set(folder)
    raise DatasetError(
        f"holds neither {ANNOTATIONS_FILE} nor {LABELS_FILE}" if folder.is_dir() else "does not exist or is no folder",
        subject=str(folder),
        hint="give the folder of one annotated set",
    )


def _unknown_split(name: str, split: str, known: set[str]) -> ConfigError:
    return ConfigError(f"no image has the split {split!r}", subject=name, hint=f"it has {', '.join(sorted(known))}")


def _read_detection_set(folder: Path) -> DetectionSet:
    path = folder / ANNOTATIONS_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"is not readable JSON: {error}", subject=str(path)) from error
    root = Entry(document, str(path))
    info = root.entry("info")
    names = _category_names(root)
    truths = _truth_by_image(root, names)
    images = _images(root, folder, names, truths)
    if unknown := sorted(set(truths) - set(images)):
        raise DatasetError(f"an annotation refers to the unknown image id {unknown[0]}", subject=str(path))
    return DetectionSet(
        name=info.text("name"),
        names=tuple(names.values()),
        images=tuple(images.values()),
        rbc_diameter_px=info.optional_length("rbc_diameter_px"),
        rbc_diameter_by_threshold_px=info.optional_length("rbc_diameter_by_threshold_px"),
    )


def _category_names(root: Entry) -> dict[int, str]:
    names: dict[int, str] = {}
    for category in root.entries("categories"):
        identifier, name = category.integer("id"), category.text("name")
        if identifier in names:
            raise category.error(f"the category id {identifier} is used twice")
        category.require_term(name)
        names[identifier] = name
    return names


def _images(
    root: Entry, folder: Path, names: dict[int, str], truths: dict[int, list[_Mark]]
) -> dict[int, AnnotatedImage]:
    images: dict[int, AnnotatedImage] = {}
    for entry in root.entries("images"):
        identifier = entry.integer("id")
        if identifier in images:
            raise entry.error(f"the image id {identifier} is used twice")
        file_name = entry.text("file_name")
        complete = frozenset(entry.texts("complete"))
        for name in sorted(complete):
            entry.require_term(name)
        images[identifier] = AnnotatedImage(
            path=entry.file_below(folder, file_name),
            file_name=file_name,
            width=entry.positive_integer("width"),
            height=entry.positive_integer("height"),
            split=entry.text("split"),
            group=entry.text("group"),
            complete=complete,
            rbc_diameter_px=entry.optional_length("rbc_diameter_px"),
            truth=_truth_table([*truths.get(identifier, []), *_cut_by_the_border(entry, names)]),
        )
    return images


@dataclass(frozen=True, slots=True)
class _Mark:
    """One annotation in the package's pixel coordinates."""

    name: str
    center: tuple[float, float]
    box: tuple[float, float, float, float] | None
    ignored: bool


def _truth_by_image(root: Entry, names: dict[int, str]) -> dict[int, list[_Mark]]:
    truths: dict[int, list[_Mark]] = {}
    for entry in root.entries("annotations"):
        truths.setdefault(entry.integer("image_id"), []).append(_mark(entry, names))
    return truths


def _cut_by_the_border(image: Entry, names: dict[int, str]) -> list[_Mark]:
    """Visible parts of cells whose centre lies outside: a detection of such a part is no error."""
    parts = image.entries("reaching_in") if image.has("reaching_in") else []
    return [replace(_mark(part, names), ignored=True) for part in parts]


def _mark(entry: Entry, names: dict[int, str]) -> _Mark:
    category = entry.integer("category_id")
    if category not in names:
        raise entry.error(f"unknown category id {category}")
    box: tuple[float, float, float, float] | None = None
    if entry.has("bbox"):
        x, y, width, height = entry.numbers("bbox", 4)
        if width <= 0 or height <= 0:
            raise entry.error("a box has a width or height that is not positive")
        x, y = x + _PIXEL_CORNER, y + _PIXEL_CORNER
        box = (x, y, x + width, y + height)
    if entry.has("center"):
        x, y = entry.numbers("center", 2)
        center = (x + _PIXEL_CORNER, y + _PIXEL_CORNER)
    elif box is not None:
        center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    else:
        raise entry.error("has neither bbox nor center")
    attributes = entry.entry("attributes") if entry.has("attributes") else None
    return _Mark(names[category], center, box, ignored=attributes is not None and attributes.flag("difficult"))


def _truth_table(marks: list[_Mark]) -> Detections:
    if not marks:
        return Detections.empty((*BOX_COLUMNS, "ignored"))
    nowhere = (np.nan,) * 4
    boxes = np.array([nowhere if mark.box is None else mark.box for mark in marks])
    centers = np.array([mark.center for mark in marks])
    # radius of the disc with the area of the ellipse that fills the box
    radius = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])) / 2
    columns: dict[str, Any] = {
        "field": np.zeros(len(marks)),
        "x": centers[:, 0],
        "y": centers[:, 1],
        "radius": radius,
        "name": [mark.name for mark in marks],
        "score": np.ones(len(marks)),
        "ignored": np.array([float(mark.ignored) for mark in marks]),
    }
    return Detections({**columns, **dict(zip(BOX_COLUMNS, boxes.T, strict=True))})


def _read_crop_set(folder: Path) -> CropSet:
    path = folder / LABELS_FILE
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"is not readable as CSV: {error}", subject=str(path)) from error
    crops = []
    for number, row in enumerate(rows, start=2):
        entry = Entry(row, str(path), f"line {number}")
        label = entry.text("label")
        entry.require_term(label)
        name = entry.text("file")
        path_of_crop = entry.file_below(folder, name)
        crops.append(LabelledCrop(path_of_crop, name, label, entry.text("split"), entry.text("group")))
    if not crops:
        raise DatasetError("lists no crop", subject=str(path))
    present = {crop.label for crop in crops}
    return CropSet(folder.resolve().name, tuple(name for name in TERMS if name in present), tuple(crops))
