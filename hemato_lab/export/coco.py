"""Cells as COCO annotations: boxes, outlines, names and scores, images referenced by their name.

(0, 0) is the outer corner of the first pixel, as in COCO. Outlines are cut to the box of their cell, and areas are
theirs. A cell without a score has none here. Category numbers are the same in every file.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab import __version__
from hemato_lab.export.archive import index, zipped
from hemato_lab.export.categories import category_ids, category_of
from hemato_lab.export.characters import storable
from hemato_lab.export.images import image_files, image_names
from hemato_lab.export.shapes import area_within, boxes, cut, ellipses
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.vocabulary import detector_class

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.analysis import Analysis

ANNOTATIONS_FILE: Final = "annotations.json"
_POINTS: Final = 24
_LEAST_POINTS: Final = 3


def render(analysis: Analysis, *, include_images: bool = False) -> bytes:
    """Return the annotations as JSON; with images a ZIP archive of them and the annotations.

    Raises
    ------
    ConfigError
        If a cell has no place, or a name that is no cell's.
    InputError
        If pixels can no longer be read.
    """
    content = f"{json.dumps(document(analysis, include_images=include_images), allow_nan=False)}\n".encode("ascii")
    if not include_images:
        return content
    return zipped(((ANNOTATIONS_FILE, content), index(analysis), *image_files(analysis)))


def document(analysis: Analysis, *, include_images: bool = False) -> dict[str, Any]:
    """Return the COCO document, JSON-ready; annotation ``id`` is the row of the cell in the detections plus 1.

    Parameters
    ----------
    analysis : Analysis
        Of which only names, sizes and cells are used, no pixels.
    include_images : bool
        Whether images are named as they lie in the archive of `render`, else as the fields are.
    """
    annotations: list[dict[str, Any]] = []
    for field in range(len(analysis.smear)):
        annotations += _annotations(analysis, field)
    return {
        "info": _info(analysis),
        "licenses": [],
        "categories": [
            {"id": number, "name": name, "supercategory": detector_class(name) or "other"}
            for name, number in category_ids().items()
        ],
        "images": _images(analysis, include_images=include_images),
        "annotations": annotations,
    }


def _info(analysis: Analysis) -> dict[str, Any]:
    scale = analysis.smear.scale
    measured = {} if scale is None else {"um_per_px": scale.um_per_px, "rbc_diameter_px": scale.rbc_diameter_px}
    return {
        "name": storable(analysis.smear.name) or "smear",
        "description": f"Candidates found by hemato_lab. {RESEARCH_USE_NOTICE}",
        "version": __version__,
        "contributor": "hemato_lab",
        "url": "",
        "pbs_study_id": storable(analysis.report.pbs_study_id),
        **measured,
    }


def _images(analysis: Analysis, *, include_images: bool) -> list[dict[str, Any]]:
    fields = analysis.smear.fields
    names = image_names(analysis) if include_images else [storable(one.name) for one in fields]
    return [
        {
            "id": number,
            "file_name": name,
            "width": one.width,
            "height": one.height,
            "file_id": storable(one.file_id),
            "split": "all",
            "group": storable(analysis.report.pbs_study_id),
            "complete": [],
        }
        for number, (name, one) in enumerate(zip(names, fields, strict=True), start=1)
    ]


def _annotations(analysis: Analysis, field: int) -> list[dict[str, Any]]:
    rows = np.flatnonzero(analysis.detections["field"] == field)
    cells = analysis.detections.select(rows)
    shapes = ellipses(cells, analysis.smear.scale)
    corners = boxes(cells, analysis.smear.fields[field])
    outlines = [_cut(*one) for one in zip(shapes.outlines(_POINTS), corners, strict=True)]
    sides = np.round(np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1), 3).tolist()
    columns = (cells["name"].tolist(), cells["score"].tolist(), sides, outlines)
    return [
        {
            "id": row + 1,
            "image_id": field + 1,
            "category_id": category_of(name),
            "bbox": side,
            "area": round(area_within(outline), 2),
            "segmentation": [np.round(outline, 2).ravel().tolist()],
            "iscrowd": 0,
            **({"score": round(score, 4)} if isfinite(score) else {}),
        }
        for row, name, score, side, outline in zip(rows.tolist(), *columns, strict=True)
    ]


def _cut(outline: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the outline of a cell within its box; where it does not meet the box, the box is what was measured."""
    kept = cut(outline, box)
    if len(kept) >= _LEAST_POINTS:
        return kept
    left, top, right, bottom = box
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
