"""Reviewed cells as COCO, read again by pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile

import numpy as np
from pycocotools.coco import COCO

from hemato_lab.review.reviewing import Review
from hemato_lab.review.training import training_document, training_set
from hemato_lab.vocabulary import TERMS


def test_pycocotools_reads_the_cells_that_a_reader_confirmed(malaria, log, tmp_path):
    cells = malaria.detections
    rings = np.flatnonzero(cells["name"] == "ring trophozoite").tolist()
    review = Review(malaria, log, reader="Mr. Secret")
    review.decide(rings[:3], "accept")
    review.decide(rings[3:5], "reclassify", "platelet")
    review.decide(rings[5:6], "reject")
    Review(malaria, log, blind=True).decide([0], "reclassify", "platelet")
    content = training_set(malaria, log)
    assert content == training_set(malaria, log)
    assert b"Secret" not in content
    file = tmp_path / "cells.json"
    file.write_bytes(content)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(file)
    read = {one["id"]: one for one in coco.loadAnns(coco.getAnnIds())}
    assert sorted(read) == [row + 1 for row in rings[:5]]
    for row in rings[:5]:
        one = read[row + 1]
        name = coco.loadCats(one["category_id"])[0]["name"]
        assert name == one["decided_name"] == ("ring trophozoite" if row in rings[:3] else "platelet")
        assert one["seen_as"] == "ring trophozoite"
        assert one["reviewed"] == ("accepted" if row in rings[:3] else "renamed")
        left, top, width, height = one["bbox"]
        assert left <= cells["x"][row] + 0.5 <= left + width
        assert top <= cells["y"][row] + 0.5 <= top + height
    (negative,) = json.loads(content)["negatives"]
    assert (negative["id"], negative["seen_as"]) == (rings[5] + 1, "ring trophozoite")
    assert {one["file_name"] for one in coco.loadImgs(coco.getImgIds())} == {
        malaria.smear.fields[field].name for field in cells["field"][rings[:6]]
    }
    assert all(one["complete"] == [] for one in coco.loadImgs(coco.getImgIds()))


def test_every_name_that_a_reader_can_give_has_a_category(malaria, log):
    names = [name for name, term in TERMS.items() if term.kind == "cell"]
    review = Review(malaria, log)
    for row, name in enumerate(names):
        review.decide([row], "reclassify", name)
    assert {one["decided_name"] for one in training_document(malaria, log)["annotations"]} == set(names)


def test_images_go_along_when_they_are_asked_for(malaria, log):
    first = np.flatnonzero(malaria.detections["field"] == 0)[:1].tolist()
    Review(malaria, log).decide(first, "accept")
    with zipfile.ZipFile(io.BytesIO(training_set(malaria, log, include_images=True))) as archive:
        stored = set(archive.namelist())
        images = json.loads(archive.read("annotations.json"))["images"]
        fields = json.loads(archive.read("fields.json"))["fields"]
    (image,) = images
    assert {name for name in stored if name.startswith("images/")} == {image["file_name"]}
    assert [one["field"] for one in fields] == [malaria.smear.fields[0].name]


def test_nothing_reviewed_is_an_empty_set(malaria, log):
    document = training_document(malaria, log)
    assert document["annotations"] == document["negatives"] == document["images"] == []
