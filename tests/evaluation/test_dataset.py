from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemato_lab.errors import ConfigError, DatasetError
from hemato_lab.evaluation.dataset import CropSet, DetectionSet, read_dataset

SHAPES = ("target cell", "spherocyte", "microcyte")
NO_TYPES_OF_WBC = ("nucleated RBC", "smudge cell")

Write = Callable[[dict[str, Any]], Path]


def read_detection_set(folder: Path) -> DetectionSet:
    dataset = read_dataset(folder)
    assert isinstance(dataset, DetectionSet)
    return dataset


def test_images_keep_what_the_file_says(document: dict[str, Any], write: Write) -> None:
    folder = write(document)
    dataset = read_detection_set(folder)
    assert (dataset.name, dataset.rbc_diameter_px, dataset.rbc_diameter_by_threshold_px) == ("tiny", 100.0, 90.0)
    detected = ("RBC", "WBC", "platelet", "ring trophozoite", "sickle cell", "trophozoite")
    assert dataset.names == (*detected, *SHAPES, *NO_TYPES_OF_WBC)
    (image,) = dataset.in_split("test")
    assert image.path == folder / "images/a.jpg"
    assert (image.width, image.height, image.group) == (640, 480, "slide 1")
    assert image.complete == {"WBC"}
    assert image.rbc_diameter_px == 80.0


def test_boxes_and_centres_move_by_half_a_pixel(document: dict[str, Any], write: Write) -> None:
    (image,) = read_detection_set(write(document)).in_split("test")
    truth = image.truth
    assert truth["name"].tolist() == ["WBC", "ring trophozoite", "RBC"]
    # a box from 10 to 50 in outer-corner coordinates covers the pixels whose centres are 10 ... 49
    assert [truth[c][0] for c in ("x_min", "y_min", "x_max", "y_max")] == [9.5, 19.5, 49.5, 109.5]
    assert (truth["x"][0], truth["y"][0]) == (29.5, 64.5)
    assert truth["radius"][0] == pytest.approx(30.0)  # half of sqrt(40 x 90)


def test_a_point_has_no_box_and_a_box_alone_gives_its_centre(document: dict[str, Any], write: Write) -> None:
    (image,) = read_detection_set(write(document)).in_split("test")
    assert (image.truth["x"][1], image.truth["y"][1]) == (99.5, 199.5)
    assert np.isnan([image.truth[c][1] for c in ("x_min", "y_min", "x_max", "y_max", "radius")]).all()
    assert (image.truth["x"][2], image.truth["y"][2]) == (324.5, 324.5)


def test_difficult_objects_are_marked_as_ignored(document: dict[str, Any], write: Write) -> None:
    (image,) = read_detection_set(write(document)).in_split("test")
    assert image.truth["ignored"].tolist() == [0.0, 0.0, 1.0]


def test_parts_of_cells_outside_are_ignored_too(document: dict[str, Any], write: Write) -> None:
    document["images"][1]["reaching_in"] = [{"category_id": 1, "bbox": [0, 0, 9, 30]}]
    (image,) = read_detection_set(write(document)).in_split("train")
    assert image.truth["name"].tolist() == ["RBC"]
    assert image.truth["ignored"].tolist() == [1.0]
    document["images"][1]["reaching_in"][0]["category_id"] = 77
    with pytest.raises(DatasetError, match=r"images\[1\]\.reaching_in\[0\]: unknown category id 77"):
        read_dataset(write(document))


def test_an_image_without_marks_has_an_empty_truth(document: dict[str, Any], write: Write) -> None:
    (image,) = read_detection_set(write(document)).in_split("train")
    assert len(image.truth) == 0
    assert "ignored" in image.truth.columns
    assert image.rbc_diameter_px is None


@pytest.mark.parametrize(
    ("own", "boxes", "threshold", "expected"),
    [
        (80.0, 100.0, 90.0, 72.0),
        (80.0, None, 90.0, 80.0),
        (None, 100.0, 90.0, 90.0),
        (None, 100.0, None, None),
    ],
)
def test_cell_diameter_is_the_annotated_one_corrected_for_wide_boxes(
    document: dict[str, Any],
    write: Write,
    *,
    own: float | None,
    boxes: float | None,
    threshold: float | None,
    expected: float | None,
) -> None:
    document["info"].update(rbc_diameter_px=boxes, rbc_diameter_by_threshold_px=threshold)
    document["images"][0]["rbc_diameter_px"] = own
    dataset = read_detection_set(write(document))
    measured = dataset.cell_diameter_px(dataset.images[0])
    assert measured == (None if expected is None else pytest.approx(expected))


def _drop(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        target: Any = document
        for key in path[:-1]:
            target = target[key]
        del target[path[-1]]

    return change


def _put(value: Any, *path: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        target: Any = document
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (_drop("info"), "info is missing"),
        (_drop("info", "name"), "info: name is missing"),
        (_put("x", "categories"), "categories is not a list"),
        (_put("smiley cell", "categories", 1, "name"), "categories[1]: the name 'smiley cell'"),
        (_put(1, "categories", 1, "id"), "categories[1]: the category id 1 is used twice"),
        (_drop("images", 1, "split"), "images[1]: split is missing"),
        (_put("", "images", 1, "group"), "images[1]: group is not a text"),
        (_put(7, "images", 1, "id"), "images[1]: the image id 7 is used twice"),
        (_put(0, "images", 1, "width"), "images[1]: width is not positive"),
        (_put(1.5, "images", 1, "height"), "images[1]: height is not a whole number"),
        (_put("WBC", "images", 0, "complete"), "images[0]: complete is not a list"),
        (_put([3], "images", 0, "complete"), "images[0]: complete is not a list of texts"),
        (_put(["smiley"], "images", 0, "complete"), "images[0]: the name 'smiley'"),
        (_put(-3, "images", 0, "rbc_diameter_px"), "images[0]: rbc_diameter_px is not positive"),
        (_put("80", "images", 0, "rbc_diameter_px"), "images[0]: rbc_diameter_px holds something"),
        (_put(99, "annotations", 0, "category_id"), "annotations[0]: unknown category id 99"),
        (_put(99, "annotations", 0, "image_id"), "unknown image id 99"),
        (_put([1, 2, 3], "annotations", 0, "bbox"), "annotations[0]: bbox has 3 values"),
        (_put([1, 2, 0, 3], "annotations", 0, "bbox"), "annotations[0]: a box has a width or height"),
        (_put([1, 2, float("nan"), 3], "annotations", 0, "bbox"), "annotations[0]: bbox holds something"),
        (_drop("annotations", 1, "center"), "annotations[1]: has neither bbox nor center"),
        (_put("yes", "annotations", 2, "attributes", "difficult"), "annotations[2].attributes: difficult"),
        (_put(5, "annotations", 2), "annotations[2]: is not an object"),
    ],
)
def test_what_is_malformed_is_named(
    document: dict[str, Any], write: Write, change: Callable[[dict[str, Any]], None], place: str
) -> None:
    change(document)
    folder = write(document)
    with pytest.raises(DatasetError) as caught:
        read_dataset(folder)
    assert caught.value.subject == str(folder / "annotations.json")
    assert place in str(caught.value)


@pytest.mark.parametrize("name", ["../outside.jpg", "/etc/hostname"])
def test_files_outside_the_folder_are_refused(document: dict[str, Any], write: Write, name: str) -> None:
    folder = write(document)
    document["images"][0]["file_name"] = name
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"images\[0\].*outside"):
        read_dataset(folder)


def test_a_missing_image_is_left_to_the_reader_of_images(document: dict[str, Any], write: Write) -> None:
    folder = write(document)
    (folder / "images/b.jpg").unlink()
    assert [image.file_name for image in read_detection_set(folder).images] == ["images/a.jpg", "images/b.jpg"]


@pytest.mark.parametrize("name", ["a\0b.jpg", "\ud800.jpg"])
def test_a_name_that_no_file_can_have_is_named(document: dict[str, Any], write: Write, name: str) -> None:
    folder = write(document)
    document["images"][0]["file_name"] = name
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"images\[0\].*cannot be looked for"):
        read_dataset(folder)


def test_broken_json_is_a_dataset_error(tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match="not readable JSON"):
        read_dataset(tmp_path)


def test_a_folder_without_annotations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"neither annotations.json nor labels.csv"):
        read_dataset(tmp_path)


def test_an_unknown_split_lists_the_known_ones(document: dict[str, Any], write: Write) -> None:
    with pytest.raises(ConfigError, match=r"'validation'.*test, train"):
        read_detection_set(write(document)).in_split("validation")


@pytest.fixture
def crop_folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in "abc":
        (tmp_path / f"images/{name}.jpg").touch()
    (tmp_path / "labels.csv").write_text(
        "file,label,split,group,subtype\n"
        "images/a.jpg,uninfected RBC,test,p1,\n"
        "images/b.jpg,parasitised RBC,test,p2,x\n"
        "images/c.jpg,parasitised RBC,train,p3,\n",
        encoding="utf-8",
    )
    return tmp_path


def test_crops_are_read_with_their_labels(crop_folder: Path) -> None:
    dataset = read_dataset(crop_folder)
    assert isinstance(dataset, CropSet)
    assert dataset.name == crop_folder.name
    assert dataset.labels == ("parasitised RBC", "uninfected RBC")
    assert [(crop.path, crop.file_name, crop.label, crop.group) for crop in dataset.in_split("test")] == [
        (crop_folder / "images/a.jpg", "images/a.jpg", "uninfected RBC", "p1"),
        (crop_folder / "images/b.jpg", "images/b.jpg", "parasitised RBC", "p2"),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("images/a.jpg,uninfected RBC,test", "line 5: group is missing"),
        ("images/a.jpg,happy cell,test,p1,", "line 5: the name 'happy cell'"),
        ("../z.jpg,uninfected RBC,test,p1,", "line 5: the file '../z.jpg' lies outside the set's folder"),
        ("images/a.jpg,uninfected RBC,,p1,", "line 5: split is not a text"),
    ],
)
def test_a_malformed_label_line_is_named(crop_folder: Path, line: str, problem: str) -> None:
    with (crop_folder / "labels.csv").open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(DatasetError) as caught:
        read_dataset(crop_folder)
    assert problem in str(caught.value)
    assert caught.value.subject.endswith("labels.csv")


def test_an_empty_label_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label,split,group\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no crop"):
        read_dataset(tmp_path)
