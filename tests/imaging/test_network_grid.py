from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.imaging.illumination import Illumination, fit_illumination
from hemato_lab.imaging.light import LINEAR_LIGHT
from hemato_lab.imaging.network_grid import network_density
from hemato_lab.imaging.working import WorkingGrid
from hemato_lab.kernels.resample import relative_density, transmitted_light
from hemato_lab.smear import Field, Window

if TYPE_CHECKING:
    from collections.abc import Callable

CELL = 24.0
DIAMETERS = [90.0, 60.0, 24.0, 17.0]


def as_trained(field: Field, grid: WorkingGrid, illumination: Illumination) -> np.ndarray:
    """Densities of a whole field by the steps with which training fields are prepared."""
    window = grid.window
    light = transmitted_light(field.read(), (0, 0), (0, 0, window.x1, window.y1), grid.step, LINEAR_LIGHT)
    x = grid.to_pixels(np.arange(window.x1, dtype=np.float64))
    y = grid.to_pixels(np.arange(window.y1, dtype=np.float64))
    density = relative_density(
        light, (2 * x + 1) / grid.width - 1, (2 * y + 1) / grid.height - 1, illumination.coefficients
    )
    density[~illumination.is_lit(x, y)] = 0
    return density.transpose(2, 0, 1)


@pytest.fixture(scope="module")
def field(phantom: Callable[..., Any]) -> Field:
    return phantom("normal", 0.125, size=(480, 360))[0]


@pytest.fixture(scope="module")
def through_an_eyepiece(field: Field, as_field: Callable[..., Field]) -> Field:
    pixels = field.read().copy()
    rows, columns = np.indices(pixels.shape[:2])
    pixels[np.hypot(columns - 240, rows - 180) > 200] = (6, 5, 8)
    return as_field(pixels)


@pytest.mark.parametrize("diameter", DIAMETERS)
def test_densities_are_those_that_networks_are_trained_on(field: Field, diameter: float) -> None:
    illumination = fit_illumination(field)
    grid = WorkingGrid(field.width, field.height, CELL / diameter)
    covered, density = network_density(field.read(), field.window, grid, illumination)
    assert covered == grid.window
    assert density.shape == (3, covered.height, covered.width)
    assert density.dtype == np.float32
    np.testing.assert_allclose(density, as_trained(field, grid, illumination), rtol=0, atol=1e-6)
    assert density[1].max() > 0.1
    assert abs(np.median(density[1])) < 0.1


def test_the_dark_surround_is_background(through_an_eyepiece: Field) -> None:
    illumination = fit_illumination(through_an_eyepiece)
    assert 0.4 < illumination.lit_share < 0.9
    grid = WorkingGrid(480, 360, 0.4)
    covered, density = network_density(through_an_eyepiece.read(), through_an_eyepiece.window, grid, illumination)
    np.testing.assert_allclose(density, as_trained(through_an_eyepiece, grid, illumination), rtol=0, atol=1e-6)
    assert (density[:, 0, 0] == 0).all()
    assert (density[:, covered.height // 2, covered.width // 2] != 0).all()


@pytest.mark.parametrize("diameter", DIAMETERS)
def test_a_grid_cell_has_the_same_bits_in_every_window(through_an_eyepiece: Field, diameter: float) -> None:
    illumination = fit_illumination(through_an_eyepiece)
    grid = WorkingGrid(480, 360, CELL / diameter)
    _, whole = network_density(through_an_eyepiece.read(), through_an_eyepiece.window, grid, illumination)
    seen = np.zeros(whole.shape[1:], bool)
    for x, y in product((0, 101, 255, 300), (0, 77, 160)):
        window = Window(x, y, min(x + 180, 480), min(y + 201, 360))
        covered, part = network_density(through_an_eyepiece.read(window), window, grid, illumination)
        np.testing.assert_array_equal(part, whole[:, *covered.slices()])
        seen[covered.slices()] = True
    assert seen.all()


def test_a_window_narrower_than_a_grid_cell_covers_none(field: Field) -> None:
    window = Window(100, 100, 102, 140)
    covered, density = network_density(field.read(window), window, WorkingGrid(480, 360, 0.25), fit_illumination(field))
    assert density.shape == (3, covered.height, covered.width)
    assert covered.width == 0
