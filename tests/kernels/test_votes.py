from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from hemato_lab.kernels.votes import FULL_VOTE, cast_votes

LAW = settings(deadline=None, max_examples=100)
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)


def brute_force(across: np.ndarray, down: np.ndarray, radii: np.ndarray, weakest: float, full: float) -> np.ndarray:
    votes = np.zeros(across.shape, np.int64)
    for y, x in np.ndindex(across.shape):
        gradient = np.array([across[y, x], down[y, x]], np.float64)
        length = float(np.sqrt(gradient @ gradient))
        if length < weakest or length == 0:
            continue
        for radius in radii:
            column, row = np.floor(np.array([x, y]) + radius * (gradient / length) + 0.5).astype(int)
            if 0 <= column < across.shape[1] and 0 <= row < across.shape[0]:
                votes[row, column] += int(FULL_VOTE * min(length / full, 1.0))
    return votes


@LAW
@given(st.data(), SHAPES, st.lists(st.floats(0, 8), max_size=4), st.floats(0, 2), st.floats(0.1, 4))
def test_equals_brute_force(
    data: st.DataObject, shape: tuple[int, int], distances: list[float], weakest: float, full: float
) -> None:
    gradients = st.one_of(st.just(0.0), st.floats(-3, 3, width=32))
    across = data.draw(arrays(np.float32, shape, elements=gradients))
    down = data.draw(arrays(np.float32, shape, elements=gradients))
    radii = np.array(distances)
    votes = cast_votes(across, down, radii, weakest, full)
    assert votes.dtype == np.int32
    np.testing.assert_array_equal(votes, brute_force(across, down, radii, weakest, full))


def blurred_disc(shape: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1)


def gradient_of(image: np.ndarray, sigma: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    across = ndimage.gaussian_filter(image, sigma, order=(0, 1)).astype(np.float32)
    down = ndimage.gaussian_filter(image, sigma, order=(1, 0)).astype(np.float32)
    return across, down


@pytest.mark.parametrize(("x", "y", "radius"), [(40, 30, 20), (33, 41, 12), (50, 36, 26)])
def test_the_votes_of_a_disc_peak_at_its_centre_and_radius(x: int, y: int, radius: int) -> None:
    across, down = gradient_of(blurred_disc((75, 90), x, y, radius))
    tallest = {}
    for tried in range(6, 32):
        votes = ndimage.uniform_filter(
            cast_votes(across, down, np.array([float(tried)]), 0.05, 0.2).astype(float), 3, mode="constant"
        )
        tallest[tried] = votes.max(), np.unravel_index(votes.argmax(), votes.shape)
    best = max(tallest, key=lambda tried: tallest[tried][0])
    assert abs(best - radius) <= 1
    assert np.hypot(*(np.array(tallest[best][1]) - (y, x))) <= 1.5


def test_votes_add_up_over_radii_and_do_not_depend_on_the_layout() -> None:
    random = np.random.default_rng(2)
    across, down = random.normal(size=(2, 30, 40)).astype(np.float32)
    radii = np.array([2.0, 5.5, 9.0])
    together = cast_votes(across, down, radii, 0.3, 1.0)
    np.testing.assert_array_equal(together, sum(cast_votes(across, down, radii[i : i + 1], 0.3, 1.0) for i in range(3)))
    np.testing.assert_array_equal(
        together, cast_votes(np.asfortranarray(across), np.asfortranarray(down), radii[::-1], 0.3, 1.0)
    )


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_an_empty_image_has_no_votes(shape: tuple[int, int]) -> None:
    nothing = np.zeros(shape, np.float32)
    assert cast_votes(nothing, nothing, np.ones(2), 0.1, 1.0).shape == shape
