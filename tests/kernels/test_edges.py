from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hemato_lab.kernels.edges import thin_edges

LAW = settings(deadline=None, max_examples=80)


def expected(across: np.ndarray, down: np.ndarray, allowed: np.ndarray, weakest: float) -> np.ndarray:
    """Edge pixels (x, y): as large as one step ahead along the gradient, larger than one step behind."""
    across, down = across.astype(np.float64), down.astype(np.float64)
    size = np.hypot(across, down)
    rows, columns = np.indices(size.shape)
    safe = np.where(size > 0, size, 1)
    ux, uy = across / safe, down / safe
    ahead, behind = (
        ndimage.map_coordinates(size, [rows + sign * uy, columns + sign * ux], order=1, mode="nearest")
        for sign in (1, -1)
    )
    edge = allowed & (size > weakest) & (size >= ahead) & (size > behind)
    edge[[0, -1]] = edge[:, [0, -1]] = False
    return np.argwhere(edge)[:, ::-1]


@LAW
@given(st.integers(3, 25), st.integers(3, 25), st.integers(0, 10_000), st.floats(0, 1.5))
def test_equals_interpolated_suppression(width: int, height: int, seed: int, weakest: float) -> None:
    random = np.random.default_rng(seed)
    across, down = random.normal(size=(2, height, width)).astype(np.float32)
    allowed = random.random((height, width)) < 0.8
    points, directions = thin_edges(across, down, allowed, weakest)
    np.testing.assert_array_equal(points, expected(across, down, allowed, weakest))
    x, y = points.astype(int).T
    np.testing.assert_allclose(np.hypot(*directions.T), 1)
    np.testing.assert_allclose(directions[:, 0] * down[y, x], directions[:, 1] * across[y, x], atol=1e-6)
    assert (directions[:, 0] * across[y, x] + directions[:, 1] * down[y, x] > 0).all()


def disc_gradient(radius: float, sigma: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices((101, 121))
    disc = np.clip(radius + 0.5 - np.hypot(columns - 60, rows - 50), 0, 1)
    return tuple(ndimage.gaussian_filter(disc, sigma, order=order).astype(np.float32) for order in ((0, 1), (1, 0)))


@pytest.mark.parametrize("radius", [10.0, 21.5, 36.0])
def test_the_edges_of_a_disc_are_its_circle_pointing_inward(radius: float) -> None:
    across, down = disc_gradient(radius)
    points, directions = thin_edges(across, down, np.ones(across.shape, bool), 0.05)
    outward = points - (60, 50)
    distance = np.hypot(*outward.T)
    assert np.abs(distance - radius).max() < 1
    inward = -outward / distance[:, None]
    assert (np.einsum("ij,ij->i", inward, directions) > 0.98).all()
    # An 8-connected circle has 2 sqrt(2) / pi pixels a pixel of length, thin lines hold few corners more.
    assert 0.88 < len(points) / (2 * np.pi * radius) < 1.3


def test_a_plateau_of_two_equal_pixels_makes_one_edge() -> None:
    across = np.zeros((5, 9), np.float32)
    across[:, 2:7] = [1, 3, 3, 1, 0.5]
    points, directions = thin_edges(across, np.zeros_like(across), np.ones(across.shape, bool), 0.1)
    assert points.tolist() == [[3, 1], [3, 2], [3, 3]]
    assert directions.tolist() == [[1, 0]] * 3


def test_edges_lie_in_raster_order_where_allowed_above_the_weakest() -> None:
    across, down = disc_gradient(20)
    everywhere = np.ones(across.shape, bool)
    half = everywhere.copy()
    half[:, 60:] = False
    points, _ = thin_edges(across, down, everywhere, 0.05)
    left, _ = thin_edges(across, down, half, 0.05)
    assert points.tolist() == sorted(points.tolist(), key=lambda place: (place[1], place[0]))
    np.testing.assert_array_equal(left, points[points[:, 0] < 60])
    largest = float(np.hypot(across, down).max())
    assert len(thin_edges(across, down, everywhere, largest)[0]) == 0


@pytest.mark.parametrize("shape", [(0, 0), (2, 9), (9, 2), (3, 3)])
def test_small_and_flat_images_have_no_edges(shape: tuple[int, int]) -> None:
    flat = np.zeros(shape, np.float32)
    points, directions = thin_edges(flat, flat, np.ones(shape, bool), 0.0)
    assert points.shape == directions.shape == (0, 2)
    assert points.dtype == directions.dtype == np.float64


def test_any_memory_layout() -> None:
    across, down = disc_gradient(15)
    allowed = np.ones(across.shape, bool)
    reference = thin_edges(across, down, allowed, 0.05)
    turned = thin_edges(np.asfortranarray(across), np.asfortranarray(down), np.asfortranarray(allowed), 0.05)
    np.testing.assert_array_equal(reference[0], turned[0])
