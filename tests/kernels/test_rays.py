from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.kernels.rays import RAYS, cast_rays, fill_stars

ANGLES = np.arange(RAYS) * 2 * np.pi / RAYS
SHAPE = (121, 141)
ROWS, COLUMNS = np.indices(SHAPE)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    return np.hypot(COLUMNS - x, ROWS - y) <= radius


def ellipse_radius(a: float, b: float, angles: np.ndarray = ANGLES) -> np.ndarray:
    """Distance of an ellipse's outline in polar form around its centre."""
    return a * b / np.hypot(b * np.cos(angles), a * np.sin(angles))


def ellipse(x: float, y: float, a: float, b: float) -> np.ndarray:
    return ((COLUMNS - x) / a) ** 2 + ((ROWS - y) / b) ** 2 <= 1


@pytest.mark.parametrize(("x", "y"), [(70, 60), (66.3, 58.8)])
def test_rays_measure_a_round_nucleus_in_a_round_cell(x: float, y: float) -> None:
    nucleus, border = cast_rays(np.array([[x, y]]), disc(x, y, 15).astype(np.int32), disc(x, y, 40), 60)
    assert nucleus.shape == border.shape == (1, RAYS)
    np.testing.assert_allclose(nucleus, 15, atol=1.2)
    np.testing.assert_allclose(border, 40, atol=1.2)


def test_rays_measure_an_ellipse_from_plus_x_towards_plus_y() -> None:
    a, b = 45.0, 25.0
    nucleus, border = cast_rays(
        np.array([[70.0, 60.0]]), ellipse(70, 60, 20, 10).astype(np.int32), ellipse(70, 60, a, b), 80
    )
    np.testing.assert_allclose(nucleus[0], ellipse_radius(20, 10), atol=1.3)
    np.testing.assert_allclose(border[0], ellipse_radius(a, b), atol=1.3)
    lopsided = disc(70, 60, 40) & (ROWS < 70)
    _, border = cast_rays(np.array([[70.0, 60.0]]), disc(70, 60, 5).astype(np.int32), lopsided, 80)
    assert border[0, RAYS // 4] == pytest.approx(10, abs=0.6)
    assert border[0, 3 * RAYS // 4] == pytest.approx(40, abs=1)


def test_rays_stop_at_other_nuclei_and_at_the_images_border() -> None:
    nuclei = disc(40, 60, 10).astype(np.int32)
    nuclei[disc(80, 60, 10)] = 2
    everywhere = np.ones(SHAPE, bool)
    nucleus, border = cast_rays(np.array([[40.0, 60.0], [80.0, 60.0]]), nuclei, everywhere, 200)
    assert (nucleus[0, 0], border[0, 0]) == (pytest.approx(10, abs=0.6), pytest.approx(30, abs=0.6))
    assert border[1, RAYS // 2] == pytest.approx(30, abs=0.6)
    # Left border at -0.5, upper border 60.5 above.
    assert border[0, RAYS // 2] == pytest.approx(40.5, abs=0.6)
    assert border[0, 3 * RAYS // 4] == pytest.approx(60.5, abs=0.6)


def test_a_ray_that_ends_nowhere_is_infinite_and_one_without_nucleus_starts_at_the_centre() -> None:
    everywhere = np.ones(SHAPE, bool)
    none = np.zeros(SHAPE, np.int32)
    nucleus, border = cast_rays(np.array([[70.0, 60.0]]), none, everywhere, 30)
    assert not nucleus.any()
    assert np.isinf(border).all()
    _, border = cast_rays(np.array([[70.0, 60.0]]), none, ~everywhere, 30)
    assert not border.any()


def test_the_last_pixel_of_a_lobed_nucleus_counts() -> None:
    nuclei = (disc(70, 60, 6) | disc(95, 60, 6)).astype(np.int32)
    inside = disc(80, 60, 40) & ((COLUMNS < 80) | (COLUMNS > 85))
    nucleus, border = cast_rays(np.array([[70.0, 60.0]]), nuclei, inside, 80)
    assert nucleus[0, 0] == pytest.approx(31, abs=0.6)
    assert border[0, 0] == pytest.approx(50, abs=0.6)
    assert nucleus[0, RAYS // 2] == pytest.approx(6, abs=0.6)


def test_no_centre_no_ray() -> None:
    nucleus, border = cast_rays(np.empty((0, 2)), np.zeros(SHAPE, np.int32), np.ones(SHAPE, bool), 30)
    assert nucleus.shape == border.shape == (0, RAYS)
    assert not fill_stars(np.empty((0, 2)), np.empty((0, RAYS)), SHAPE).any()


@pytest.mark.parametrize(("x", "y", "radius"), [(70, 60, 33.3), (3.4, 100.7, 25.2), (140, -4, 12.6), (60.5, 50.5, 0.9)])
def test_equal_radii_fill_a_disc(x: float, y: float, radius: float) -> None:
    labels = fill_stars(np.array([[x, y]]), np.full((1, RAYS), radius), SHAPE)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels == 1, disc(x, y, radius))


def test_an_ellipses_radii_fill_the_ellipse() -> None:
    a, b = 52.0, 27.0
    filled = fill_stars(np.array([[70.0, 60.0]]), ellipse_radius(a, b)[None], SHAPE) == 1
    assert np.count_nonzero(filled) == pytest.approx(np.pi * a * b, rel=0.01)
    differs = filled != ellipse(70, 60, a, b)
    assert np.count_nonzero(differs) < 0.01 * np.pi * a * b


def test_cast_rays_filled_again_give_the_cell_back() -> None:
    cell = ellipse(70, 60, 50, 30)
    centre = np.array([[66.0, 63.0]])
    _, border = cast_rays(centre, disc(66, 63, 8).astype(np.int32), cell, 100)
    again = fill_stars(centre, border, SHAPE) == 1
    assert np.count_nonzero(again & cell) / np.count_nonzero(again | cell) > 0.95


def stars(centres: np.ndarray, radii: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Relative distance from each centre, infinite outside its outline, shape (n, height, width); and how sure."""
    rows, columns = np.indices(shape)
    relative, doubt = [], np.zeros(shape, bool)
    for (x, y), outline in zip(centres, radii, strict=True):
        turn = np.arctan2(rows - y, columns - x) % (2 * np.pi)
        reach = np.interp(turn, np.append(ANGLES, 2 * np.pi), np.append(outline, outline[0]))
        distance = np.hypot(columns - x, rows - y)
        doubt |= np.abs(distance - reach) < 1e-6
        relative.append(np.where(distance <= reach, distance / np.maximum(reach, 1e-9), np.inf))
    return np.array(relative), doubt


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_overlaps_go_to_the_relatively_nearer_centre(seed: int) -> None:
    random = np.random.default_rng(seed)
    centres, radii = random.uniform(-5, 45, (3, 2)), random.uniform(0.25, 20, (3, RAYS))
    shape = (35, 40)
    relative, doubt = stars(centres, radii, shape)
    ordered = np.sort(relative, axis=0)
    with np.errstate(invalid="ignore"):
        doubt |= (ordered[1] - ordered[0] < 1e-9) & np.isfinite(ordered[1])
    expected = np.where(np.isfinite(ordered[0]), relative.argmin(axis=0) + 1, 0)
    np.testing.assert_array_equal(fill_stars(centres, radii, shape)[~doubt], expected[~doubt])
    assert doubt.mean() < 0.01
