from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.classifiers.base import Classification
from hemato_lab.errors import ConfigError, InputError, ScaleNotCredibleError, UnreadableInputError
from hemato_lab.evaluation.dataset import DetectionSet
from hemato_lab.evaluation.marked_cells import REFUSED, evaluate_marked_cells

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


def test_a_scale_that_is_not_annotated_cannot_be_handed_on(build: Build) -> None:
    dataset = build([[("sickle cell", 50, 50, 40)]])
    with pytest.raises(ConfigError, match=r"000\.jpg has no annotated red-cell diameter"):
        scored(dataset, scale="annotated")


def test_images_without_a_cell_to_name_are_not_looked_at(build: Build) -> None:
    """Nor is their scale asked for; their cells are listed as left out, but for the difficult ones."""
    marks = [[("sickle cell", 50, 50, 40)], [("WBC", 50, 50, 40), ("platelet", 90, 90, 5)], []]
    dataset = build(marks, difficult=frozenset({(1, 1)}), diameters=[80.0, None, None])
    seen: list[str] = []

    def remember(path: Path, centres: NDArray[np.float64], diameter: float | None) -> Classification:
        seen.append(path.name)
        return by_place(path, centres, diameter)

    result = evaluate_marked_cells(dataset, Named(), remember, split="test", scale="annotated").to_json()
    assert seen == ["000.jpg"]
    assert result["left_out"] == {"WBC": 1}
    assert result["groups"] == 1


def test_marks_are_scored_by_the_wider_name_that_the_classifier_has(build: Build) -> None:
    classes = ("parasitised RBC", "sickle cell")

    def all_the_same(path: Path, centres: NDArray[np.float64], diameter: float | None) -> Classification:
        return Classification(classes, np.tile([0.75, 0.25], (len(centres), 1)))

    dataset = build([[("ring trophozoite", 50, 50, 40), ("trophozoite", 90, 50, 40), ("sickle cell", 150, 50, 40)]])
    result = evaluate_marked_cells(dataset, Named(classes), all_the_same, split="test").to_json()
    assert result["rolled_up"] == {"ring trophozoite": "parasitised RBC", "trophozoite": "parasitised RBC"}
    assert result["classes"]["parasitised RBC"]["truth"] == 2
    assert (result["accuracy"], result["unknown"]) == (pytest.approx(2 / 3, abs=1e-6), 0.0)


def test_limits_follow_the_images_of_one_slide(build: Build) -> None:
    right, wrong = ("sickle cell", 50.0, 50.0, 40.0), ("sickle cell", 150.0, 50.0, 40.0)
    together = build([[right] * 3, [wrong] * 3], groups=["slide", "slide"])
    assert scored(together)["limits"]["accuracy"] is None
    # each of two slides is drawn alone in a quarter of the resamples
    assert scored(build([[right] * 3, [wrong] * 3]))["limits"]["accuracy"] == [0.0, 1.0]


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


def refusing(*refused: str) -> Callable[..., Classification]:
    """Answer as `by_place`, but for images of these names, which are refused, and 009, which cannot be read."""

    def classify(path: Path, centres: NDArray[np.float64], diameter: float | None) -> Classification:
        if path.stem in refused:
            raise ScaleNotCredibleError("its scale cannot be told", subject=path.name)
        if path.stem == "009":
            raise UnreadableInputError("is empty", subject=path.name)
        return by_place(path, centres, diameter)

    return classify


def test_the_cells_of_a_refused_image_count_as_unknown_and_wrongly_named(build: Build) -> None:
    """They stay in the denominator, and no name gets an answer that nobody gave."""
    sickle, ring = ("sickle cell", 50.0, 50.0, 40.0), ("ring trophozoite", 150.0, 50.0, 40.0)
    unsure = ("sickle cell", 50.0, 300.0, 40.0)
    dataset = build([[sickle, ring, ring], [sickle, sickle, ring, ("WBC", 300, 50, 80)], [unsure]])
    result = evaluate_marked_cells(dataset, Named(), refusing("001"), split="test").to_json()
    assert (result["refused"], result["cells_refused"], result["skipped"]) == (["images/001.jpg"], 3, [])
    assert (result["crops"], result["groups"]) == (7, 3)
    # four cells that are named, all rightly but one of them unsurely, and three that are not
    assert result["accuracy"] == pytest.approx(4 / 7, abs=1e-6)
    assert (result["unknown"], result["accuracy_known"]) == (pytest.approx(4 / 7, abs=1e-6), 1.0)
    assert result["confusion"] == {
        "ring trophozoite": {"RBC": 0, "ring trophozoite": 2, "sickle cell": 0, REFUSED: 1},
        "sickle cell": {"RBC": 0, "ring trophozoite": 0, "sickle cell": 2, REFUSED: 2},
    }
    for name, recall in (("sickle cell", 0.5), ("ring trophozoite", 2 / 3)):
        scores = result["classes"][name]
        assert (scores["precision"], scores["recall"]) == (1.0, pytest.approx(recall, abs=1e-6)), "no name is made up"
    assert result["left_out"] == {"WBC": 1}


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[::-1], (*CLASSES, "schizont", "trophozoite")])
def test_a_refused_image_is_right_by_chance_in_no_order_of_names(build: Build, classes: tuple[str, ...]) -> None:
    """Nor where several classes stand for one name, whose even probabilities would add up."""
    marks = [[(name, 50.0, 50.0, 40.0)] for name in ("sickle cell", "ring trophozoite", "trophozoite", "RBC")]
    numbers = [f"{number:03d}" for number in range(4)]
    result = evaluate_marked_cells(build(marks), Named(classes), refusing(*numbers), split="test").to_json()
    assert (result["crops"], result["accuracy"], result["unknown"], result["accuracy_known"]) == (4, 0.0, 1.0, None)
    assert result["cells_refused"] == 4
    assert {row[REFUSED] for row in result["confusion"].values()} <= {1, 2}
    # the surest answer has an even share of all: names and the refusal
    assert result["ece"] == pytest.approx(1 / len(next(iter(result["confusion"].values()))), abs=1e-6)


def test_refused_images_are_no_skipped_ones(build: Build) -> None:
    right = ("sickle cell", 50.0, 50.0, 40.0)
    dataset = build([[right], *[[]] * 7, [right] * 2, [right] * 3])
    result = evaluate_marked_cells(dataset, Named(), refusing("008"), split="test").to_json()
    assert result["skipped"] == [{"file": "images/009.jpg", "reason": "is empty"}]
    assert (result["refused"], result["cells_refused"], result["crops"]) == (["images/008.jpg"], 2, 3)
    none = evaluate_marked_cells(dataset, Named(), refusing(), split="test").to_json()
    assert (none["refused"], none["cells_refused"], none["crops"]) == ([], 0, 3)
    assert REFUSED not in none["confusion"]["sickle cell"]


def test_a_classifier_of_other_cells_is_refused(build: Build) -> None:
    dataset = build([[("WBC", 50, 50, 40)]])
    with pytest.raises(ConfigError, match="'by place' has no name for any marked cell"):
        scored(dataset)


def random_marks(seed: int) -> list[list[tuple[str, float, float, float]]]:
    """Seven images of six cells that `by_place` has names for, and a white cell."""
    random = np.random.default_rng(seed)
    places = random.uniform(20, 400, (7, 6, 2)).tolist()
    kinds = ["sickle cell", "ring trophozoite", "RBC"]
    return [[(str(random.choice(kinds)), x, y, 40.0) for x, y in one] + [("WBC", 500, 90, 90.0)] for one in places]


@pytest.mark.parametrize("jobs", [1, 3])
def test_threads_change_nothing(build: Build, jobs: int) -> None:
    dataset = build(random_marks(2))
    assert scored(dataset, jobs=jobs) == scored(dataset)
    assert scored(dataset, limit=2)["crops"] == 12


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_images_and_of_marks_changes_no_figure(build: Build, seed: int) -> None:
    marks, random = random_marks(seed), np.random.default_rng(seed)
    plain = scored(build(marks))
    moved = [[marks[i][j] for j in random.permutation(7)] for i in random.permutation(len(marks))]
    other = scored(build(moved))
    # limits are drawn by the number of a group, which is that of its first image
    for result in (plain, other, *plain["classes"].values(), *other["classes"].values()):
        del result["limits"]
    assert other == plain


@pytest.mark.parametrize("seed", range(3))
def test_every_marked_cell_is_asked_about_once_at_its_place(build: Build, seed: int) -> None:
    """The figures are those of naming the cells of the scene one by one."""
    marks = random_marks(seed)
    dataset = build(marks)
    asked: list[tuple[str, list[list[float]]]] = []

    def remember(path: Path, centres: NDArray[np.float64], diameter: float | None) -> Classification:
        asked.append((path.name, centres.tolist()))
        return by_place(path, centres, diameter)

    result = evaluate_marked_cells(dataset, Named(), remember, split="test").to_json()
    assert [name for name, _ in asked] == [f"{number:03d}.jpg" for number in range(7)]
    for (_, places), listed in zip(asked, marks, strict=True):
        np.testing.assert_allclose(places, [[x, y] for name, x, y, _ in listed if name != "WBC"])
    cells = [(name, CLASSES[(x >= 100) + (x >= 200)], y > 240) for one in marks for name, x, y, _ in one[:6]]
    right, known = [name == said for name, said, _ in cells], [not unsure for _, _, unsure in cells]
    assert result["crops"] == 42
    assert result["accuracy"] == pytest.approx(np.mean(right), abs=1e-6)
    assert result["unknown"] == pytest.approx(1 - np.mean(known), abs=1e-6)
    assert result["accuracy_known"] == pytest.approx(np.mean(np.array(right)[known]), abs=1e-6)
    for truth, row in result["confusion"].items():
        for said, number in row.items():
            assert number == sum(cell[:2] == (truth, said) for cell in cells)
    assert result["left_out"] == {"WBC": 7}
