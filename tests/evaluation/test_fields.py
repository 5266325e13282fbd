from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pytest

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError, ScaleNotCredibleError, UnreadableInputError
from hemato_lab.evaluation.dataset import DetectionSet
from hemato_lab.evaluation.fields import FieldOutcome, detect_fields, readable, stated_diameter

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[..., DetectionSet]


def echo(path: Path, rbc_diameter_px: float | None) -> FieldOutcome:
    if path.stem == "002":
        raise ScaleNotCredibleError("none")
    return FieldOutcome(Detections.empty(), 33.0 if rbc_diameter_px is None else rbc_diameter_px)


def test_nothing_is_stated_when_the_scale_is_estimated(build: Build) -> None:
    dataset = build([[], [], []], diameters=[80.0, None, 80.0])
    outcomes = detect_fields(dataset, dataset.images, echo)
    assert [outcome.rbc_diameter_px for outcome in outcomes] == [33.0, 33.0, None]
    assert [outcome.refused for outcome in outcomes] == [False, False, True]


def test_the_annotated_scale_is_that_of_the_cells(build: Build) -> None:
    info = {"rbc_diameter_px": 100.0, "rbc_diameter_by_threshold_px": 90.0}
    dataset = build([[], []], diameters=[80.0, None], info=info)
    outcomes = detect_fields(dataset, dataset.images, echo, scale="annotated")
    assert [outcome.rbc_diameter_px for outcome in outcomes] == [pytest.approx(72.0), 90.0]


def test_an_unknown_annotated_scale_is_refused(build: Build) -> None:
    dataset = build([[]])
    with pytest.raises(ConfigError, match=r"000.jpg.*--scale estimated"):
        detect_fields(dataset, dataset.images, echo, scale="annotated")


def test_progress_sees_every_outcome_in_order(build: Build) -> None:
    dataset = build([[], []], diameters=[10.0, 20.0])
    seen: list[float | None] = []

    def watch(outcomes: Iterable[FieldOutcome]) -> Iterable[FieldOutcome]:
        for outcome in outcomes:
            seen.append(outcome.rbc_diameter_px)
            yield outcome

    detect_fields(dataset, dataset.images, echo, scale="annotated", jobs=2, progress=watch)
    assert seen == [10.0, 20.0]


def test_an_unreadable_image_has_its_reason_and_is_not_refused(build: Build) -> None:
    failure = UnreadableInputError("is empty")

    def fail(path: Path, rbc_diameter_px: float | None) -> FieldOutcome:
        if path.stem == "001":
            raise failure
        return echo(path, rbc_diameter_px)

    dataset = build([[], [], []])
    outcomes = detect_fields(dataset, dataset.images, fail)
    assert [outcome.unreadable for outcome in outcomes] == [None, failure, None]
    assert [outcome.refused for outcome in outcomes] == [False, False, True]
    assert len(outcomes[1].detections) == 0


def test_readable_images_stay_beside_their_outcomes(build: Build) -> None:
    images = build([[], [], []]).images
    failure = UnreadableInputError("is empty")
    refused, bad = FieldOutcome(Detections.empty(), None), FieldOutcome(Detections.empty(), None, failure)
    good = FieldOutcome(Detections.empty(), 33.0)
    kept, outcomes, skipped = readable(images, [bad, refused, good])
    assert (kept, outcomes) == ([images[1], images[2]], [refused, good])
    assert [one.to_json() for one in skipped] == [{"file": "images/000.jpg", "reason": "is empty"}]
    with pytest.raises(UnreadableInputError) as caught:
        readable(images[:2], [bad, FieldOutcome(Detections.empty(), None, UnreadableInputError("is gone"))])
    assert caught.value is failure


def test_a_diameter_is_stated_only_when_the_annotated_one_is_asked_for(build: Build) -> None:
    dataset = build([[]], diameters=[80.0])
    assert stated_diameter(dataset, dataset.images[0], "estimated") is None
    assert stated_diameter(dataset, dataset.images[0], "annotated") == 80.0
