from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from hemato_lab.kernels.distance import UNREACHED, squared_distance

LAW = settings(deadline=None, max_examples=100)
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30)


def expected(mask: np.ndarray) -> np.ndarray:
    if mask.all():
        return np.full(mask.shape, UNREACHED, np.int32)
    indices = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    return ((indices - np.indices(mask.shape)) ** 2).sum(axis=0)


@LAW
@given(mask=arrays(bool, SHAPES))
def test_equals_scipy(mask: np.ndarray) -> None:
    squared = squared_distance(mask)
    assert squared.dtype == np.int32
    np.testing.assert_array_equal(squared, expected(mask))


@pytest.mark.parametrize("shape", [(300, 411), (64, 640), (640, 64), (1, 2000), (2000, 1)])
@pytest.mark.parametrize("background", [1, 3, 40, 4000])
def test_equals_scipy_far_from_the_background_and_near(shape: tuple[int, int], background: int) -> None:
    random = np.random.default_rng(background)
    mask = np.ones(shape, bool)
    mask[random.integers(0, shape[0], background), random.integers(0, shape[1], background)] = False
    np.testing.assert_array_equal(squared_distance(mask), expected(mask))


@pytest.mark.parametrize("radius", [60, 71, 72, 73, 74, 90, 179, 180, 181, 182, 300])
def test_a_disc_of_any_size_around_the_reach_of_the_search(radius: int) -> None:
    y, x = np.mgrid[-radius - 1 : radius + 2, -radius - 1 : radius + 2]
    mask = x**2 + y**2 < radius**2
    squared = squared_distance(mask)
    np.testing.assert_array_equal(squared, expected(mask))
    assert squared.max() == radius**2


def test_outside_of_the_image_is_no_background() -> None:
    mask = np.ones((9, 9), bool)
    mask[0, 4] = False
    assert squared_distance(mask)[8, 4] == 64


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 5), (70, 200)])
def test_without_background_nothing_is_reached(shape: tuple[int, int]) -> None:
    np.testing.assert_array_equal(squared_distance(np.ones(shape, bool)), UNREACHED)


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_an_empty_image(shape: tuple[int, int]) -> None:
    assert squared_distance(np.ones(shape, bool)).shape == shape


def test_any_memory_layout_and_integer() -> None:
    mask = np.random.default_rng(5).random((60, 70)) < 0.97
    np.testing.assert_array_equal(squared_distance(np.asfortranarray(mask)), expected(mask))
    np.testing.assert_array_equal(squared_distance(mask[::-2, ::3]), expected(mask[::-2, ::3]))
    np.testing.assert_array_equal(squared_distance(mask * np.int16(-256)), expected(mask))


def test_a_side_whose_squares_do_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="use tiles"):
        squared_distance(np.ones((1, 40_000), bool))
