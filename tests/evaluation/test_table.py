from __future__ import annotations

from typing import Any

from hemato_lab.evaluation.table import crop_table, detection_table, parasite_table

NOTICE = "For Research Use Only. Not for use in diagnostic procedures."


def detection_result() -> dict[str, Any]:
    figures = {
        "ap50": 0.9,
        "precision": None,
        "recall": 0.5,
        "f1": 2 / 3,
        "ece": 0.04,
        "count_bias": -1.25,
        "count_mae": 2.0,
        "count_error": 0.07,
    }
    return {
        "dataset": "tiny",
        "split": "val",
        "detector": "classical",
        "images": 12,
        "mean_ap50": 0.9,
        "limits": {"mean_ap50": [0.85, 0.95]},
        "classes": {
            "RBC": {"truth": 31, **figures, "limits": {**dict.fromkeys(figures), "recall": [0.4, 0.6]}},
        },
        "match": "center",
        "scale": "estimated",
        "ignore_incomplete": True,
        "scale_error": {
            "images": 11,
            "refused": 1,
            "median": 0.03,
            "median_signed": -0.01,
            "share_within_15_percent": 0.9,
        },
        "refused": ["images/blank.jpg"],
        "skipped": [],
        "resamples": 1000,
        "groups": 5,
        "notice": NOTICE,
    }


def test_every_figure_stands_in_its_column() -> None:
    lines = detection_table(detection_result()).splitlines()
    assert lines[0] == (
        "tiny val: 12 images, detector classical (match center, scale estimated, unmarked cells ignored)"
    )
    header = next(line for line in lines if line.startswith("class"))
    row = next(line for line in lines if line.startswith("RBC"))
    for name, text in (
        ("truth", "31"),
        ("ap50", "0.900"),
        ("precision", "-"),
        ("recall", "0.500 [0.400, 0.600]"),
        ("f1", "0.667"),
        ("count bias", "-1.250"),
        ("ece", "0.040"),
        ("count mae", "2.000"),
        ("count error", "0.070"),
    ):
        start = header.index(name)
        assert row[start:].startswith(text), name
    assert "mean AP50 0.900 [0.850, 0.950]" in lines
    assert any("median error 0.030 (signed -0.010), within 15 % 0.900, refused 1" in line for line in lines)
    assert "refused, no credible scale: images/blank.jpg" in lines
    assert lines[-1] == NOTICE


def test_a_given_scale_has_no_ruler_line() -> None:
    result = {**detection_result(), "scale_error": None, "refused": [], "scale": "annotated"}
    text = detection_table(result)
    assert "red-cell diameter" not in text
    assert "refused" not in text


def crop_result() -> dict[str, Any]:
    return {
        "dataset": "cells",
        "split": "val",
        "classifier": "classical",
        "crops": 390,
        "accuracy": 0.93,
        "macro_f1": 0.92,
        "auc": None,
        "ece": 0.02,
        "unknown": 0.1,
        "accuracy_known": 0.96,
        "scale": {"rbc_diameter_px": 37.26, "origin": "estimated"},
        "left_out": {"uncategorised RBC": 7},
        "limits": {"accuracy": [0.9, 0.95], "macro_f1": None, "auc": None, "ece": [0.01, 0.03], "unknown": None,
                   "accuracy_known": None},
        "classes": {
            "blast": {"truth": 3, "precision": 1.0, "recall": 0.5, "f1": 0.667, "limits": dict.fromkeys(
                ("precision", "recall", "f1"))},
        },
        "skipped": [{"file": "cells/a.png", "reason": "the file is empty"}],
        "resamples": 1000,
        "groups": 5,
        "notice": NOTICE,
    }  # fmt: skip


def test_crop_figures_are_listed() -> None:
    lines = crop_table(crop_result()).splitlines()
    assert lines[0] == "cells val: 390 crops, classifier classical"
    assert "accuracy 0.930 [0.900, 0.950]" in lines
    assert "macro f1 0.920" in lines
    assert "auc -" in lines
    assert "accuracy known 0.960" in lines
    assert "red-cell diameter 37.3 px, estimated" in lines
    assert "left out, no name of the classifier fits: uncategorised RBC 7" in lines
    assert "skipped, not readable: cells/a.png: the file is empty" in lines
    assert lines[-1] == NOTICE


def test_marked_cells_of_refused_images_are_told() -> None:
    assert "refused" not in crop_table(crop_result())
    none = {**crop_result(), "refused": [], "cells_refused": 0}
    assert "refused" not in crop_table(none)
    some = {**crop_result(), "refused": ["images/a.jpg", "images/b.jpg"], "cells_refused": 7}
    assert (
        "refused, no credible scale: images/a.jpg, images/b.jpg; 7 cells counted as unknown and wrong"
        in crop_table(some).splitlines()
    )


def test_the_scale_of_crops_is_told_as_far_as_it_is_known() -> None:
    for origin in ("cells on black", "unknown"):
        unmeasured = {"rbc_diameter_px": None, "origin": origin}
        assert f"red-cell diameter {origin}" in crop_table({**crop_result(), "scale": unmeasured}).splitlines()
    of_fields = crop_table({**crop_result(), "scale": "annotated", "left_out": {}})
    assert "red-cell diameter" not in of_fields
    assert "left out" not in of_fields


def test_parasites_are_listed_by_stage() -> None:
    figures = {"precision": 0.8, "recall": 0.75, "f1": 0.774}
    result = {
        "dataset": "fields",
        "split": "val",
        "detector": "onnx",
        "images": 3,
        "red_cells": 500,
        "parasites": 1,
        "threshold": 0.6,
        "recall": 1.0,
        "precision": 0.5,
        "false_per_1000": 2.0,
        "recall_at_1_per_1000": None,
        "stage_macro_f1": 0.7,
        "stage_macro_f1_found": 0.8,
        "stages": {"schizont": {"truth": 1, **figures, "limits": dict.fromkeys(figures)}},
        "limits": {"recall": [0.5, 1.0], "precision": None, "false_per_1000": None, "recall_at_1_per_1000": None,
                   "stage_macro_f1": None, "stage_macro_f1_found": None},
        "refused": ["images/blank.jpg"],
        "skipped": [],
        "resamples": 1000,
        "groups": 2,
        "notice": NOTICE,
    }  # fmt: skip
    lines = parasite_table(result).splitlines()
    assert lines[0] == "fields val: 3 images, detector onnx, 500 red cells found, 1 parasite marked"
    assert any(line.startswith("schizont") and line.endswith("0.774") for line in lines)
    assert "called parasitised from score 0.600" in lines
    assert "refused, no credible scale: images/blank.jpg" in lines
    assert "recall 1.000 [0.500, 1.000]" in lines
    assert "recall at 1 per 1000 -" in lines
    assert lines[-2].endswith("1000 resamples of 2 groups")


def without_limits() -> dict[str, Any]:
    result = detection_result()
    result["limits"] = {"mean_ap50": None}
    result["classes"]["RBC"]["limits"] = dict.fromkeys(result["classes"]["RBC"]["limits"])
    return result


def test_the_intervals_are_explained_only_where_there_are_any() -> None:
    explanation = "[low, high]: 95 % limits, 1000 resamples of 5 groups"
    assert explanation in detection_table(detection_result()).splitlines()
    bare = without_limits()
    assert "[low, high]" not in detection_table(bare)
    bare["classes"]["RBC"]["limits"]["count_bias"] = [-2.0, -0.5]
    assert explanation in detection_table(bare).splitlines()


def test_a_name_with_brackets_is_no_interval() -> None:
    assert "[low, high]" not in detection_table({**without_limits(), "dataset": "cells [0, 1]"})


def test_one_is_singular() -> None:
    text = detection_table({**detection_result(), "images": 1, "groups": 1})
    assert "tiny val: 1 image, detector" in text
    assert text.splitlines()[-2].endswith("1000 resamples of 1 group")


def test_skipped_images_are_one_printable_line() -> None:
    skipped = [
        {"file": "images/a.jpg", "reason": "the file is empty"},
        {"file": "images/b\x1b[2J\n.jpg", "reason": "not a picture"},
    ]
    lines = detection_table({**detection_result(), "skipped": skipped}).splitlines()
    (line,) = [line for line in lines if line.startswith("skipped")]
    assert line.startswith("skipped, not readable: images/a.jpg: the file is empty; images/b")
    assert line.endswith("not a picture")
    assert line.isprintable()
