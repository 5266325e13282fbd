from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from hemato_lab.kernels.resample import relative_density, transmitted_light

LAW = settings(deadline=None, max_examples=100)
TABLE = (np.arange(256) / 255.0) ** 2.2
SHRINKING = st.floats(0.07, 0.999)
ENLARGING = st.floats(1.0, 4.0)


def picture(width: int, height: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def grid_of(pixels: np.ndarray, step: float) -> tuple[int, int, int, int]:
    height, width = pixels.shape[:2]
    return 0, 0, int(np.ceil(width * step)), int(np.ceil(height * step))


def overlaps(cells: int, pixels: int, step: float) -> np.ndarray:
    """Share of each grid cell, shape (cells, pixels), that each pixel covers."""
    begin = np.arange(cells)[:, None] / step
    end = (np.arange(cells)[:, None] + 1) / step
    first = np.arange(pixels)[None]
    covered = np.clip(np.minimum(end, first + 1) - np.maximum(begin, first), 0, None)
    return covered / covered.sum(axis=1, keepdims=True)


def area_means(pixels: np.ndarray, step: float) -> np.ndarray:
    _, _, columns, rows = grid_of(pixels, step)
    down, across = overlaps(rows, pixels.shape[0], step), overlaps(columns, pixels.shape[1], step)
    return np.einsum("ry,yxc,kx->rkc", down, TABLE[pixels], across)


@LAW
@given(st.integers(1, 40), st.integers(1, 40), SHRINKING, st.integers(0, 9))
def test_shrinking_gives_area_means(width: int, height: int, step: float, seed: int) -> None:
    pixels = picture(width, height, seed)
    light = transmitted_light(pixels, (0, 0), grid_of(pixels, step), step, TABLE)
    assert light.dtype == np.float32
    np.testing.assert_allclose(light, area_means(pixels, step), rtol=0, atol=1e-6)


@LAW
@given(st.integers(1, 20), st.integers(1, 20), ENLARGING, st.integers(0, 9))
def test_enlarging_is_bilinear(width: int, height: int, step: float, seed: int) -> None:
    pixels = picture(width, height, seed)
    x0, y0, x1, y1 = grid_of(pixels, step)
    rows, columns = (np.arange(y0, y1) + 0.5) / step - 0.5, (np.arange(x0, x1) + 0.5) / step - 0.5
    places = np.meshgrid(rows, columns, indexing="ij")
    expected = np.stack(
        [ndimage.map_coordinates(TABLE[pixels[..., c]], places, order=1, mode="nearest") for c in range(3)], axis=-1
    )
    light = transmitted_light(pixels, (0, 0), (x0, y0, x1, y1), step, TABLE)
    np.testing.assert_allclose(light, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_whole_factors_are_block_means(factor: int) -> None:
    pixels = picture(12 * factor, 7 * factor)
    expected = TABLE[pixels].reshape(7, factor, 12, factor, 3).mean(axis=(1, 3))
    light = transmitted_light(pixels, (0, 0), (0, 0, 12, 7), 1 / factor, TABLE)
    np.testing.assert_allclose(light, expected, atol=1e-6)


def test_step_one_copies_the_light_of_each_pixel() -> None:
    pixels = picture(9, 6)
    light = transmitted_light(pixels, (0, 0), (0, 0, 9, 6), 1.0, TABLE)
    np.testing.assert_array_equal(light, TABLE[pixels].astype(np.float32))


@LAW
@given(st.data(), st.one_of(SHRINKING, ENLARGING))
def test_a_cell_has_the_same_bits_in_every_window_that_holds_its_pixels(data: st.DataObject, step: float) -> None:
    pixels = picture(61, 53)
    whole = grid_of(pixels, step)
    reference = transmitted_light(pixels, (0, 0), whole, step, TABLE)
    x0 = data.draw(st.integers(0, whole[2] - 1))
    y0 = data.draw(st.integers(0, whole[3] - 1))
    x1 = data.draw(st.integers(x0 + 1, whole[2]))
    y1 = data.draw(st.integers(y0 + 1, whole[3]))
    # All pixels under the cells and one more, cut to the picture.
    left, top = max(0, int(x0 / step) - 1), max(0, int(y0 / step) - 1)
    right, bottom = int(np.ceil(x1 / step)) + 1, int(np.ceil(y1 / step)) + 1
    part = transmitted_light(pixels[top:bottom, left:right], (left, top), (x0, y0, x1, y1), step, TABLE)
    np.testing.assert_array_equal(part, reference[y0:y1, x0:x1])


def test_a_cell_beyond_the_window_takes_the_part_inside_or_the_nearest_pixel() -> None:
    pixels = picture(8, 1)
    linear = TABLE[pixels[0]].astype(np.float64)
    # Cell 0 covers pixels 0-3, of which the window holds 2 and 3; cell 3 covers 12-15, beyond all of it.
    light = transmitted_light(pixels[:, 2:], (2, 0), (0, 0, 4, 1), 0.25, TABLE)[0]
    np.testing.assert_allclose(light[0], linear[2:4].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(light[1], linear[4:8].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(light[3], linear[7], atol=1e-6)


@LAW
@given(st.integers(0, 14), st.integers(1, 15), SHRINKING)
def test_cells_cut_by_the_window_are_means_of_the_part_inside(first: int, size: int, step: float) -> None:
    pixels = picture(30, 1)
    last = first + size
    columns = grid_of(pixels, step)[2]
    covered = overlaps(columns, 30, step)[:, first:last]
    seen = covered.sum(axis=1) > 1e-9
    expected = covered[seen] @ TABLE[pixels[0, first:last]] / covered[seen].sum(axis=1, keepdims=True)
    light = transmitted_light(pixels[:, first:last], (first, 0), (0, 0, columns, 1), step, TABLE)[0]
    # A pixel that only the cell's end reaches by less than a rounding error may count or not.
    np.testing.assert_allclose(light[seen], expected, atol=1e-6)


def test_an_empty_grid_window_is_empty_and_any_layout_is_read() -> None:
    pixels = picture(10, 8)
    assert transmitted_light(pixels, (0, 0), (3, 3, 3, 5), 0.5, TABLE).shape == (2, 0, 3)
    turned = np.asfortranarray(pixels)
    turned.flags.writeable = False
    np.testing.assert_array_equal(
        transmitted_light(turned, (0, 0), (0, 0, 5, 4), 0.5, TABLE),
        transmitted_light(pixels, (0, 0), (0, 0, 5, 4), 0.5, TABLE),
    )


@LAW
@given(
    arrays(np.float32, (4, 5, 3), elements=st.floats(0, 1, width=32)),
    arrays(np.float64, (6, 3), elements=st.floats(-1, 1)),
)
def test_density_against_the_background_equals_numpy(light: np.ndarray, coefficients: np.ndarray) -> None:
    u, v = np.linspace(-1, 1, 5), np.linspace(-0.7, 0.9, 4)
    across, down = np.meshgrid(u, v)
    background = np.polynomial.polynomial.polyval2d(across, down, quadratic(coefficients)).transpose(1, 2, 0)
    expected = -np.log10(np.maximum(light.astype(np.float64), 1e-4)) - background
    density = relative_density(light, u, v, coefficients)
    assert density.dtype == np.float32
    np.testing.assert_allclose(density, expected, rtol=1e-6, atol=1e-6)


def quadratic(coefficients: np.ndarray) -> np.ndarray:
    """Arrange the coefficients of 1, u, v, uu, uv, vv by the powers of u and v, shape (3, 3, channels)."""
    powers = np.zeros((3, 3, coefficients.shape[1]))
    for (i, j), row in zip([(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)], coefficients, strict=True):
        powers[i, j] = row
    return powers


def test_no_light_has_a_finite_density() -> None:
    light = np.zeros((1, 1, 3), np.float32)
    density = relative_density(light, np.zeros(1), np.zeros(1), np.zeros((6, 3)))
    np.testing.assert_allclose(density, 4.0)
