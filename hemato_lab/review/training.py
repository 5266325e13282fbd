"""Reviewed cells as COCO annotations, to train and test models on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.export import coco
from hemato_lab.export.archive import index, stems_of, zipped
from hemato_lab.export.images import image_files
from hemato_lab.review.attaching import REJECTED, attach, verdict_on
from hemato_lab.review.correcting import IN_WORDS
from hemato_lab.review.standing import Standing

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis
    from hemato_lab.detections import Detections
    from hemato_lab.review.log import DecisionLog

NEGATIVES: Final = "negatives"
"""Key of what a reader rejected: in a list of its own, so that nobody who reads plain COCO takes it for a cell."""
_OF_A_PLACE: Final = ("id", "image_id", "bbox", "area", "segmentation", "score")


def training_set(analysis: Analysis, log: DecisionLog, *, include_images: bool = False) -> bytes:
    """Return the cells that a reader has decided on as COCO; see `training_document`.

    Parameters
    ----------
    analysis : Analysis
        As it was detected, not corrected.
    log : DecisionLog
        Of the same smear.
    include_images : bool
        Whether the images that have reviewed cells go along, in a ZIP archive with the annotations.

    Raises
    ------
    InputError
        If pixels can no longer be read.
    """
    document = training_document(analysis, log, include_images=include_images)
    content = f"{json.dumps(document, allow_nan=False)}\n".encode("ascii")
    if not include_images:
        return content
    listed = [one["id"] - 1 for one in document["images"]]
    names = stems_of(analysis)
    files = index(analysis, {field: names[field] for field in listed})
    return zipped(((coco.ANNOTATIONS_FILE, content), files, *image_files(analysis, only=listed)))


def training_document(analysis: Analysis, log: DecisionLog, *, include_images: bool = False) -> dict[str, Any]:
    """Return the reviewed cells as a COCO document, JSON-ready.

    An annotation is a cell that was accepted or renamed, under the name that the reader gave it; ``reviewed`` says
    which, ``decided_name`` what it is called now and ``seen_as`` what the analysis had called it. What was rejected
    stands under ``negatives``. Cells that nobody looked at are in neither list, and no image is complete. Decisions of
    blind readings are left out: they measure readers.

    Parameters
    ----------
    analysis, log, include_images
        See `training_set`.
    """
    log.refresh()
    held = [one for one in Standing(log.decisions).held() if not one.blind]
    by_row = attach(held, analysis.detections, analysis.smear).by_row
    seen = {row: str(analysis.detections["name"][row]) for row in by_row}
    verdicts = {row: verdict_on(one, seen[row]) for row, one in by_row.items()}
    kept = sorted(row for row, (verdict, _) in verdicts.items() if verdict != REJECTED)
    rejected = sorted(row for row, (verdict, _) in verdicts.items() if verdict == REJECTED)
    names = [verdicts[row][1] for row in kept]
    document = _document(analysis, _table(analysis.detections, kept, names), include_images=include_images)
    for one in document["annotations"]:
        row, name = kept[one["id"] - 1], names[one["id"] - 1]
        one |= {
            "id": row + 1,
            "reviewed": IN_WORDS[verdicts[row][0]],
            "decided_name": name,
            "seen_as": seen[row],
            "decision": by_row[row].id,
        }
    places = _document(analysis, _table(analysis.detections, rejected, [seen[row] for row in rejected]))["annotations"]
    document[NEGATIVES] = [_negative(one, rejected[one["id"] - 1], seen) for one in places]
    looked_at = {one["image_id"] for one in (*document["annotations"], *document[NEGATIVES])}
    document["images"] = [one for one in document["images"] if one["id"] in looked_at]
    return document


def _document(analysis: Analysis, cells: Detections, *, include_images: bool = False) -> dict[str, Any]:
    return coco.document(replace(analysis, detections=cells), include_images=include_images)


def _table(detections: Detections, rows: list[int], names: list[str]) -> Detections:
    chosen = detections.select(np.array(rows, np.intp))
    return chosen.with_columns(name=np.array(names, np.str_))


def _negative(place: dict[str, Any], row: int, seen: dict[int, str]) -> dict[str, Any]:
    kept = {key: place[key] for key in _OF_A_PLACE if key in place}
    return kept | {"id": row + 1, "reviewed": IN_WORDS[REJECTED], "seen_as": seen[row]}
