"""Cells as YOLO labels: a text file a field, a line a cell: class, centre, width and height as shares of the field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.export.archive import index, stems_of, zipped
from hemato_lab.export.categories import category_ids, category_of
from hemato_lab.export.images import IMAGES_FOLDER, image_files
from hemato_lab.export.shapes import boxes
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis

DESCRIPTION_FILE: Final = "data.yaml"
LABELS_FOLDER: Final = "labels"


def render(analysis: Analysis, *, include_images: bool = False) -> bytes:
    """Return a ZIP archive of the labels and the file that names the classes; the images are in it if asked for.

    Classes count from 0 and are the same in every archive. A label file has the name of its image, and lies in
    ``labels`` beside ``images``, where YOLO looks for it.

    Raises
    ------
    ConfigError
        If a cell has a name that is no cell's, or there are too many pixels to pack.
    InputError
        If pixels can no longer be read.
    """
    labels = [
        (f"{LABELS_FOLDER}/{stem}.txt", _lines(analysis, field).encode("ascii"))
        for field, stem in enumerate(stems_of(analysis))
    ]
    images = image_files(analysis) if include_images else ()
    return zipped(((DESCRIPTION_FILE, _description()), index(analysis), *labels, *images))


def _lines(analysis: Analysis, field: int) -> str:
    cells, one = analysis.cells_of(field), analysis.smear.fields[field]
    corners = boxes(cells, one) / np.array([one.width, one.height] * 2)
    middle, side = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    shares = np.concatenate([middle, side], axis=1).tolist()
    return "".join(
        f"{category_of(name) - 1} " + " ".join(f"{share:.6f}" for share in row) + "\n"
        for name, row in zip(cells["name"].tolist(), shares, strict=True)
    )


def _description() -> bytes:
    """Return the data file; a text in JSON is one in YAML too."""
    names = "".join(f"  {number - 1}: {json.dumps(name)}\n" for name, number in category_ids().items())
    head = f"# {RESEARCH_USE_NOTICE}\npath: .\ntrain: {IMAGES_FOLDER}\nval: {IMAGES_FOLDER}\n"
    return f"{head}names:\n{names}".encode("ascii")
