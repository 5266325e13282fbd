"""Smaller pictures that are copies, and those that are not, whatever their size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import hemato_lab as hl
from hemato_lab.formats import same_picture
from hemato_lab.formats.same_picture import shows_the_same
from hemato_lab.phantom.dataset import encode_jpeg
from hemato_lab.phantom.recipes import RECIPES
from hemato_lab.resources import shipped
from hemato_lab.smear import ArraySource

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = shipped("sample_data") / "malaria" / "images"


def field(number: int) -> Any:
    return hl.open_smear(IMAGES / f"field_{number:02d}.jpg").fields[0].read()


def shrunk(pixels: Any, factor: float, how: Image.Resampling) -> Any:
    height, width = pixels.shape[:2]
    return np.asarray(Image.fromarray(pixels).resize((int(width / factor), int(height / factor)), how))


@pytest.fixture(params=["whole", "at spots"], autouse=True)
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "at spots":
        monkeypatch.setattr(same_picture, "VERIFIED_PIXELS", 1000)


@pytest.mark.parametrize("factor", [1.9, 2, 4, 7.3, 32])
@pytest.mark.parametrize("how", [Image.Resampling.NEAREST, Image.Resampling.BOX, Image.Resampling.LANCZOS])
def test_a_copy_is_one_however_it_was_made(factor: float, how: Image.Resampling, tmp_path: Path) -> None:
    full = field(1)
    small = shrunk(full, factor, how)
    assert shows_the_same(ArraySource(full), ArraySource(small))
    path = tmp_path / "small.jpg"
    path.write_bytes(encode_jpeg(small, RECIPES["normal"].camera))
    assert shows_the_same(ArraySource(full), hl.open_smear(path).fields[0].source)


@pytest.mark.parametrize("factor", [1.9, 2, 4, 7.3, 32])
def test_another_field_of_the_same_smear_is_no_copy(factor: float) -> None:
    for other in (field(2), field(1)[::-1], np.roll(field(1), 200, 1)):
        small = np.ascontiguousarray(shrunk(np.ascontiguousarray(other), factor, Image.Resampling.BOX))
        assert not shows_the_same(ArraySource(field(1)), ArraySource(small))
