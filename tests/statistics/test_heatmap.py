from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError
from hemato_lab.smear import Scale
from hemato_lab.statistics.heatmap import METHODS, heat_map

SCALE = Scale.from_um_per_px(0.25)  # bandwidth 60 px, raster cells of 15 px
BOTH = pytest.mark.parametrize("method", list(METHODS))


def cells(x: np.ndarray, y: np.ndarray) -> Detections:
    return Detections(
        {
            "field": np.zeros(len(x), int),
            "x": x,
            "y": y,
            "radius": np.full(len(x), 15.0),
            "name": np.full(len(x), "RBC"),
            "score": np.ones(len(x)),
        }
    )


def random_cells(count: int, width: int, height: int, seed: int = 2) -> Detections:
    chance = np.random.default_rng(seed)
    return cells(chance.uniform(-0.5, width - 0.5, count), chance.uniform(-0.5, height - 0.5, count))


def test_the_exact_map_is_scipys_kernel_density_corrected_at_the_border():
    width, height = 640, 470
    table = random_cells(80, width, height)
    found = heat_map(table, (width, height), SCALE, method="exact")
    assert found.step_px == pytest.approx(15)
    assert found.per_mm2.shape == (math.ceil(470 / 15), math.ceil(640 / 15))
    rows, columns = np.indices(found.per_mm2.shape)
    x, y = (columns + 0.5) * 15 - 0.5, (rows + 0.5) * 15 - 0.5
    squares = (x[..., None] - table["x"]) ** 2 + (y[..., None] - table["y"]) ** 2
    per_px = (np.exp(-squares / (2 * 60**2)) / (2 * np.pi * 60**2)).sum(axis=-1)
    across = stats.norm.cdf(width - 0.5, x, 60) - stats.norm.cdf(-0.5, x, 60)
    down = stats.norm.cdf(height - 0.5, y, 60) - stats.norm.cdf(-0.5, y, 60)
    reference = per_px / (across * down) / (0.25**2 * 1e-6)
    assert found.per_mm2 == pytest.approx(reference, abs=1e-4 * reference.max())


def test_the_grid_follows_the_exact_map():
    table = random_cells(300, 900, 700)
    exact = heat_map(table, (900, 700), SCALE, method="exact").per_mm2
    grid = heat_map(table, (900, 700), SCALE).per_mm2
    assert np.abs(grid - exact).max() < 0.01 * exact.max()


@BOTH
def test_an_even_film_gives_an_even_map_up_to_the_border(method: str):
    pitch = 10
    x, y = np.meshgrid(np.arange(4.5, 900, pitch), np.arange(4.5, 700, pitch))
    found = heat_map(cells(x.ravel(), y.ravel()), (900, 700), SCALE, method=method)
    truth = 1 / (pitch**2 * 0.25**2 * 1e-6)
    assert found.per_mm2 == pytest.approx(np.full(found.per_mm2.shape, truth), rel=0.02)


@BOTH
def test_one_cell_is_a_gaussian_of_one_cell(method: str):
    found = heat_map(cells(np.array([452.0]), np.array([347.0])), (900, 700), SCALE, method=method)
    row, column = np.unravel_index(found.per_mm2.argmax(), found.per_mm2.shape)
    assert (row, column) == (347 // 15, 452 // 15)
    raster_cell_mm2 = (15 * 0.25e-3) ** 2
    assert found.per_mm2.sum() * raster_cell_mm2 == pytest.approx(1, rel=2e-3)
    assert found.per_mm2.max() == pytest.approx(1 / (2 * math.pi * 0.015**2), rel=0.015)


@BOTH
def test_no_cell_is_a_map_of_zeros(method: str):
    found = heat_map(Detections.empty(), (90, 70), SCALE, method=method)
    assert found.per_mm2.shape == (5, 6)
    assert not found.per_mm2.any()


@BOTH
def test_a_field_smaller_than_the_kernel(method: str):
    found = heat_map(cells(np.array([0.0]), np.array([0.0])), (1, 1), SCALE, method=method)
    assert found.per_mm2.shape == (1, 1)
    assert np.isfinite(found.per_mm2).all()


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ConfigError, match="grid, exact"):
        heat_map(Detections.empty(), (90, 70), SCALE, method="kde")
    for bandwidth in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigError, match="bandwidth"):
            heat_map(Detections.empty(), (90, 70), SCALE, bandwidth_um=bandwidth)
