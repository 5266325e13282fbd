"""Data sets on disk: format, category numbers, boxes, and the same smear in memory."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from hemato_lab import vocabulary
from hemato_lab.errors import ConfigError
from hemato_lab.phantom import phantom_smear, write_dataset
from hemato_lab.phantom.dataset import CATEGORY_IDS, encode_jpeg
from hemato_lab.phantom.recipe import SIZES, Camera

SIZE = {"fields": 2, "width": 240, "height": 200}


@pytest.fixture(scope="module")
def written(tmp_path_factory, rich):
    return write_dataset(tmp_path_factory.mktemp("set") / "new", rich, 9, **SIZE)


def test_category_numbers_are_those_of_the_public_sets():
    # Read off the annotations.json files of the packaged public data sets.
    known = {
        "RBC": 1,
        "WBC": 2,
        "platelet": 3,
        "ring trophozoite": 4,
        "gametocyte": 7,
        "normal RBC": 8,
        "microcyte": 10,
        "target cell": 12,
        "ovalocyte": 14,
        "schistocyte": 17,
        "uncategorised RBC": 18,
        "hypochromic cell": 19,
        "elliptocyte": 20,
        "sickle cell": 21,
    }
    assert {name: CATEGORY_IDS[name] for name in known} == known
    assert len(set(CATEGORY_IDS.values())) == len(CATEGORY_IDS)
    assert set(SIZES) | set(vocabulary.DETECTOR_CLASSES) == set(CATEGORY_IDS)


def test_annotations_are_valid(written, rich):
    document = json.loads(written.read_text())
    assert set(document) == {"info", "categories", "images", "annotations"}
    assert "For Research Use Only" in document["info"]["notes"]
    assert document["info"]["rbc_diameter_px"] == pytest.approx(rich.rbc_diameter_px, abs=1e-3)
    names = {category["id"]: category["name"] for category in document["categories"]}
    assert [record["id"] for record in document["annotations"]] == list(range(1, len(document["annotations"]) + 1))
    for image in document["images"]:
        with Image.open(written.parent / image["file_name"]) as opened:
            assert opened.size == (image["width"], image["height"])
            assert opened.format == "JPEG"
        assert set(image["complete"]) == set(names.values())
        assert image["split"] == "test"
        assert image["rbc_diameter_px"] > 0
    sizes = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
    for record in document["annotations"]:
        width, height = sizes[record["image_id"]]
        x, y, w, h = record["bbox"]
        assert record["category_id"] in names
        assert w > 0
        assert h > 0
        assert 0 <= x < x + w <= width + 1e-9
        assert 0 <= y < y + h <= height + 1e-9
        assert 0 <= record["center"][0] <= width
        assert 0 <= record["center"][1] <= height


def test_boxes_and_centres_are_the_truth_half_a_pixel_shifted(written, rich):
    document = json.loads(written.read_text())
    _, truth = phantom_smear(rich, 9, **SIZE)
    assert len(document["annotations"]) == len(truth)
    for row, record in enumerate(document["annotations"]):
        assert record["image_id"] == truth["field"][row] + 1
        assert record["center"] == pytest.approx([truth["x"][row] + 0.5, truth["y"][row] + 0.5], abs=1e-3)
        assert record["bbox"][0] == pytest.approx(truth["x_min"][row] + 0.5, abs=1e-3)
        assert record["bbox"][2] == pytest.approx(truth["x_max"][row] - truth["x_min"][row], abs=1e-3)


def test_the_smear_in_memory_is_that_on_disk(written, rich):
    smear, _ = phantom_smear(rich, 9, **SIZE)
    assert len(smear) == 2
    assert smear.scale is not None
    assert smear.scale.um_per_px == rich.um_per_px
    for field in smear.fields:
        raw = (written.parent / "images" / field.name).read_bytes()
        assert field.file_id == f"sha224-i-{hashlib.sha224(raw).hexdigest()}"
        with Image.open(io.BytesIO(raw)) as opened:
            difference = np.abs(np.asarray(opened).astype(int) - field.read())
        # Two decoders, one stream
        assert difference.max() <= 3


def test_writing_twice_gives_the_same_bytes(written, rich):
    before = {path.name: path.read_bytes() for path in written.parent.rglob("*.*")}
    write_dataset(written.parent, rich, 9, **SIZE)
    assert {path.name: path.read_bytes() for path in written.parent.rglob("*.*")} == before


def test_a_folder_with_other_images_is_refused(tmp_path, rich):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "patient.jpg").write_bytes(b"")
    with pytest.raises(ConfigError, match="patient"):
        write_dataset(tmp_path, rich, 1, fields=1, width=20, height=20)


def test_a_place_that_cannot_be_written_is_refused(tmp_path, rich):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="file"):
        write_dataset(tmp_path / "file", rich, 1, fields=1, width=20, height=20)


def test_no_fields_are_refused(rich):
    with pytest.raises(ConfigError):
        phantom_smear(rich, 1, 0, 100, 100)


def test_jpeg_keeps_the_picture(rich):
    pixels = np.full((16, 16, 3), (200, 150, 160), np.uint8)
    with Image.open(io.BytesIO(encode_jpeg(pixels, Camera(jpeg_quality=95)))) as opened:
        assert np.abs(np.asarray(opened).astype(int) - pixels).max() <= 3


def test_progress_counts_the_fields(tmp_path, rich):
    calls = []
    write_dataset(tmp_path, rich, 1, fields=3, width=30, height=30, progress=lambda *step: calls.append(step))
    assert calls == [(1, 3), (2, 3), (3, 3)]
