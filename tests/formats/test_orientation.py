from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from hemato_lab.formats.orientation import known, stored_window, upright, upright_size
from hemato_lab.smear import Window


@pytest.mark.parametrize("orientation", range(1, 9))
def test_agrees_with_pillow(orientation: int, photo: Any, exif: Any, encode: Any) -> None:
    pixels = photo(20, 30)
    content = encode(pixels, "PNG", exif=exif({274: orientation}))
    reference = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    np.testing.assert_array_equal(upright(pixels, orientation), reference)
    assert upright_size(30, 20, orientation) == (reference.shape[1], reference.shape[0])


@given(st.data(), st.integers(1, 8), st.integers(1, 12), st.integers(1, 12))
def test_turning_a_part_is_a_part_of_the_turned(data: st.DataObject, orientation: int, width: int, height: int) -> None:
    stored = np.arange(width * height).reshape(height, width)
    turned = upright(stored, orientation)
    x0 = data.draw(st.integers(0, turned.shape[1]))
    x1 = data.draw(st.integers(x0, turned.shape[1]))
    y0 = data.draw(st.integers(0, turned.shape[0]))
    y1 = data.draw(st.integers(y0, turned.shape[0]))
    window = Window(x0, y0, x1, y1)
    part = stored[stored_window(window, width, height, orientation).slices()]
    np.testing.assert_array_equal(upright(part, orientation), turned[window.slices()])


def test_unknown_values_mean_upright() -> None:
    assert [known(value) for value in (-1, 0, 1, 8, 9, 65535)] == [1, 1, 1, 8, 1, 1]
