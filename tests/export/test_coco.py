from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from shapely import Polygon

from hemato_lab import export
from hemato_lab.detections import BOX_COLUMNS
from hemato_lab.errors import ConfigError
from hemato_lab.evaluation.dataset import read_dataset
from hemato_lab.export.categories import category_ids
from hemato_lab.export.shapes import boxes
from hemato_lab.phantom.dataset import CATEGORY_IDS
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.analysis import Analysis

pytestmark = pytest.mark.usefixtures("capsys")  # pycocotools prints


def read(tmp_path: Path, content: bytes) -> COCO:
    path = tmp_path / "annotations.json"
    path.write_bytes(content)
    return COCO(str(path))


def test_pycocotools_reads_boxes_names_and_areas(tmp_path: Path, measured: Analysis):
    coco = read(tmp_path, export.render(measured, "coco"))
    cells = measured.detections
    assert sorted(coco.anns) == [1, 2, 3, 4, 5, 6]
    assert [one["file_name"] for one in coco.imgs.values()] == ["one/first.png", "one/second.jpg"]
    for number, annotation in coco.anns.items():
        row = number - 1
        assert annotation["image_id"] == cells["field"][row] + 1
        assert coco.cats[annotation["category_id"]]["name"] == cells["name"][row]
        assert annotation["score"] == pytest.approx(cells["score"][row], abs=1e-4)
    assert coco.anns[1]["bbox"] == [70.5, 70.5, 60.0, 60.0]
    assert coco.anns[6]["bbox"] == [0.0, 188.5, 15.5, 24.0]
    assert RESEARCH_USE_NOTICE in coco.dataset["info"]["description"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools with numpy 2
def test_masks_lie_where_the_cells_do(tmp_path: Path, measured: Analysis):
    coco = read(tmp_path, export.render(measured, "coco"))
    for number in (1, 2, 4, 5):
        mask = coco.annToMask(coco.anns[number])
        y, x = np.nonzero(mask)
        # A pixel's centre is where this package counts from.
        assert x.mean() == pytest.approx(measured.detections["x"][number - 1], abs=0.5)
        assert y.mean() == pytest.approx(measured.detections["y"][number - 1], abs=0.5)
        assert mask.sum() == pytest.approx(coco.anns[number]["area"], rel=0.03)


def test_outlines_end_at_the_box_of_their_cell(measured: Analysis):
    for one in json.loads(export.render(measured, "coco"))["annotations"]:
        points = np.array(one["segmentation"][0]).reshape(-1, 2)
        left, top, width, height = one["bbox"]
        assert (points >= [left - 0.01, top - 0.01]).all()
        assert (points <= [left + width + 0.01, top + height + 0.01]).all()
        assert one["area"] == pytest.approx(Polygon(points).area, rel=1e-3)


def test_a_cell_without_a_score_has_none(measured: Analysis):
    score = measured.detections["score"].copy()
    score[3] = np.nan
    blank = replace(measured, detections=measured.detections.with_columns(score=score))
    scored = ["score" in one for one in json.loads(export.render(blank, "coco"))["annotations"]]
    assert scored == [True, True, True, False, True, True]


def test_an_analysis_finds_itself_perfectly(tmp_path: Path, real: Analysis):
    content = export.render(real, "coco")
    truth = read(tmp_path, content)
    found: list[dict[str, Any]] = json.loads(content)["annotations"]
    results = truth.loadRes(found)
    evaluation = COCOeval(truth, results, "bbox")
    evaluation.params.maxDets = [1, 10, 1000]
    evaluation.params.catIds = sorted({one["category_id"] for one in found})
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][..., -1]
    assert precision[precision >= 0].min() == pytest.approx(1)


def test_the_set_is_read_back_by_this_package(tmp_path: Path, measured: Analysis):
    with zipfile.ZipFile(io.BytesIO(export.render(measured, "coco", include_images=True))) as archive:
        archive.extractall(tmp_path)
    back = read_dataset(tmp_path)
    assert [image.file_name for image in back.images] == ["images/first.png", "images/second.png"]
    for field, image in enumerate(back.images):
        cells = measured.cells_of(field)
        assert image.truth["name"].tolist() == cells["name"].tolist()
        expected = boxes(cells, measured.smear.fields[field]) - 0.5
        assert np.allclose(np.stack([image.truth[side] for side in BOX_COLUMNS], axis=1), expected, atol=1e-3)
        assert np.array_equal(np.asarray(Image.open(image.path)), measured.smear.fields[field].read())


def test_categories_are_the_same_in_every_file(measured: Analysis, empty_analysis: Analysis):
    numbers = category_ids()
    assert {name: numbers[name] for name in CATEGORY_IDS} == dict(CATEGORY_IDS)
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))
    assert {name for name, one in TERMS.items() if one.kind == "cell"} <= set(numbers)
    first, second = (json.loads(export.render(one, "coco")) for one in (measured, empty_analysis))
    assert first["categories"] == second["categories"]
    assert second["annotations"] == []


def test_what_is_no_cell_is_refused(measured: Analysis):
    names = np.array(["RBC"] * 5 + ["anisocytosis"])
    wrong = replace(measured, detections=measured.detections.with_columns(name=names))
    for file_format in ("coco", "yolo"):
        with pytest.raises(ConfigError, match="'anisocytosis' is no name of a cell"):
            export.render(wrong, file_format)
