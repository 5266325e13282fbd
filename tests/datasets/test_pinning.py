from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from hemato_lab.datasets.pinning import pin
from hemato_lab.datasets.records import PinnedFile
from hemato_lab.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_crop_set_lists_its_labels_first(packaged: Path) -> None:
    assert pin(packaged) == (
        PinnedFile("labels.csv", sha256((packaged / "labels.csv").read_bytes()), "", ""),
        PinnedFile("images/parasitised RBC/C1 cell #7.jpg", sha256(b"first"), "train", "C1"),
        PinnedFile("images/uninfected RBC/C2_cell_1.jpg", sha256(b"second"), "test", "C2"),
    )


def test_a_detection_set_lists_its_annotations_first(tmp_path: Path) -> None:
    image = {"id": 1, "file_name": "a.jpg", "width": 8, "height": 8, "split": "val", "group": "s", "complete": []}
    document = {"info": {"name": "t"}, "categories": [], "images": [image], "annotations": []}
    text = json.dumps(document)
    (tmp_path / "annotations.json").write_text(text, encoding="utf-8")
    (tmp_path / "a.jpg").write_bytes(b"pixels")
    assert pin(tmp_path) == (
        PinnedFile("annotations.json", sha256(text.encode()), "", ""),
        PinnedFile("a.jpg", sha256(b"pixels"), "val", "s"),
    )


def test_an_image_that_is_not_there_is_named(packaged: Path) -> None:
    (packaged / "images/uninfected RBC/C2_cell_1.jpg").unlink()
    with pytest.raises(DatasetError, match=r"C2_cell_1\.jpg: cannot be read"):
        pin(packaged)
