from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hemato_lab.imaging.illumination import Illumination
from hemato_lab.imaging.light import LINEAR_LIGHT
from hemato_lab.imaging.working import RED_CELL_AREA, RED_CELL_DIAMETER, WorkingGrid, working_tile
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from collections.abc import Callable

LAW = settings(deadline=None, max_examples=40)
WIDTH, HEIGHT = 150, 120
DIAMETERS = st.one_of(st.sampled_from([12.0, 18.0, 36.0, 72.0, 108.0]), st.floats(9, 150))


def picture() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def lamp(width: int = WIDTH, height: int = HEIGHT) -> Illumination:
    coefficients = np.random.default_rng(6).normal(0, 0.05, (6, 3))
    lit = np.random.default_rng(7).random((9, 11)) < 0.7
    return Illumination(coefficients, width, height, lit, 0.0)


@given(DIAMETERS, st.floats(-50, 5000))
def test_places_go_to_the_grid_and_back(diameter: float, place: float) -> None:
    grid = WorkingGrid.of(WIDTH, HEIGHT, diameter)
    assert grid.to_pixels(grid.to_grid(np.array([place])))[0] == pytest.approx(place, abs=1e-6)
    # The image's corner is the grid's corner, and distances grow by the step.
    assert grid.to_grid(np.array([-0.5]))[0] == pytest.approx(-0.5)
    ends = grid.to_grid(np.array([place, place + diameter]))
    assert np.diff(ends)[0] == pytest.approx(RED_CELL_DIAMETER)


def test_a_red_cell_has_its_diameter_and_area_on_the_grid() -> None:
    assert WorkingGrid.of(640, 480, 90.0).step * 90 == pytest.approx(RED_CELL_DIAMETER)
    assert pytest.approx(math.pi / 4 * RED_CELL_DIAMETER**2) == RED_CELL_AREA


@given(st.integers(1, 5000), st.integers(1, 5000), DIAMETERS)
def test_the_grid_covers_the_field_and_not_a_cell_more(width: int, height: int, diameter: float) -> None:
    grid = WorkingGrid.of(width, height, diameter)
    assert grid.window.x0 == grid.window.y0 == 0
    assert width * grid.step <= grid.window.x1 < width * grid.step + 1
    assert height * grid.step <= grid.window.y1 < height * grid.step + 1
    assert grid.covered_by(Window(0, 0, width, height)) == grid.window


@st.composite
def windows(draw: st.DrawFn) -> Window:
    x0, y0 = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return Window(x0, y0, draw(st.integers(x0 + 1, WIDTH)), draw(st.integers(y0 + 1, HEIGHT)))


def pixels_under(cell: int, step: float) -> tuple[int, int]:
    """First and last pixel that a grid cell is made of: those it overlaps, or the two around its centre."""
    if step < 1:
        return math.floor(cell / step), math.ceil((cell + 1) / step) - 1
    before = math.floor((cell + 0.5) / step - 0.5)
    return before, before + 1


@LAW
@given(st.integers(0, WIDTH - 1), st.integers(1, WIDTH), DIAMETERS)
def test_covered_cells_need_no_pixel_outside_and_little_is_given_up(first: int, size: int, diameter: float) -> None:
    last = min(first + size, WIDTH) - 1
    grid = WorkingGrid.of(WIDTH, HEIGHT, diameter)
    covered = grid.covered_by(Window(first, 0, last + 1, HEIGHT))
    assert (covered.y0, covered.y1) == (0, grid.window.y1)
    assume(covered.width)
    if first > 0:
        assert pixels_under(covered.x0, grid.step)[0] >= first
        assert covered.x0 <= (first + 1) * grid.step + 1
    if last < WIDTH - 1:
        assert pixels_under(covered.x1 - 1, grid.step)[1] <= last
        assert covered.x1 >= last * grid.step - 1


def test_rows_are_covered_like_columns() -> None:
    grid, turned = WorkingGrid(300, 200, 0.7), WorkingGrid(200, 300, 0.7)
    one, other = grid.covered_by(Window(31, 17, 120, 95)), turned.covered_by(Window(17, 31, 95, 120))
    assert (one.x0, one.y0, one.x1, one.y1) == (other.y0, other.x0, other.y1, other.x1)


REACH = 4
"""Smoothing with a standard deviation of 0.8 reaches so many cells over a tile's own edges."""


def undisturbed(tile: Window, grid: Window) -> Window:
    """The part of a tile that smoothing at its edges does not reach; the edges of the field count as whole."""
    x0, y0 = tile.x0 + REACH * (tile.x0 > grid.x0), tile.y0 + REACH * (tile.y0 > grid.y0)
    x1, y1 = tile.x1 - REACH * (tile.x1 < grid.x1), tile.y1 - REACH * (tile.y1 < grid.y1)
    return Window(x0, y0, max(x0, x1), max(y0, y1))


@LAW
@given(windows(), DIAMETERS)
def test_a_tile_is_the_crop_of_the_whole_bit_for_bit(window: Window, diameter: float) -> None:
    pixels, illumination = picture(), lamp()
    grid = WorkingGrid.of(WIDTH, HEIGHT, diameter)
    whole = working_tile(pixels, Window(0, 0, WIDTH, HEIGHT), grid, illumination)
    tile = working_tile(pixels[window.slices()], window, grid, illumination)
    assert tile.window == grid.covered_by(window)
    assert tile.density.shape == (*tile.lit.shape, 3) == (tile.window.height, tile.window.width, 3)
    np.testing.assert_array_equal(tile.lit, whole.lit[tile.window.slices()])
    sure = undisturbed(tile.window, grid.window)
    down, across = slice(sure.y0 - tile.window.y0, None), slice(sure.x0 - tile.window.x0, None)
    part = tile.density[down, across][: sure.height, : sure.width]
    np.testing.assert_array_equal(part, whole.density[sure.slices()])


@pytest.mark.parametrize("diameter", [18.0, 36.0, 90.0])
def test_the_density_is_that_of_smoothed_light_against_the_lamp(diameter: float) -> None:
    pixels, illumination = picture(), lamp()
    grid = WorkingGrid.of(WIDTH, HEIGHT, diameter)
    tile = working_tile(pixels, Window(0, 0, WIDTH, HEIGHT), grid, illumination)
    if diameter == 36.0:
        light = ndimage.gaussian_filter(LINEAR_LIGHT[pixels], (0.8, 0.8, 0), mode="nearest")
        x, y = np.meshgrid(np.arange(WIDTH, dtype=float), np.arange(HEIGHT, dtype=float))
        expected = -np.log10(light) - illumination.density_at(x, y)
        np.testing.assert_allclose(tile.density, expected, atol=1e-5)
    np.testing.assert_allclose(tile.foreground_density, tile.density[..., 1:].mean(axis=2), atol=1e-6)
    assert tile.density.dtype == tile.foreground_density.dtype == np.float32


def test_the_same_scene_at_another_magnification_has_the_same_densities(
    paint: Callable[..., np.ndarray], photograph: Callable[[np.ndarray], np.ndarray]
) -> None:
    dark = Illumination(np.full((6, 3), 0.0), 0, 0, np.ones((1, 1), bool), 0.0)
    tiles = []
    for enlarged in (1, 2, 3):
        shape = 80 * enlarged, 100 * enlarged
        centres = np.array([[40.0, 30.0], [70.0, 55.0]]) * enlarged + (enlarged - 1) / 2
        density = 0.25 * paint(shape, centres, 15.0 * enlarged, 2.0 * enlarged)[..., None] * np.ones(3)
        grid = WorkingGrid.of(shape[1], shape[0], 30.0 * enlarged)
        even = Illumination(dark.coefficients, shape[1], shape[0], dark.lit, 0.0)
        tiles.append(working_tile(photograph(density), Window(0, 0, shape[1], shape[0]), grid, even))
    for tile in tiles[1:]:
        assert tile.window == tiles[0].window
        np.testing.assert_allclose(tile.density, tiles[0].density, atol=0.012)
    assert tiles[0].density.max() == pytest.approx(0.25, abs=0.01)
