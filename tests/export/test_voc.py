from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np

from hemato_lab import export
from hemato_lab.export.characters import printable, storable
from hemato_lab.report import RESEARCH_USE_NOTICE
from tests.export.conftest import HOSTILE_NAMES

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def annotations(content: bytes) -> list[ET.Element]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = [name for name in archive.namelist() if name.startswith("Annotations/")]
        return [ET.fromstring(archive.read(name)) for name in files]  # noqa: S314 (made by the package)


def box(found: ET.Element) -> tuple[int, ...]:
    return tuple(int(found.findtext(f"bndbox/{side}") or "") for side in ("xmin", "ymin", "xmax", "ymax"))


def test_the_first_pixel_is_one_and_the_last_belongs_to_the_box(measured: Analysis):
    first, second = annotations(export.render(measured, "voc"))
    assert (first.findtext("filename"), second.findtext("filename")) == ("one/first.png", "one/second.jpg")
    assert [first.findtext(f"size/{side}") for side in ("width", "height", "depth")] == ["600", "400", "3"]
    objects = [*first.iter("object"), *second.iter("object")]
    assert [one.findtext("name") for one in objects] == measured.detections["name"].tolist()
    # Centre 100 and radius 30 reach from 70 to 130: from the middle of pixel 71 to that of pixel 131, counted from 1.
    assert box(objects[0]) == (71, 71, 131, 131)
    assert box(objects[5]) == (1, 189, 16, 213)
    assert [one.findtext("truncated") for one in objects] == ["0", "0", "0", "0", "0", "1"]
    assert [one.findtext("difficult") for one in objects] == ["0", "1", "0", "0", "0", "0"]
    assert [one.findtext("occluded") for one in objects] == ["0", "1", "0", "0", "0", "0"]


def test_boxes_hold_the_pixels_that_they_touch(real: Analysis):
    for field, found in enumerate(annotations(export.render(real, "voc"))):
        cells, one = real.cells_of(field), real.smear.fields[field]
        for row, drawn in enumerate(found.iter("object")):
            xmin, ymin, xmax, ymax = box(drawn)
            assert 1 <= xmin <= xmax <= one.width
            assert 1 <= ymin <= ymax <= one.height
            assert xmin - 1 <= cells["x"][row] <= xmax - 1
            assert ymin - 1 <= cells["y"][row] <= ymax - 1


def test_a_cell_without_a_score_is_difficult(measured: Analysis):
    score = np.full(len(measured.detections), np.nan)
    blank = replace(measured, detections=measured.detections.with_columns(score=score))
    found = [
        one.findtext("difficult") for field in annotations(export.render(blank, "voc")) for one in field.iter("object")
    ]
    assert set(found) == {"1"}


def test_any_name_is_text(hostile_names: Analysis):
    read = annotations(export.render(hostile_names, "voc"))
    expected = [printable(storable(name)).replace("\r", "\n") for name in HOSTILE_NAMES]
    assert [one.findtext("filename") for one in read] == expected
    assert {child.tag for one in read for child in one.iter()} <= {
        *("annotation", "folder", "filename", "source", "database", "size", "width", "height", "depth", "segmented"),
        *("object", "name", "pose", "truncated", "difficult", "occluded", "bndbox", "xmin", "ymin", "xmax", "ymax"),
    }


def test_the_notice_and_the_names_of_images_in_the_archive(measured: Analysis):
    content = export.render(measured, "voc", include_images=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert RESEARCH_USE_NOTICE.encode() in archive.read("Annotations/first.xml")
        assert {"JPEGImages/first.png", "JPEGImages/second.png"} <= set(archive.namelist())
    assert [one.findtext("filename") for one in annotations(content)] == ["first.png", "second.png"]
