from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.imaging.illumination import Illumination, fit_illumination
from hemato_lab.smear import Field, Window

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH, HEIGHT = 480, 360
ROWS, COLUMNS = np.indices((HEIGHT, WIDTH))
SURFACES = {
    "even": [[0.06, 0.06, 0.06], *[[0, 0, 0]] * 5],
    "tinted": [[0.03, 0.05, 0.14], *[[0, 0, 0]] * 5],
    "tilted": [[0.08, 0.09, 0.10], [0.05, 0.05, 0.04], [-0.03, -0.03, -0.03], *[[0, 0, 0]] * 3],
    "vignetted": [[0.05, 0.06, 0.08], [0.01, 0, 0], [0, 0, 0.01], [0.06, 0.06, 0.06], [0.01, 0, 0], [0.08, 0.08, 0.08]],
}


def surface(coefficients: list[list[float]]) -> np.ndarray:
    """Background density over the field, shape (height, width, 3)."""
    u, v = (2 * COLUMNS + 1) / WIDTH - 1, (2 * ROWS + 1) / HEIGHT - 1
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)
    return terms @ np.array(coefficients, float)


@pytest.fixture(scope="module")
def cells(paint: Callable[..., np.ndarray], lattice: Callable[..., np.ndarray]) -> np.ndarray:
    """Red cells over a third of the field, some in heaps that leave whole blocks without background."""
    heap = np.random.default_rng(4).normal((230, 150), 25, (40, 2))
    cover = paint((HEIGHT, WIDTH), np.concatenate([lattice((HEIGHT, WIDTH), 52.0), heap]), 15.0)
    assert 0.3 < (cover > 0.5).mean() < 0.5
    return cover[..., None] * np.array([0.10, 0.25, 0.18])


@pytest.mark.parametrize("name", SURFACES)
def test_the_background_is_recovered_under_cells_and_noise(
    name: str, cells: np.ndarray, photograph: Callable[..., np.ndarray], as_field: Callable[..., Field]
) -> None:
    truth = surface(SURFACES[name])
    noise = np.random.default_rng(1).normal(0, 0.006, truth.shape)
    fitted = fit_illumination(as_field(photograph(truth + cells + noise)))
    found = fitted.density_at(COLUMNS.astype(float), ROWS.astype(float))
    assert found.shape == truth.shape
    error = 10 ** -(found - truth) - 1
    # The brightest pixels of a block are a little brighter than its background on average; `levels` takes that up.
    assert 0 <= error.mean() < 0.025
    assert np.abs(error - error.mean()).max() < 0.03
    assert fitted.lit_share == 1
    assert fitted.residual < 0.02
    extent = truth.max(axis=(0, 1)) - truth.min(axis=(0, 1))
    assert fitted.fall_off == pytest.approx(float(np.mean(1 - 10**-extent)), abs=0.03)
    middle = photograph(np.array(SURFACES[name][0])[None, None])[0, 0]
    np.testing.assert_allclose(fitted.white_level, middle, atol=3)


def test_the_fit_is_one_and_the_same_every_time(
    cells: np.ndarray, photograph: Callable[..., np.ndarray], as_field: Callable[..., Field]
) -> None:
    field = as_field(photograph(surface(SURFACES["vignetted"]) + cells))
    np.testing.assert_array_equal(fit_illumination(field).coefficients, fit_illumination(field).coefficients)


def test_properties_follow_from_the_surface() -> None:
    # Density 0.1 in the middle, 0.1 + 0.2 at the left and right ends, even from top to bottom.
    coefficients = np.zeros((6, 3))
    coefficients[0], coefficients[3] = 0.1, 0.2
    lit = np.array([[True, True], [False, True]])
    illumination = Illumination(coefficients, 100, 60, lit, 0.0)
    # The middle of 100 pixels lies between columns 49 and 50.
    np.testing.assert_allclose(illumination.density_at(np.array([49.5, -0.5]), np.array([3.0, 3.0]))[:, 0], [0.1, 0.3])
    assert illumination.fall_off == pytest.approx(1 - 10**-0.2)
    # sRGB of 10^-0.1 is 230.4 of 255.
    np.testing.assert_allclose(illumination.white_level, 230.4, atol=0.2)
    assert illumination.lit_share == 0.75
    np.testing.assert_array_equal(
        illumination.is_lit(np.array([0.0, 49.4, 49.6, 99.0]), np.array([29.4, 29.6])),
        [[True, True, True, True], [False, False, True, True]],
    )
    # Places beyond the field, as the last grid cells reach, belong to its nearest part.
    np.testing.assert_array_equal(illumination.is_lit(np.array([-3.0, 104.0]), np.array([-2.0, 63.0])), lit)


def test_the_dark_surround_of_an_eyepiece_is_found_and_does_not_bend_the_fit(
    cells: np.ndarray, photograph: Callable[..., np.ndarray], as_field: Callable[..., Field]
) -> None:
    truth = surface(SURFACES["tinted"])
    distance = np.hypot(COLUMNS - 240, ROWS - 180)
    picture = photograph(truth + cells)
    picture[distance > 170] = (6, 5, 8)
    fitted = fit_illumination(as_field(picture))
    lit = fitted.is_lit(np.arange(WIDTH, dtype=float), np.arange(HEIGHT, dtype=float))
    # The raster's cells measure 3 pixels here; one more is given up around the surround.
    assert not lit[distance > 173].any()
    assert lit[distance < 160].all()
    assert fitted.lit_share == pytest.approx(np.pi * 166**2 / (WIDTH * HEIGHT), rel=0.04)
    found = fitted.density_at(COLUMNS.astype(float), ROWS.astype(float))
    assert np.abs(10 ** -(found - truth) - 1)[distance < 165].max() < 0.03


def test_a_bar_at_the_border_is_surround_but_nuclei_and_specks_are_not(
    photograph: Callable[..., np.ndarray], as_field: Callable[..., Field]
) -> None:
    picture = photograph(surface(SURFACES["even"]))
    picture[100:200, 150:300] = 10
    picture[:25, :25] = 10
    whole = fit_illumination(as_field(picture))
    assert whole.lit.all()
    picture[:, 440:] = 10
    fitted = fit_illumination(as_field(picture))
    lit = fitted.is_lit(np.arange(WIDTH, dtype=float), np.array([180.0]))[0]
    assert lit[:434].all()
    assert not lit[440:].any()


@dataclass(frozen=True)
class Slide:
    """A slide of even colour that is brighter towards the right, made as it is read."""

    width: int
    height: int

    def read(self, window: Window) -> np.ndarray:
        across = 200 + 40 * np.arange(window.x0, window.x1) / self.width
        line = np.broadcast_to(np.rint(across)[None, :, None], (window.height, window.width, 3))
        return line.astype(np.uint8)


def test_a_slide_is_fitted_on_samples_of_it() -> None:
    field = Field("slide", Slide(40_000, 30_000), "sha224-i-00")
    fitted = fit_illumination(field)
    assert fitted.lit.all()
    x = np.array([2000.0, 20_000.0, 38_000.0])
    stored = np.array([202, 220, 238]) / 255
    light = ((stored + 0.055) / 1.055) ** 2.4
    np.testing.assert_allclose(10 ** -fitted.density_at(x, np.full(3, 15_000.0))[:, 1], light, rtol=0.01)


NOISE = np.random.default_rng(2).integers(0, 256, (90, 120, 3), np.uint8)
STRIPES = np.zeros((160, 160, 3), np.uint8)
STRIPES[1:-1, 1:-1:8] = 255
ODD_PICTURES = {
    "black": np.zeros((120, 160, 3), np.uint8),
    "white": np.full((120, 160, 3), 255, np.uint8),
    "one pixel": np.full((1, 1, 3), 90, np.uint8),
    "one row": np.arange(21, dtype=np.uint8).reshape(1, 7, 3),
    "one column": np.arange(27, dtype=np.uint8).reshape(9, 1, 3),
    "six pixels": np.arange(18, dtype=np.uint8).reshape(2, 3, 3),
    "noise": NOISE,
    "pure blue": NOISE * np.array([0, 0, 1], np.uint8),
    "stripes": STRIPES,
    "half black": np.where(np.arange(160)[None, :, None] < 80, 0, 230).astype(np.uint8).repeat(120, 0).repeat(3, 2),
}


@pytest.mark.parametrize("name", ODD_PICTURES)
def test_any_picture_has_a_finite_background(name: str, as_field: Callable[..., Field]) -> None:
    picture = ODD_PICTURES[name]
    fitted = fit_illumination(as_field(picture))
    assert np.isfinite(fitted.coefficients).all()
    assert np.isfinite(fitted.residual)
    assert all(0 <= level <= 255 for level in fitted.white_level)
    assert 0 <= fitted.fall_off <= 1
    assert 0 <= fitted.lit_share <= 1
    height, width = picture.shape[:2]
    places = np.arange(width, dtype=float), np.arange(height, dtype=float)
    assert np.isfinite(fitted.density_at(*np.meshgrid(*places))).all()
    assert fitted.is_lit(*places).shape == (height, width)


@pytest.mark.parametrize("shape", [(1, 161), (161, 1), (2, 700)])
def test_a_thin_picture_has_a_background(shape: tuple[int, int], as_field: Callable[..., Field]) -> None:
    fitted = fit_illumination(as_field(np.full((*shape, 3), 200, np.uint8)))
    assert fitted.lit_share == 1


def test_the_residual_is_the_scatter_of_one_channels_density(
    photograph: Callable[..., np.ndarray], as_field: Callable[..., Field]
) -> None:
    # One density a block of the 12 x 12 that are sampled, the same in all channels.
    steps = np.random.default_rng(8).normal(0, 0.012, (12, 12)).repeat(HEIGHT // 12, 0).repeat(WIDTH // 12, 1)
    fitted = fit_illumination(as_field(photograph(0.1 + steps[..., None].repeat(3, axis=2))))
    assert fitted.residual == pytest.approx(0.6745 * 0.012, rel=0.4)


def test_a_picture_that_is_all_surround_has_no_lit_part(as_field: Callable[..., Field]) -> None:
    assert fit_illumination(as_field(STRIPES)).lit_share == 0
    assert fit_illumination(as_field(ODD_PICTURES["half black"])).lit_share == pytest.approx(0.5, abs=0.02)
    assert fit_illumination(as_field(ODD_PICTURES["black"])).lit_share == 1
