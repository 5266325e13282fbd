"""Images of a set that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

from hemato_lab.detections import Detections
from hemato_lab.errors import UnreadableInputError
from hemato_lab.evaluation.dataset import DetectionSet
from hemato_lab.evaluation.detection import DetectorCard, evaluate_detection
from hemato_lab.evaluation.fields import Detect, FieldOutcome

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[..., DetectionSet]
Table = Callable[[Sequence[tuple[str, float, float, float, float]]], Detections]
CARD = DetectorCard("synthetic", {"RBC": 0.5, "WBC": 0.5, "platelet": 0.5})


def failing_at(bad: set[int], tables: Sequence[Detections]) -> Detect:
    """A detector that knows its answers by the number in the file's name, and for which some files are damaged."""

    def detect(path: Path, _diameter: float | None) -> FieldOutcome:
        number = int(path.stem)
        if number in bad:
            raise UnreadableInputError("the file is damaged", subject=path.name)
        return FieldOutcome(tables[number], 50.0)

    return detect


def test_images_that_cannot_be_read_are_set_aside(build: Build, table: Table) -> None:
    """The others have the figures they have without it, whichever place it had, and it is listed with the reason."""
    marks = [[("RBC", 50, 50, 40)], [("RBC", 60, 60, 40), ("RBC", 300, 300, 40)], [("WBC", 90, 90, 80)]]
    tables = [table([(*mark, 0.9) for mark in row]) for row in marks]
    groups = ["slide 0", "slide 1", "slide 2"]
    every = build(marks, groups=groups)
    for bad in range(3):
        result = evaluate_detection(every, failing_at({bad}, tables), CARD, split="test", jobs=2).to_json()
        assert result.pop("skipped") == [{"file": f"images/{bad:03d}.jpg", "reason": "the file is damaged"}]
        kept = [index for index in range(3) if index != bad]
        fewer = build([marks[index] for index in kept], groups=[groups[index] for index in kept])
        answers = failing_at(set(), [tables[index] for index in kept])
        alone = evaluate_detection(fewer, answers, CARD, split="test").to_json()
        assert alone.pop("skipped") == []
        assert result == alone
        assert (result["images"], result["refused"]) == (2, [])


def test_when_no_image_can_be_read_the_first_reason_is_raised(build: Build) -> None:
    with pytest.raises(UnreadableInputError, match=r"000\.jpg: the file is damaged"):
        evaluate_detection(build([[], []]), failing_at({0, 1}, []), CARD, split="test")
