from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hemato_lab.errors import UnsupportedFormatError
from hemato_lab.formats.pixels import eight_bit, grey_to_rgb, inks_to_rgb, over_white

ALL_BYTES = np.arange(256, dtype=np.uint8)


def test_sixteen_bits_keep_their_high_byte() -> None:
    values = np.array([0, 255, 256, 257, 32767, 65279, 65280, 65535], np.uint16)
    assert eight_bit(values, "x").tolist() == [0, 0, 1, 1, 127, 254, 255, 255]


def test_widened_bytes_come_back() -> None:
    np.testing.assert_array_equal(eight_bit(ALL_BYTES.astype(np.uint16) * 257, "x"), ALL_BYTES)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_unit_floats_become_the_nearest_byte(kind: type) -> None:
    np.testing.assert_array_equal(eight_bit((ALL_BYTES / 255).astype(kind), "x"), ALL_BYTES)


@pytest.mark.parametrize("wrong", [-0.01, 1.01, 255.0, np.nan, np.inf])
def test_other_floats_are_refused(wrong: float) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"a\.tif: .*outside 0-1"):
        eight_bit(np.array([0.5, wrong]), "a.tif")


def test_counts_without_a_white_are_refused() -> None:
    with pytest.raises(UnsupportedFormatError, match="int32"):
        eight_bit(np.zeros(3, np.int32), "x")


def test_grey_has_three_equal_channels() -> None:
    rgb = grey_to_rgb(ALL_BYTES.reshape(16, 16))
    np.testing.assert_array_equal(rgb, np.asarray(Image.fromarray(ALL_BYTES.reshape(16, 16)).convert("RGB")))


@given(st.integers(0, 255), st.integers(0, 255))
def test_transparency_over_white(value: int, alpha: int) -> None:
    colour = np.full((1, 1, 3), value, np.uint8)
    opacity = np.full((1, 1), alpha, np.uint8)
    exact = (value * alpha + 255 * (255 - alpha)) / 255
    assert abs(int(over_white(colour, opacity)[0, 0, 0]) - exact) <= 0.5
    premultiplied = np.rint(colour * (alpha / 255)).astype(np.uint8)
    assert abs(int(over_white(premultiplied, opacity, premultiplied=True)[0, 0, 0]) - exact) <= 1


def test_inks_agree_with_pillow() -> None:
    inks = np.random.default_rng(1).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    reference = np.asarray(Image.frombytes("CMYK", (64, 64), inks.tobytes()).convert("RGB")).astype(int)
    assert np.abs(inks_to_rgb(inks).astype(int) - reference).max() <= 1
