from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.errors import ScaleNotCredibleError, UnreadableInputError
from hemato_lab.evaluation.crop_scale import MOST_CROPS_READ, CropScale, crop_scale
from hemato_lab.evaluation.dataset import LabelledCrop
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.smear import RED_CELL_DIAMETER_UM, RGB, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Read = tuple[list[LabelledCrop], "Callable[[Path], RGB]", list[str]]


def listing(pictures: Sequence[RGB | None]) -> Read:
    """Crops by number, a reader that raises where there is no picture, and what it was asked for."""
    asked: list[str] = []

    def read(path: Path) -> RGB:
        asked.append(path.name)
        picture = pictures[int(path.stem)]
        if picture is None:
            raise UnreadableInputError("is empty", subject=path.name)
        return picture

    crops = [LabelledCrop(Path(f"{i}.png"), f"{i}.png", "neutrophil", "val", str(i)) for i in range(len(pictures))]
    return crops, read, asked


@pytest.fixture(scope="module")
def film_crops() -> list[RGB]:
    """Pieces of one synthetic film, each with a few red cells."""
    smear, _ = phantom_smear(RECIPES["normal"], 5, 2, 640, 480)
    return [
        field.read(Window(x, y, x + 200, y + 200)) for field in smear.fields for x in (0, 200, 400) for y in (0, 200)
    ]


def test_the_scale_of_crops_is_that_of_their_red_cells(film_crops: list[RGB]) -> None:
    crops, read, _ = listing(film_crops)
    scale = crop_scale(crops, read)
    assert scale.origin == "estimated"
    assert scale.rbc_diameter_px == pytest.approx(RED_CELL_DIAMETER_UM / RECIPES["normal"].um_per_px, rel=0.12)


def test_crops_enlarged_twice_have_cells_of_twice_the_size(film_crops: list[RGB]) -> None:
    whole = [crop.repeat(2, axis=0).repeat(2, axis=1) for crop in film_crops]
    once, twice = (crop_scale(*listing(pictures)[:2]).rbc_diameter_px for pictures in (film_crops, whole))
    assert once is not None
    assert twice == pytest.approx(2 * once, rel=0.05)


def test_the_scale_does_not_depend_on_the_order_of_the_crops(film_crops: list[RGB]) -> None:
    crops, read, _ = listing(film_crops)
    plain, turned = crop_scale(crops, read), crop_scale(crops[::-1], read)
    assert turned.origin == "estimated"
    assert turned.rbc_diameter_px == pytest.approx(plain.rbc_diameter_px, rel=0.02)


@pytest.mark.parametrize("stated", [math.nan, math.inf, -30.0, 1e6])
def test_an_impossible_diameter_is_refused(stated: float) -> None:
    crops, read, _ = listing([None])
    with pytest.raises(ScaleNotCredibleError):
        crop_scale(crops, read, stated)


def test_a_stated_diameter_is_believed_and_nothing_is_read(film_crops: list[RGB]) -> None:
    crops, read, asked = listing(film_crops)
    assert crop_scale(crops, read, 33.0) == CropScale(33.0, "stated")
    assert asked == []
    with pytest.raises(ScaleNotCredibleError):
        crop_scale(crops, read, 0.0)


@pytest.fixture
def on_black() -> RGB:
    """A cell that was cut out."""
    cell = np.zeros((60, 60, 3), np.uint8)
    cell[10:50, 10:50] = (210, 150, 150)
    return cell


def test_cells_on_black_have_no_common_scale(on_black: RGB) -> None:
    crops, read, _ = listing([on_black] * 4)
    assert crop_scale(crops, read) == CropScale(None, "cells on black")


@pytest.mark.parametrize(("black", "origin"), [(2, "unknown"), (3, "cells on black")])
def test_cells_on_black_are_told_by_most_crops_that_can_be_read(on_black: RGB, black: int, origin: str) -> None:
    """Two blank ones beside them tell no scale either; one that cannot be read has no say."""
    blank = np.full((60, 60, 3), 230, np.uint8)
    crops, read, _ = listing([None, blank, blank, *[on_black] * black])
    assert crop_scale(crops, read) == CropScale(None, origin)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [1, 2, 7, MOST_CROPS_READ - 1, MOST_CROPS_READ, MOST_CROPS_READ + 1])
def test_of_few_crops_each_is_read_once(number: int) -> None:
    crops, read, asked = listing([None] * number)
    crop_scale(crops, read)
    assert len(set(asked)) == len(asked) == min(number, MOST_CROPS_READ)


@pytest.mark.parametrize("picture", [None, np.full((80, 80, 3), 230, np.uint8)])
def test_what_tells_no_scale_is_unknown(picture: RGB | None) -> None:
    crops, read, _ = listing([picture] * 3)
    assert crop_scale(crops, read) == CropScale(None, "unknown")
    assert crop_scale([], read) == CropScale(None, "unknown")


def test_some_crops_evenly_spread_are_enough() -> None:
    blank = np.full((30, 30, 3), 230, np.uint8)
    crops, read, asked = listing([blank] * 500)
    crop_scale(crops, read)
    assert len(asked) == MOST_CROPS_READ
    assert (asked[0], asked[-1]) == ("0.png", "499.png")
    steps = np.diff([int(Path(name).stem) for name in asked])
    assert steps.max() - steps.min() <= 1


def test_a_few_crops_with_red_cells_tell_the_scale_of_many_without(film_crops: list[RGB]) -> None:
    blank = np.full_like(film_crops[0], 230)
    crops, read, _ = listing([blank] * 12 + film_crops[:8] + [blank] * 12)
    only, read_only, _ = listing(film_crops[:8])
    scale = crop_scale(crops, read)
    assert scale.origin == "estimated"
    assert scale.rbc_diameter_px == pytest.approx(crop_scale(only, read_only).rbc_diameter_px)


def test_an_unreadable_crop_does_not_stop_the_others(film_crops: list[RGB]) -> None:
    crops, read, _ = listing([None, *film_crops])
    assert crop_scale(crops, read).origin == "estimated"


def test_the_json_is_rounded() -> None:
    assert CropScale(37.123456789, "estimated").to_json() == {"rbc_diameter_px": 37.123457, "origin": "estimated"}
    assert CropScale(None, "unknown").to_json() == {"rbc_diameter_px": None, "origin": "unknown"}
