from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hemato_lab.kernels.background import brightest_medians, fit_bright_side

LAW = settings(deadline=None, max_examples=150)
DENSITY = -np.log10(np.maximum((np.arange(256) / 255.0) ** 2.2, 1e-5))
SHARES = st.sampled_from([0.0, 0.01, 0.12, 0.5, 0.9, 1.0])


def reference(block: np.ndarray, share: float, most_sampled: int) -> np.ndarray:
    step = max(1, int(np.sqrt(block.shape[0] * block.shape[1] / most_sampled)))
    density = DENSITY[block[::step, ::step]].reshape(-1, 3)
    total = density.sum(axis=1)
    return np.median(density[total <= np.quantile(total, share)], axis=0)


def whole(pixels: np.ndarray) -> np.ndarray:
    return np.array([[0, 0, pixels.shape[1], pixels.shape[0]]])


def smear(height: int, width: int, levels: int, seed: int) -> np.ndarray:
    """Grain of a few levels on a bright background with dark blobs."""
    random = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(random.normal(size=(height, width)), 3) > 0.08
    picture = random.integers(230 - levels, 231, (height, width, 3)) - 90 * blobs[..., None]
    return picture.clip(0, 255).astype(np.uint8)


@LAW
@given(st.integers(1, 45), st.integers(1, 45), st.integers(0, 255), st.integers(0, 99), SHARES)
def test_equals_quantile_and_median_to_the_last_bit(width: int, height: int, least: int, seed: int, share: float):
    pixels = np.random.default_rng(seed).integers(least, 256, (height, width, 3)).astype(np.uint8)
    found = brightest_medians(pixels, whole(pixels), DENSITY, share, 2500)
    np.testing.assert_array_equal(found[0], reference(pixels, share, 2500))


@pytest.mark.parametrize("levels", [0, 1, 3, 12])
@pytest.mark.parametrize("most_sampled", [200, 2500, 10**9])
def test_every_block_of_a_smear_is_told_apart(levels: int, most_sampled: int):
    pixels = smear(160, 210, levels, 3)
    edges_x, edges_y = [0, 1, 40, 90, 91, 210], [0, 53, 55, 160]
    blocks = [(x0, y0, x1, y1) for y0, y1 in pairwise(edges_y) for x0, x1 in pairwise(edges_x)]
    found = brightest_medians(pixels, np.array(blocks), DENSITY, 0.12, most_sampled)
    expected = [reference(pixels[y0:y1, x0:x1], 0.12, most_sampled) for x0, y0, x1, y1 in blocks]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("period", [16, 8])
def test_a_sparse_sample_that_misleads_does_no_harm(period: int):
    # Every 16th pixel is the brightest: the sample's bound leaves too few pixels.
    flat = np.tile(np.arange(period), 4000 // period)
    pixels = np.where(flat == 0, 250, 100 + flat).astype(np.uint8).reshape(40, 100, 1).repeat(3, axis=2)
    found = brightest_medians(pixels, whole(pixels), DENSITY, 0.12, 10**6)
    np.testing.assert_array_equal(found[0], reference(pixels, 0.12, 10**6))


def test_sums_that_differ_by_rounding_alone_are_ranked_as_numpy_ranks_them():
    random = np.random.default_rng(5)
    colours = np.array([[201, 190, 222], [222, 201, 190], [190, 222, 201], [222, 190, 201]], np.uint8)
    pixels = colours[random.integers(0, 4, (40, 50))]
    assert len(np.unique(DENSITY[colours].sum(axis=1))) > 1
    found = brightest_medians(pixels, whole(pixels), DENSITY, 0.3, 10**6)
    np.testing.assert_array_equal(found[0], reference(pixels, 0.3, 10**6))


def test_any_layout_is_read_and_no_block_is_no_row():
    pixels = smear(30, 40, 5, 1)
    turned = np.asfortranarray(pixels)
    turned.flags.writeable = False
    np.testing.assert_array_equal(
        brightest_medians(turned, whole(pixels), DENSITY, 0.12, 2500),
        brightest_medians(pixels, whole(pixels), DENSITY, 0.12, 2500),
    )
    assert brightest_medians(pixels, np.empty((0, 4), np.int64), DENSITY, 0.12, 2500).shape == (0, 3)


def reweighted(design: np.ndarray, values: np.ndarray, rounds: int) -> tuple[np.ndarray, float]:
    total, weight, scatter = values.sum(axis=1), np.ones(len(values)), 0.0
    for _ in range(rounds):
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(design * root[:, None], total * root, rcond=None)[0]
        misfit = total - design @ coefficients
        middle = np.median(misfit)
        bright = middle - misfit[misfit < middle]
        scatter = float(np.median(bright)) if len(bright) else 0.0
        weight = np.where(misfit < 0, 1.0, np.exp(-((misfit / (scatter + 0.01)) ** 2))) + 1e-4
    root = np.sqrt(weight)[:, None]
    return np.linalg.lstsq(design * root, values * root, rcond=None)[0], scatter


def quadratic(places: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    u, v = np.random.default_rng(seed).uniform(-1, 1, (2, places))
    return u, np.stack([np.ones(places), u, v, u * u, u * v, v * v], axis=1)


@pytest.mark.parametrize("places", [18, 19, 60, 143, 144])
@pytest.mark.parametrize("rounds", [1, 2, 15])
def test_the_surface_is_that_of_reweighted_least_squares(places: int, rounds: int):
    random = np.random.default_rng(places)
    _, design = quadratic(places, 1)
    values = design @ random.normal(0, 0.1, (6, 3)) + random.normal(0, 0.01, (places, 1))
    values[random.random(places) < 0.3] += random.exponential(0.3)
    coefficients, scatter = fit_bright_side(design, values, rounds)
    expected, expected_scatter = reweighted(design, values, rounds)
    np.testing.assert_allclose(coefficients, expected, rtol=0, atol=1e-11)
    assert scatter == pytest.approx(expected_scatter, abs=1e-12)


def test_places_on_a_line_give_the_coefficients_of_least_norm():
    u, design = quadratic(40, 2)
    for v in (0.0, 0.5):
        line = np.stack([np.ones(40), u, np.full(40, v), u * u, u * v, np.full(40, v * v)], axis=1)
        values = design[:, :3] + np.random.default_rng(3).normal(0, 0.02, (40, 3))
        coefficients, _ = fit_bright_side(line, values, 15)
        np.testing.assert_allclose(coefficients, reweighted(line, values, 15)[0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("places", [1, 2, 5])
def test_a_constant_follows_a_few_places(places: int):
    values = np.random.default_rng(places).uniform(0.1, 0.2, (places, 3))
    design = np.ones((places, 1))
    coefficients, scatter = fit_bright_side(design, values, 15)
    expected, expected_scatter = reweighted(design, values, 15)
    np.testing.assert_allclose(coefficients, expected, atol=1e-12)
    assert scatter == pytest.approx(expected_scatter, abs=1e-12)
