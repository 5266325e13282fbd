"""Small annotated sets, written as files and read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.evaluation.dataset import DetectionSet, read_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SHAPES = ("target cell", "spherocyte", "microcyte")
NO_TYPES_OF_WBC = ("nucleated RBC", "smudge cell")
NAMES = ("RBC", "WBC", "platelet", "ring trophozoite", "sickle cell", "trophozoite", *SHAPES, *NO_TYPES_OF_WBC)


@pytest.fixture
def document() -> dict[str, Any]:
    """A valid annotations.json: two images of two groups, one box, one point, one difficult box."""
    return {
        "info": {"name": "tiny", "rbc_diameter_px": 100.0, "rbc_diameter_by_threshold_px": 90.0},
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES, start=1)],
        "images": [
            {
                "id": 7,
                "file_name": "images/a.jpg",
                "width": 640,
                "height": 480,
                "split": "test",
                "group": "slide 1",
                "complete": ["WBC"],
                "rbc_diameter_px": 80.0,
            },
            {
                "id": 9,
                "file_name": "images/b.jpg",
                "width": 640,
                "height": 480,
                "split": "train",
                "group": "slide 2",
                "complete": [],
            },
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 2, "bbox": [10.0, 20.0, 40.0, 90.0], "center": [30.0, 65.0]},
            {"id": 2, "image_id": 7, "category_id": 4, "center": [100.0, 200.0]},
            {
                "id": 3,
                "image_id": 7,
                "category_id": 1,
                "bbox": [300.0, 300.0, 50.0, 50.0],
                "attributes": {"difficult": True},
            },
        ],
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Write a document and empty image files for it; returns the folder."""

    def write_document(document: dict[str, Any]) -> Path:
        for image in document["images"]:
            file = tmp_path / image["file_name"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        (tmp_path / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
        return tmp_path

    return write_document


Mark = tuple[str, float, float, float]
"""Name, centre x, centre y, side of the square box, in the package's pixel coordinates."""


@pytest.fixture
def build(write: Callable[[dict[str, Any]], Path]) -> Callable[..., DetectionSet]:
    """Make a set with one image for each list of marks; keywords override info and images."""

    def build_set(
        marks: Sequence[Sequence[Mark]],
        *,
        complete: Sequence[Sequence[str]] | None = None,
        groups: Sequence[str] | None = None,
        difficult: frozenset[tuple[int, int]] = frozenset(),
        boxes: bool = True,
        info: dict[str, Any] | None = None,
        diameters: Sequence[float | None] | None = None,
    ) -> DetectionSet:
        images, annotations = [], []
        for index, listed in enumerate(marks):
            images.append(
                {
                    "id": index,
                    "file_name": f"images/{index:03d}.jpg",
                    "width": 640,
                    "height": 480,
                    "split": "test",
                    "group": groups[index] if groups else f"slide {index}",
                    "complete": list(complete[index]) if complete else list(NAMES),
                    "rbc_diameter_px": diameters[index] if diameters else None,
                }
            )
            for place, (name, x, y, side) in enumerate(listed):
                annotation: dict[str, Any] = {
                    "image_id": index,
                    "category_id": NAMES.index(name),
                    "center": [x + 0.5, y + 0.5],
                    "attributes": {"difficult": (index, place) in difficult},
                }
                if boxes:
                    annotation["bbox"] = [x + 0.5 - side / 2, y + 0.5 - side / 2, side, side]
                annotations.append(annotation)
        folder = write(
            {
                "info": {"name": "built", **(info or {})},
                "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES)],
                "images": images,
                "annotations": annotations,
            }
        )
        dataset = read_dataset(folder)
        assert isinstance(dataset, DetectionSet)
        return dataset

    return build_set


@pytest.fixture
def table() -> Callable[..., Detections]:
    """Detections from (name, x, y, side, score) rows, with square boxes."""

    def make(rows: Sequence[tuple[str, float, float, float, float]]) -> Detections:
        if not rows:
            return Detections.empty(("x_min", "y_min", "x_max", "y_max"))
        names = [row[0] for row in rows]
        x, y, side, score = np.array([row[1:] for row in rows], dtype=np.float64).T
        return Detections(
            {
                "field": np.zeros(len(rows)),
                "x": x,
                "y": y,
                "radius": side / 2,
                "name": np.array(names),
                "score": score,
                "x_min": x - side / 2,
                "y_min": y - side / 2,
                "x_max": x + side / 2,
                "y_max": y + side / 2,
            }
        )

    return make
