from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage, stats

from hemato_lab.kernels.density import blur, deposit, kernel_density

LAW = settings(deadline=None, max_examples=50)
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30)


def scattered(
    seed: int, count: int = 200, low: float = -5, high: float = 35
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x, y = random.uniform(low, high, (2, count))
    return x, y, random.uniform(-1, 3, count)


@LAW
@given(seed=st.integers(0, 2**32 - 1), shape=SHAPES)
def test_nearest_is_the_histogram(seed: int, shape: tuple[int, int]) -> None:
    x, y, weights = scattered(seed)
    bins = [np.arange(side + 1) - 0.5 for side in shape]
    counts, _, _ = np.histogram2d(y, x, bins)
    np.testing.assert_array_equal(deposit(x, y, shape, sharing="nearest"), counts)
    sums, _, _ = np.histogram2d(y, x, bins, weights=weights)
    np.testing.assert_allclose(deposit(x, y, shape, weights=weights, sharing="nearest"), sums, atol=1e-12)


@LAW
@given(seed=st.integers(0, 2**32 - 1), shape=SHAPES)
def test_cloud_is_the_sum_of_triangles(seed: int, shape: tuple[int, int]) -> None:
    x, y, weights = scattered(seed)
    down = np.maximum(1 - np.abs(np.arange(shape[0])[:, None] - y), 0)
    across = np.maximum(1 - np.abs(np.arange(shape[1])[:, None] - x), 0)
    np.testing.assert_allclose(deposit(x, y, shape, weights=weights), (down * weights) @ across.T, atol=1e-12)


def test_cloud_keeps_number_and_centre_of_mass() -> None:
    x, y, _ = scattered(1, low=2, high=27)
    grid = deposit(x, y, (30, 30))
    np.testing.assert_allclose(grid.sum(), len(x))
    np.testing.assert_allclose(grid.sum(axis=0) @ np.arange(30), x.sum())
    np.testing.assert_allclose(grid.sum(axis=1) @ np.arange(30), y.sum())


@LAW
@given(
    grid=arrays(np.float64, SHAPES, elements=st.floats(-1e3, 1e3)),
    sigma=st.sampled_from([0.0, 0.3, 1.0, 2.5, 20.0]),
    truncate=st.sampled_from([0.0, 1.0, 4.0]),
)
def test_blur_is_that_of_scipy(grid: np.ndarray, sigma: float, truncate: float) -> None:
    expected = ndimage.gaussian_filter(grid, sigma, mode="constant", truncate=truncate) if sigma else grid
    np.testing.assert_allclose(blur(grid, sigma, truncate=truncate), expected, atol=1e-9)


@LAW
@given(seed=st.integers(0, 2**32 - 1), shape=SHAPES, bandwidth=st.sampled_from([0.05, 0.4, 1.0, 3.3, 12.0]))
def test_gaussian_density_is_the_sum_of_truncated_gaussians(
    seed: int, shape: tuple[int, int], bandwidth: float
) -> None:
    x, y, weights = scattered(seed, 40)
    down = (np.arange(shape[0])[:, None] - y) / bandwidth
    across = (np.arange(shape[1])[:, None] - x) / bandwidth
    rows = np.where(np.abs(down) <= 5, np.exp(-(down**2) / 2), 0) * weights
    columns = np.where(np.abs(across) <= 5, np.exp(-(across**2) / 2), 0)
    expected = rows @ columns.T / (2 * np.pi * bandwidth**2)
    density = kernel_density(x, y, shape, bandwidth, weights=weights)
    np.testing.assert_allclose(density, expected, rtol=1e-10, atol=1e-13 / bandwidth**2)


def test_gaussian_density_is_that_of_scipy() -> None:
    x, y, _ = scattered(2, 60, -9, 9)
    # A cloud and its quarter turns have an isotropic covariance, so scipy's bandwidth is one number too.
    x, y = np.concatenate([x, -y, -x, y]), np.concatenate([y, x, -y, -x])
    reference = stats.gaussian_kde([x, y], bw_method=0.4)
    bandwidth = float(np.sqrt(reference.covariance[0, 0]))
    rows, columns = np.mgrid[-15:16, -15:16]
    expected = reference([columns.ravel(), rows.ravel()]).reshape(31, 31) * len(x)
    density = kernel_density(x + 15, y + 15, (31, 31), bandwidth, truncate=9)
    np.testing.assert_allclose(density, expected, rtol=1e-9, atol=1e-12)


@LAW
@given(seed=st.integers(0, 2**32 - 1), shape=SHAPES, bandwidth=st.sampled_from([0.5, 1.0, 4.4, 25.0]))
def test_epanechnikov_density_is_the_sum_of_paraboloids(seed: int, shape: tuple[int, int], bandwidth: float) -> None:
    x, y, weights = scattered(seed, 40)
    rows, columns = np.indices(shape)
    squared = ((rows[..., None] - y) ** 2 + (columns[..., None] - x) ** 2) / bandwidth**2
    expected = np.maximum(1 - squared, 0) @ weights * 2 / (np.pi * bandwidth**2)
    density = kernel_density(x, y, shape, bandwidth, weights=weights, form="epanechnikov")
    np.testing.assert_allclose(density, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("form", "bandwidth"), [("gaussian", 3.0), ("epanechnikov", 9.0)])
def test_a_kernel_has_unit_volume(form: str, bandwidth: float) -> None:
    x, y, _ = scattered(3, 30, 30, 50)
    density = kernel_density(x, y, (80, 80), bandwidth, form=form)  # type: ignore[arg-type]
    np.testing.assert_allclose(density.sum(), 30, rtol=2e-3 if form == "epanechnikov" else 2e-6)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1)])
def test_no_points_and_no_grid(shape: tuple[int, int]) -> None:
    nothing = np.empty(0)
    for grid in (
        deposit(nothing, nothing, shape),
        kernel_density(nothing, nothing, shape, 2.0),
        kernel_density(np.ones(3), np.ones(3), shape, 2.0, weights=np.zeros(3), form="epanechnikov"),
        blur(np.zeros(shape), 2.0),
    ):
        assert grid.shape == shape
        assert not grid.any()


def test_points_far_outside_or_not_a_number_are_left_out() -> None:
    x = np.array([np.nan, 1e300, -1e300, np.inf, 2.0])
    y = np.array([2.0, 2.0, 2.0, 2.0, -np.inf])
    assert not deposit(x, y, (5, 5)).any()
    assert not kernel_density(x, y, (5, 5), 2.0).any()
    assert not kernel_density(x, y, (5, 5), 2.0, form="epanechnikov").any()


def test_input_in_any_layout_and_type() -> None:
    x, y = np.arange(20, dtype=np.int32)[::2], np.arange(20, dtype=np.float32)[::-2]
    same = np.arange(0.0, 20, 2), np.arange(19.0, 0, -2)
    np.testing.assert_array_equal(deposit(x, y, (20, 20)), deposit(*same, (20, 20)))
    grid = np.random.default_rng(0).random((20, 30))
    np.testing.assert_array_equal(blur(grid.T, 2.0), blur(grid.T.copy(), 2.0))


def test_senseless_parameters_are_refused() -> None:
    one = np.ones(1)
    for sigma in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="not negative"):
            blur(np.ones((2, 2)), sigma)
    for bandwidth in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="positive"):
            kernel_density(one, one, (2, 2), bandwidth)
    with pytest.raises(ValueError, match="one length"):
        deposit(one, np.ones(2), (2, 2))
