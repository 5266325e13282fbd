from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from hemato_lab.kernels.peaks import find_peaks

LAW = settings(deadline=None, max_examples=120)
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=25)
RADII = st.one_of(st.sampled_from([0.0, 1.0, 1.5, 2.0, 5.0, 100.0]), st.floats(0, 9))
Neighbourhood = Literal["disc", "square"]


def expected(values: np.ndarray, radius: float, threshold: float, shape: Neighbourhood) -> np.ndarray:
    """Peaks as rows of (y, x): the pixels whose rank in the total order is the maximum filter of the ranks."""
    y, x = np.indices(values.shape)
    order = np.lexsort((x.ravel(), y.ravel(), -values.ravel().astype(np.float64)))
    ranks = np.empty(values.size, np.int64)
    ranks[order] = np.arange(values.size, 0, -1)
    ranks = ranks.reshape(values.shape)
    reach = min(int(radius), max(values.shape))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    footprint = dx**2 + dy**2 <= radius**2 if shape == "disc" else np.ones_like(dx, bool)
    highest = ndimage.maximum_filter(ranks, footprint=footprint, mode="constant", cval=0)
    return np.argwhere((highest == ranks) & (values.astype(np.float64) >= threshold))


@LAW
@given(
    values=st.one_of(
        arrays(np.int32, SHAPES, elements=st.integers(-3, 3)),
        arrays(np.int32, SHAPES, elements=st.integers(-(2**31), 2**31 - 1)),
        arrays(np.float32, SHAPES, elements=st.floats(-4, 4, width=32)),
    ),
    radius=RADII,
    threshold=st.floats(-3, 3),
    shape=st.sampled_from(["disc", "square"]),
)
def test_equals_the_maximum_filter_of_ranks(
    values: np.ndarray, radius: float, threshold: float, shape: Neighbourhood
) -> None:
    peaks = find_peaks(values, radius, threshold, shape)
    np.testing.assert_array_equal(np.stack([peaks.y, peaks.x], axis=1), expected(values, radius, threshold, shape))
    np.testing.assert_array_equal(peaks.value, values[peaks.y, peaks.x])
    assert peaks.value.dtype == values.dtype


@pytest.mark.parametrize("shape", ["disc", "square"])
@pytest.mark.parametrize("radius", [3, 7.5, 20])
def test_equals_the_maximum_filter_on_smooth_landscapes(radius: float, shape: Neighbourhood) -> None:
    noise = np.random.default_rng(7).normal(size=(150, 180))
    values = ndimage.gaussian_filter(noise, 3).astype(np.float32)
    peaks = find_peaks(values, radius, 0.0, shape)
    assert len(peaks.x) > 3
    np.testing.assert_array_equal(np.stack([peaks.y, peaks.x], axis=1), expected(values, radius, 0.0, shape))


def test_peaks_do_not_depend_on_where_a_tile_is_cut() -> None:
    values = np.random.default_rng(8).integers(0, 6, (80, 90)).astype(np.int32)
    radius = 4
    whole = find_peaks(values, radius, 0)
    for x0, y0 in ((1, 2), (3, 0), (10, 17)):
        part = find_peaks(values[y0:, x0:], radius, 0)
        inside = (part.x >= radius) & (part.y >= radius)
        expected_inside = (whole.x >= x0 + radius) & (whole.y >= y0 + radius)
        np.testing.assert_array_equal(part.x[inside] + x0, whole.x[expected_inside])
        np.testing.assert_array_equal(part.y[inside] + y0, whole.y[expected_inside])


def test_of_equal_pixels_the_upper_then_the_left_one_wins() -> None:
    values = np.zeros((5, 9), np.int32)
    values[1, 6] = values[1, 4] = values[2, 2] = 5
    peaks = find_peaks(values, 8, 1)
    assert (peaks.x.tolist(), peaks.y.tolist()) == ([4], [1])


def test_not_a_number_is_no_peak_and_beats_nothing() -> None:
    values = np.full((4, 4), np.nan, np.float32)
    values[2, 1] = 1
    peaks = find_peaks(values, 3, -10)
    assert (peaks.x.tolist(), peaks.y.tolist()) == ([1], [2])


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_an_empty_image_has_no_peaks(shape: tuple[int, int]) -> None:
    peaks = find_peaks(np.zeros(shape, np.float32), 2, 0)
    assert peaks.x.size == peaks.y.size == peaks.value.size == 0


def test_any_memory_layout() -> None:
    values = np.random.default_rng(9).random((40, 60)).astype(np.float32)
    for form in (np.asfortranarray(values), values[::2, ::-1]):
        peaks = find_peaks(form, 2.5, 0.1)
        np.testing.assert_array_equal(np.stack([peaks.y, peaks.x], axis=1), expected(form, 2.5, 0.1, "disc"))


@pytest.mark.parametrize(("radius", "threshold"), [(-1, 0), (np.nan, 0), (np.inf, 0), (1, np.nan), (1, -np.inf)])
def test_senseless_parameters_are_refused(radius: float, threshold: float) -> None:
    with pytest.raises(ValueError, match="are finite"):
        find_peaks(np.zeros((2, 2), np.int32), radius, threshold)


def test_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="int32 or float32"):
        find_peaks(np.zeros((2, 2)), 1, 0)
