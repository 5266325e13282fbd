from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.classifiers.base import Classification
from hemato_lab.errors import ConfigError, InputError, UnreadableInputError
from hemato_lab.evaluation.dataset import DetectionSet
from hemato_lab.evaluation.marked_cells import evaluate_marked_cells

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Build = Callable[..., DetectionSet]
CLASSES = ("sickle cell", "ring trophozoite", "RBC")


class Named:
    """A classifier in name only: places are answered by `by_place`."""

    name = "by place"
    model_sha256 = None

    def __init__(self, classes: tuple[str, ...] = CLASSES) -> None:
        self.classes = classes

    def classify(self, crops: object, *, rbc_diameter_px: float | None = None) -> Classification:
        raise AssertionError(f"no crop is classified: {crops}, {rbc_diameter_px}")


def by_place(path: Path, centres: NDArray[np.float64], diameter: float | None) -> Classification:
    """Left of 100 a sickle cell, left of 200 a ring, else an unremarkable cell; unknown in the lower half."""
    assert diameter is None or diameter > 0
    kind = np.digitize(centres[:, 0], [100, 200])
    return Classification(CLASSES, np.eye(3)[kind] * 0.8 + 0.2 / 3, centres[:, 1] > 240)


def scored(dataset: DetectionSet, **options: Any) -> dict[str, Any]:
    return evaluate_marked_cells(dataset, Named(), by_place, split="test", **options).to_json()


def test_marked_cells_are_named_at_their_places(build: Build) -> None:
    dataset = build(
        [
            [("sickle cell", 50, 50, 40), ("sickle cell", 150, 50, 40), ("WBC", 300, 50, 80)],
            [("ring trophozoite", 150, 300, 40), ("RBC", 400, 300, 40), ("platelet", 10, 10, 5)],
        ]
    )
    result = scored(dataset)
    assert result["confusion"]["sickle cell"] == {"RBC": 0, "ring trophozoite": 1, "sickle cell": 1}
    assert (result["crops"], result["accuracy"]) == (4, 0.75)
    assert result["unknown"] == 0.5
    assert result["left_out"] == {"WBC": 1, "platelet": 1}
    assert (result["classifier"], result["scale"], result["groups"]) == ("by place", "estimated", 2)


def test_difficult_cells_are_not_asked_about(build: Build) -> None:
    dataset = build([[("sickle cell", 50, 50, 40), ("RBC", 50, 90, 40)]], difficult=frozenset({(0, 1)}))
    assert (scored(dataset)["crops"], scored(dataset)["accuracy"]) == (1, 1.0)


def test_the_annotated_scale_is_handed_on_when_asked_for(build: Build) -> None:
    dataset = build([[("sickle cell", 50, 50, 40)]] * 2, diameters=[80.0, 60.0])
    told: list[float | None] = []

    def remember(path: Path, centres: NDArray[np.float64], diameter: float | None) -> Classification:
        told.append(diameter)
        return by_place(path, centres, diameter)

    for scale, expected in (("annotated", [80.0, 60.0]), ("estimated", [None, None])):
        told.clear()
        evaluate_marked_cells(dataset, Named(), remember, split="test", scale=scale)  # type: ignore[arg-type]
        assert told == expected


def test_an_image_that_cannot_be_read_is_skipped_with_its_cells(build: Build) -> None:
    dataset = build([[("sickle cell", 50, 50, 40)] * 3, [("sickle cell", 50, 50, 40)]])

    def failing(path: Path, centres: NDArray[np.float64], diameter: float | None) -> Classification:
        if path.stem == "000":
            raise UnreadableInputError("is empty", subject=path.name)
        return by_place(path, centres, diameter)

    result = evaluate_marked_cells(dataset, Named(), failing, split="test").to_json()
    assert result["skipped"] == [{"file": "images/000.jpg", "reason": "is empty"}]
    assert result["crops"] == 1

    def always_failing(path: Path, centres: NDArray[np.float64], diameter: float | None) -> Classification:
        raise UnreadableInputError("is empty", subject=path.name)

    with pytest.raises(InputError, match="is empty"):
        evaluate_marked_cells(dataset, Named(), always_failing, split="test")


def test_a_classifier_of_other_cells_is_refused(build: Build) -> None:
    dataset = build([[("WBC", 50, 50, 40)]])
    with pytest.raises(ConfigError, match="'by place' has no name for any marked cell"):
        scored(dataset)


@pytest.mark.parametrize("jobs", [1, 3])
def test_threads_change_nothing(build: Build, jobs: int) -> None:
    random = np.random.default_rng(2)
    marks = [
        [(str(random.choice(["sickle cell", "RBC"])), *random.uniform(20, 400, 2), 40) for _ in range(6)]
        for _ in range(7)
    ]
    dataset = build(marks)
    assert scored(dataset, jobs=jobs) == scored(dataset)
    assert scored(dataset, limit=2)["crops"] == 12
