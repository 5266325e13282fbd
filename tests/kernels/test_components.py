from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage import measure as reference

from hemato_lab.kernels.components import ComponentTable, label, label_and_measure, measure

LAW = settings(deadline=None, max_examples=80)
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)


def discs(height: int = 120, width: int = 150, count: int = 25, seed: int = 3) -> np.ndarray:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    mask = np.zeros((height, width), bool)
    for centre_x, centre_y, radius in random.uniform((0, 0, 1), (width, height, 12), (count, 3)):
        mask |= (x - centre_x) ** 2 + (y - centre_y) ** 2 <= radius**2
    return mask


def assert_same(one: ComponentTable, other: ComponentTable) -> None:
    for column in fields(one):
        np.testing.assert_array_equal(getattr(one, column.name), getattr(other, column.name), err_msg=column.name)


def assert_as_reference(table: ComponentTable, labels: np.ndarray, image: np.ndarray) -> None:
    for region in reference.regionprops(labels, image):
        row = region.label - 1
        y0, x0, y1, x1 = region.bbox
        assert (table.x_min[row], table.y_min[row], table.x_max[row], table.y_max[row]) == (x0, y0, x1, y1)
        assert table.area[row] == region.area
        np.testing.assert_allclose((table.y[row], table.x[row]), region.centroid, rtol=1e-12, atol=1e-12)
        central = region.moments_central / region.area
        np.testing.assert_allclose(
            table.central_moments[row], (central[0, 2], central[2, 0], central[1, 1]), rtol=1e-9, atol=1e-9
        )
        np.testing.assert_allclose(table.perimeter[row], reference.perimeter_crofton(region.image, 4), rtol=1e-12)
        np.testing.assert_allclose(table.colour_mean[row], region.intensity_mean, rtol=1e-6)


@LAW
@given(mask=arrays(bool, SHAPES))
def test_labels_are_those_of_scikit_image(mask: np.ndarray) -> None:
    labels, count = label(mask)
    expected, expected_count = reference.label(mask, connectivity=2, return_num=True)
    assert labels.dtype == np.int32
    assert count == expected_count
    np.testing.assert_array_equal(labels, expected)


@LAW
@given(mask=arrays(bool, SHAPES), seed=st.integers(0, 2**32 - 1))
def test_measurements_are_those_of_scikit_image(mask: np.ndarray, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
    labels, table = label_and_measure(mask, image)
    assert_as_reference(table, labels, image)


@LAW
@given(labels=arrays(np.int32, SHAPES, elements=st.integers(0, 4)), seed=st.integers(0, 2**32 - 1))
def test_regions_that_touch_or_are_in_pieces_are_measured_alike(labels: np.ndarray, seed: int) -> None:
    image = np.random.default_rng(seed).random((*labels.shape, 3), dtype=np.float32)
    assert_as_reference(measure(labels, 4, image), labels, image)


def test_measuring_the_labels_repeats_the_measurement_of_the_mask() -> None:
    mask = discs()
    image = np.random.default_rng(0).integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
    labels, table = label_and_measure(mask, image)
    assert_same(measure(labels, len(table), image), table)


def test_axes_of_a_disc_and_of_a_turned_rectangle() -> None:
    y, x = np.mgrid[-60:61, -60:61]
    _, disc = label_and_measure(x**2 + y**2 <= 40.2**2)
    major, minor, _ = disc.axes
    np.testing.assert_allclose((major[0], minor[0]), 80.4, rtol=2e-3)
    np.testing.assert_allclose(disc.perimeter[0], 2 * np.pi * 40.2, rtol=0.01)
    turn = np.radians(25)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    _, bar = label_and_measure((np.abs(along) <= 40) & (np.abs(across) <= 10))
    major, minor, orientation = bar.axes
    np.testing.assert_allclose((major[0], minor[0]), (80 * 2 / np.sqrt(3), 20 * 2 / np.sqrt(3)), rtol=0.01)
    np.testing.assert_allclose(orientation[0], turn, atol=0.003)


def test_one_pixel() -> None:
    mask = np.zeros((5, 7), bool)
    mask[4, 3] = True
    _, table = label_and_measure(mask, np.full((5, 7, 3), (1, 2, 3), np.uint8))
    assert (table.x[0], table.y[0], table.area[0]) == (3, 4, 1)
    major, minor, orientation = table.axes
    np.testing.assert_allclose((major[0], minor[0]), 4 / np.sqrt(12))
    assert orientation[0] == 0
    np.testing.assert_array_equal(table.colour_sum, [[1, 2, 3]])


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (4, 6)])
def test_no_foreground_gives_an_empty_table(shape: tuple[int, int]) -> None:
    labels, table = label_and_measure(np.zeros(shape, bool), np.zeros((*shape, 3), np.uint8))
    assert labels.shape == shape
    assert not labels.any()
    assert len(table) == 0
    assert table.colour_sum.shape == (0, 3)
    assert table.perimeter.shape == table.x.shape == table.axes[0].shape == (0,)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 15, 16, 17, 64])
def test_all_foreground_is_one_component(width: int) -> None:
    labels, table = label_and_measure(np.ones((3, width), bool))
    np.testing.assert_array_equal(labels, 1)
    assert table.area.tolist() == [3 * width]
    assert table.colour_sum.shape == (1, 0)


def test_any_number_but_zero_is_foreground_in_any_memory_layout() -> None:
    mask = discs()
    expected, _ = label(mask)
    for form in (mask.astype(np.uint8) * 255, mask.astype(np.int64) * -7, np.asfortranarray(mask)):
        np.testing.assert_array_equal(label(form)[0], expected)
    np.testing.assert_array_equal(label(mask[::2, ::-3])[0], label(mask[::2, ::-3].copy())[0])
    frozen = mask.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(label(frozen)[0], expected)


def test_a_component_measures_the_same_in_every_window() -> None:
    mask = np.zeros((90, 130), bool)
    mask[40:60, 60:80] = discs(20, 20, 4)
    image = np.random.default_rng(1).random((90, 130, 3), dtype=np.float32)
    _, whole = label_and_measure(mask, image)
    for x0, y0 in ((0, 0), (13, 7), (55, 40)):
        window = np.s_[y0:, x0:]
        _, part = label_and_measure(mask[window], image[window], origin=(x0, y0))
        assert_same(part, whole)
        for name in ("x", "y", "perimeter", "central_moments"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))


def test_moments_stay_exact_at_the_far_corner_of_a_large_slide() -> None:
    mask = np.zeros((3, 40_000), bool)
    mask[:, -5:] = True
    _, table = label_and_measure(mask, origin=(0, 39_997))
    _, near = label_and_measure(mask[:, -5:])
    for name in ("sum_x", "sum_y", "sum_xx", "sum_xy", "sum_yy"):
        assert getattr(table, name).tolist() == getattr(near, name).tolist()
    assert (table.x[0], table.y[0]) == (39_997.0, 39_998.0)


def test_labels_beyond_the_count_are_background_and_missing_ones_are_not_measured() -> None:
    labels = np.array([[1, 0, 3, 9, -2]], np.int32)
    table = measure(labels, 3)
    assert table.area.tolist() == [1, 0, 1]
    assert np.isnan(table.x[1])
    assert table.perimeter[1] == 0


def test_one_and_five_channels() -> None:
    mask = discs()
    image = np.random.default_rng(2).integers(0, 256, (*mask.shape, 5), dtype=np.uint8)
    labels, table = label_and_measure(mask, image)
    for channel in range(5):
        expected = np.bincount(labels.ravel(), image[..., channel].ravel())[1:]
        np.testing.assert_array_equal(table.colour_sum[:, channel], expected)
        np.testing.assert_array_equal(measure(labels, len(table), image[..., [channel]]).colour_sum[:, 0], expected)


@pytest.mark.parametrize("image", [np.zeros((4, 5, 3)), np.zeros((4, 5), np.uint8), np.zeros((5, 4, 3), np.uint8)])
def test_an_image_that_does_not_fit_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="an image for a mask of shape"):
        label_and_measure(np.ones((4, 5), bool), image)
