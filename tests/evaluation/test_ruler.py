from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from hemato_lab.detections import Detections
from hemato_lab.evaluation.dataset import DetectionSet
from hemato_lab.evaluation.fields import FieldOutcome
from hemato_lab.evaluation.ruler import RulerScores, score_ruler

Build = Callable[..., DetectionSet]


def ruler(build: Build, annotated: Sequence[float | None], estimated: Sequence[float | None]) -> RulerScores:
    info = {"rbc_diameter_px": 100.0, "rbc_diameter_by_threshold_px": 90.0}
    dataset = build([[] for _ in annotated], diameters=annotated, info=info)
    outcomes = [FieldOutcome(Detections.empty(), diameter) for diameter in estimated]
    return score_ruler(dataset, dataset.images, outcomes)


def test_errors_are_relative_to_the_cells_and_not_to_their_boxes(build: Build) -> None:
    # boxes of 100 px hold cells of 90 px: errors +10 %, -20 %, 0 %, refused, and one image without a diameter
    scores = ruler(build, [100.0, 100.0, 50.0, 100.0, None], [99.0, 72.0, 45.0, None, 12.0])
    assert (scores.images, scores.refused) == (4, 1)
    assert scores.median == pytest.approx(0.10)
    assert scores.median_signed == pytest.approx(0.0)
    assert scores.share_within_15_percent == pytest.approx(2 / 3)
    assert scores.share_within_15_percent_or_refused == pytest.approx(3 / 4)


def test_nothing_to_compare_is_undefined(build: Build) -> None:
    assert ruler(build, [None], [50.0]).to_json() == {
        "images": 0,
        "refused": 0,
        "median": None,
        "median_signed": None,
        "share_within_15_percent": None,
        "share_within_15_percent_or_refused": None,
    }


def test_all_refused_has_no_error(build: Build) -> None:
    scores = ruler(build, [100.0, 100.0], [None, None])
    assert (scores.refused, scores.median, scores.share_within_15_percent_or_refused) == (2, None, 1.0)
