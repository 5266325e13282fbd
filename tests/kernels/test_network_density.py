from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.kernels.network_density import network_densities
from hemato_lab.kernels.resample import relative_density, transmitted_light

LAW = settings(deadline=None, max_examples=120)
TABLE = (np.arange(256) / 255.0) ** 2.2
STEPS = st.one_of(st.floats(0.05, 0.999), st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.0]), st.floats(1.0, 4.0))
SURFACE = np.random.default_rng(9).normal(0, 0.1, (6, 3))


def picture(width: int, height: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def coordinates(window: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Surface coordinates that depend on the grid cell alone."""
    x0, y0, x1, y1 = window
    return np.arange(x0, x1) / 50 - 0.9, np.arange(y0, y1) / 70 - 0.8


def computed(pixels: np.ndarray, corner: tuple[int, int], window: tuple[int, int, int, int], step: float) -> np.ndarray:
    return network_densities(pixels, corner, window, step, TABLE, *coordinates(window), SURFACE)


def reference(
    pixels: np.ndarray, corner: tuple[int, int], window: tuple[int, int, int, int], step: float
) -> np.ndarray:
    light = transmitted_light(pixels, corner, window, step, TABLE)
    return relative_density(light, *coordinates(window), SURFACE).transpose(2, 0, 1)


@LAW
@given(st.integers(1, 40), st.integers(1, 40), STEPS, st.integers(0, 9))
def test_equals_resampling_followed_by_the_logarithm(width: int, height: int, step: float, seed: int) -> None:
    pixels = picture(width, height, seed)
    window = (0, 0, int(np.ceil(width * step)), int(np.ceil(height * step)))
    found = computed(pixels, (0, 0), window, step)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, reference(pixels, (0, 0), window, step), rtol=0, atol=1e-6)


@LAW
@given(st.data(), STEPS)
def test_a_cell_has_the_same_bits_in_every_window_that_holds_its_pixels(data: st.DataObject, step: float) -> None:
    width, height = 61, 53
    pixels = picture(width, height)
    columns, rows = int(np.ceil(width * step)), int(np.ceil(height * step))
    whole = computed(pixels, (0, 0), (0, 0, columns, rows), step)
    x0, y0 = data.draw(st.integers(0, columns - 1)), data.draw(st.integers(0, rows - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, columns)), data.draw(st.integers(y0 + 1, rows))
    # All pixels under the cells and one more, cut to the picture.
    left, top = max(0, int(x0 / step) - 1), max(0, int(y0 / step) - 1)
    right, bottom = int(np.ceil(x1 / step)) + 1, int(np.ceil(y1 / step)) + 1
    part = computed(pixels[top:bottom, left:right], (left, top), (x0, y0, x1, y1), step)
    np.testing.assert_array_equal(part, whole[:, y0:y1, x0:x1])


@pytest.mark.parametrize("step", [0.25, 0.3, 1.7])
def test_cells_beyond_the_window_take_the_part_inside_or_the_nearest_pixel(step: float) -> None:
    pixels = picture(9, 7)
    window = (0, 0, int(30 * step), int(25 * step))
    # The window's 9 x 7 pixels begin at column 11 and row 8.
    found = computed(pixels, (11, 8), window, step)
    np.testing.assert_allclose(found, reference(pixels, (11, 8), window, step), rtol=0, atol=1e-6)


def test_the_logarithm_is_that_of_numpy_over_all_light() -> None:
    light = np.concatenate([[0.0, 5e-5, 1e-4], np.geomspace(1.0001e-4, 1, 253)])
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)
    found = network_densities(pixels, (0, 0), (0, 0, 256, 1), 1.0, light, np.zeros(256), np.zeros(1), np.zeros((6, 3)))
    np.testing.assert_allclose(found[1, 0], -np.log10(np.maximum(light, 1e-4)), rtol=0, atol=6e-7)
    near_white = -np.log10(light[-20:])
    np.testing.assert_allclose(found[1, 0, -20:], near_white, rtol=2e-6, atol=6e-8)


def test_an_empty_grid_window_is_empty_and_any_layout_is_read() -> None:
    pixels = picture(10, 8)
    assert computed(pixels, (0, 0), (3, 3, 3, 5), 0.5).shape == (3, 2, 0)
    turned = np.asfortranarray(pixels)
    turned.flags.writeable = False
    np.testing.assert_array_equal(
        computed(turned, (0, 0), (0, 0, 5, 4), 0.5), computed(pixels, (0, 0), (0, 0, 5, 4), 0.5)
    )
