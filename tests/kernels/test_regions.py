from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.spatial import ConvexHull
from skimage.draw import ellipse, polygon
from skimage.measure import regionprops

from hemato_lab.kernels.regions import contact_shares, hull_areas

LAW = settings(deadline=None, max_examples=120)
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)
MAPS = arrays(np.int32, SHAPES, elements=st.integers(0, 4))


def boxes_of(labels: np.ndarray, count: int) -> np.ndarray:
    boxes = np.zeros((count, 4), np.int64)
    for region in regionprops(labels):
        y0, x0, y1, x1 = region.bbox
        boxes[region.label - 1] = x0, y0, x1, y1
    return boxes


def hull_of_squares(labels: np.ndarray, label: int) -> float:
    rows, columns = np.nonzero(labels == label)
    if len(rows) == 0:
        return 0.0
    corners = np.concatenate([np.stack([columns + dx, rows + dy], axis=1) for dx in (0, 1) for dy in (0, 1)])
    return float(ConvexHull(corners).volume)


@LAW
@given(MAPS)
def test_hulls_equal_qhull_of_the_pixels_corners(labels: np.ndarray) -> None:
    expected = [hull_of_squares(labels, label) for label in range(1, 5)]
    np.testing.assert_allclose(hull_areas(labels, boxes_of(labels, 4)), expected, rtol=1e-12)


def test_hulls_of_drawn_shapes_equal_qhull() -> None:
    labels = np.zeros((200, 260), np.int32)
    labels[ellipse(50, 60, 20, 45, rotation=0.6)] = 1
    labels[polygon([110, 180, 140, 190, 120], [20, 40, 60, 90, 55])] = 2
    labels[ellipse(120, 190, 50, 50)] = 3
    labels[ellipse(110, 200, 30, 30)] = 0
    labels[30, 180] = 4
    areas = hull_areas(labels, boxes_of(labels, 4))
    np.testing.assert_allclose(areas, [hull_of_squares(labels, label) for label in range(1, 5)], rtol=1e-12)
    assert areas[3] == 1
    assert areas[2] > np.count_nonzero(labels == 3)


def test_rectangles_are_convex_and_two_far_pixels_span_a_band() -> None:
    labels = np.zeros((10, 12), np.int32)
    labels[2:7, 3:11] = 1
    labels[9, 0] = labels[0, 0] = 2
    labels[0, 11] = labels[9, 1] = 3
    boxes = np.array([[3, 2, 11, 7], [0, 0, 1, 10], [1, 0, 12, 10], [0, 0, 0, 0]])
    # The last hull: two unit squares 10 columns and 9 rows apart, 1 + 10 + 9 by the formula for a swept square.
    np.testing.assert_allclose(hull_areas(labels, boxes), [40, 10, 20, 0])


def test_wider_boxes_and_other_layouts_change_nothing() -> None:
    labels = np.zeros((40, 50), np.int32)
    labels[ellipse(20, 25, 9, 15, rotation=0.4)] = 1
    tight = boxes_of(labels, 1)
    whole = np.array([[0, 0, 50, 40]])
    expected = hull_areas(labels, tight)
    np.testing.assert_array_equal(hull_areas(labels, whole), expected)
    np.testing.assert_array_equal(hull_areas(np.asfortranarray(labels), np.asfortranarray(whole)), expected)
    assert hull_areas(labels, np.empty((0, 4), np.int64)).shape == (0,)


def shares(labels: np.ndarray, count: int) -> np.ndarray:
    padded = np.pad(labels, 1)
    outline, touching = np.zeros(count), np.zeros(count)
    for axis in (0, 1):
        for step in (1, -1):
            other = np.roll(padded, step, axis)[1:-1, 1:-1]
            differs = (labels > 0) & (other != labels)
            outline += np.bincount(labels[differs], minlength=count + 1)[1:]
            touching += np.bincount(labels[differs & (other > 0)], minlength=count + 1)[1:]
    return np.divide(touching, outline, out=np.zeros(count), where=outline > 0)


@LAW
@given(MAPS)
def test_contact_equals_counting_pixel_sides(labels: np.ndarray) -> None:
    np.testing.assert_allclose(contact_shares(labels, 4), shares(labels, 4), rtol=1e-12)


def test_contact_by_hand() -> None:
    labels = np.zeros((4, 8), np.int32)
    labels[1:3, 1:3] = 1
    labels[1:3, 3:5] = 2
    labels[0, 3] = 3
    labels[3, 7] = 4
    # 1: 8 sides, 2 with 2. 2: 8 sides, 2 with 1 and 1 with 3. 3: 4 sides, one on the border, 1 with 2. 4: a corner.
    np.testing.assert_allclose(contact_shares(labels, 5), [2 / 8, 3 / 8, 1 / 4, 0, 0])


@pytest.mark.parametrize("shape", [(0, 0), (3, 0)])
def test_no_pixels_no_contact(shape: tuple[int, int]) -> None:
    assert contact_shares(np.zeros(shape, np.int32), 2).tolist() == [0, 0]
    assert contact_shares(np.zeros(shape, np.int32), 0).shape == (0,)


def test_halves_of_a_disc_touch_along_its_diameter() -> None:
    rows, columns = np.indices((121, 121))
    disc = np.hypot(columns - 60, rows - 60) <= 50
    labels = np.where(disc, np.where(columns < 60, 1, 2), 0).astype(np.int32)
    # In pixel sides a disc's outline measures 8 r: half of it is 4 r, the cut 2 r.
    np.testing.assert_allclose(contact_shares(labels, 2), [1 / 3, 1 / 3], atol=0.01)
