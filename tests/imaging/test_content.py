from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.content import NO_FILM, FieldContent, content_of, explained_share
from hemato_lab.smear import ArraySource, Field, Scale
from hemato_lab.vocabulary import PLATELET, RBC, WBC

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.detections import Detections
    from hemato_lab.phantom import Recipe

BOXES = ("x_min", "y_min", "x_max", "y_max")
SIDE, LOW, HIGH = 400, 100, 180


@pytest.fixture(scope="module")
def two_squares() -> Field:
    """Two equal stained squares on an even ground."""
    pixels = np.full((SIDE, SIDE, 3), 230, np.uint8)
    for left in (40, 240):
        pixels[LOW:HIGH, left : left + 80] = (214, 150, 160)
    return Field("two squares", ArraySource(pixels), "")


@pytest.mark.parametrize(("boxes", "share"), [([], 0.0), ([40], 0.5), ([40, 240], 1.0), ([40, 40], 0.5)])
def test_the_share_is_that_of_the_stained_area_in_boxes(two_squares: Field, boxes: list[int], share: float) -> None:
    calibration = calibrate(two_squares, Scale.from_rbc_diameter_px(60))
    edges = np.array([[left - 2, LOW - 2, left + 82, HIGH + 2] for left in boxes], float).reshape(-1, 4)
    assert explained_share(calibration, edges) == pytest.approx(share, abs=0.02)


def test_half_a_box_explains_half(two_squares: Field) -> None:
    calibration = calibrate(two_squares, Scale.from_rbc_diameter_px(60))
    whole_and_half = np.array([[38.0, 98.0, 122.0, 182.0], [238.0, 98.0, 279.5, 182.0]])
    assert explained_share(calibration, whole_and_half) == pytest.approx(0.75, abs=0.02)


def test_where_nothing_is_stained_there_is_no_share() -> None:
    blank = Field("blank", ArraySource(np.full((300, 300, 3), 230, np.uint8)), "")
    assert explained_share(calibrate(blank, Scale.from_rbc_diameter_px(60)), np.zeros((0, 4))) is None


def test_a_phantom_is_explained_by_its_own_cells(phantom: Callable[..., tuple[Field, Detections, Recipe]]) -> None:
    field, truth, recipe = phantom("normal")
    content = content_of(calibrate(field, Scale.from_um_per_px(recipe.um_per_px)), truth)
    assert content.explained_share is not None
    assert content.explained_share > 0.9
    assert content.verdict == "ok"
    for count, name in ((content.red_cells, RBC), (content.white_cells, WBC), (content.platelets, PLATELET)):
        assert count == np.count_nonzero(truth.of_kind(name))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (FieldContent(0.30, 100, 0, 0), "ok"),
        (FieldContent(0.29, 100, 0, 0), f"{NO_FILM}: cells account for 29 % of what is stained"),
        (FieldContent(None, 0, 0, 0), "not assessed: nothing is stained"),
        (FieldContent(0.9, 8, 4, 0), "ok"),
        (FieldContent(0.9, 10, 5, 0), "ok"),
        (FieldContent(0.9, 9, 5, 0), "a thick film, as it seems: 5 white cells to 9 red cells"),
        (FieldContent(0.9, 20, 0, 20), "ok"),
        (FieldContent(0.9, 20, 0, 21), "a thick film, as it seems: 21 platelets to 20 red cells"),
        (FieldContent(0.9, 0, 4, 4), "ok"),
    ],
)
def test_the_verdict_by_hand(content: FieldContent, expected: str) -> None:
    assert content.verdict == expected
    assert content.is_film == (not expected.startswith(NO_FILM))
