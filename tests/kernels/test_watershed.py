from __future__ import annotations

import heapq
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.segmentation import watershed

from hemato_lab.kernels.watershed import flood

LAW = settings(deadline=None, max_examples=100)
NEIGHBOURS = [(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)]
Landscape = tuple[np.ndarray, np.ndarray, np.ndarray]


def expected(levels: np.ndarray, seeds: np.ndarray, mask: np.ndarray, connectivity: int) -> np.ndarray:
    """Priority flooding with a heap of (level, order of reaching)."""
    labels = np.where(mask & (seeds > 0), seeds, 0)
    heap = [(int(levels[y, x]), order, y, x) for order, (y, x) in enumerate(np.argwhere(labels > 0).tolist())]
    reached = len(heap)
    heapq.heapify(heap)
    while heap:
        level, _, y, x = heapq.heappop(heap)
        for dy, dx in NEIGHBOURS[:connectivity]:
            near = (y + dy, x + dx)
            if 0 <= near[0] < levels.shape[0] and 0 <= near[1] < levels.shape[1] and mask[near] and labels[near] == 0:
                labels[near] = labels[y, x]
                heapq.heappush(heap, (max(level, int(levels[near])), reached, *near))
                reached += 1
    return labels


@st.composite
def landscapes(draw: st.DrawFn, dtype: Any, highest: int) -> Landscape:
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = random.integers(0, highest, (height, width), endpoint=True).astype(dtype)
    seeds = np.where(random.random((height, width)) < 0.04, random.integers(1, 9, (height, width)), 0)
    return levels, seeds.astype(np.int32), random.random((height, width)) < draw(st.sampled_from([0.6, 0.9, 1.0]))


@LAW
@given(
    landscape=st.one_of(landscapes(np.uint8, 3), landscapes(np.uint8, 255), landscapes(np.uint16, 65535)),
    connectivity=st.sampled_from([4, 8]),
)
def test_floods_in_the_defined_order_with_ties_and_without(landscape: Landscape, connectivity: Literal[4, 8]) -> None:
    labels = flood(*landscape, connectivity)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, expected(*landscape, connectivity))


@LAW
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.5, 1), connectivity=st.sampled_from([4, 8]))
def test_without_ties_equals_scikit_image(seed: int, share: float, connectivity: Literal[4, 8]) -> None:
    random = np.random.default_rng(seed)
    levels = random.permutation(40 * 30).reshape(40, 30).astype(np.uint16)
    seeds = np.zeros((40, 30), np.int32)
    seeds.flat[random.choice(1200, 12, replace=False)] = np.arange(1, 13)
    mask = random.random((40, 30)) < share
    np.testing.assert_array_equal(
        flood(levels, seeds, mask, connectivity),
        watershed(levels, seeds, mask=mask, connectivity=1 if connectivity == 4 else 2),
    )


@LAW
@given(landscape=landscapes(np.uint8, 6), connectivity=st.sampled_from([4, 8]))
def test_with_ties_anywhere_but_between_seeds_equals_scikit_image(
    landscape: Landscape, connectivity: Literal[4, 8]
) -> None:
    levels, seeds, mask = landscape
    _, one_a_level = np.unique(np.where((seeds > 0) & mask, levels, 255).ravel(), return_index=True)
    seeds = np.where(np.isin(np.arange(seeds.size), one_a_level).reshape(seeds.shape), seeds, 0).astype(np.int32)
    np.testing.assert_array_equal(
        flood(levels, seeds, mask, connectivity),
        watershed(levels, seeds, mask=mask, connectivity=1 if connectivity == 4 else 2),
    )


def test_splits_touching_discs_where_they_touch() -> None:
    y, x = np.mgrid[:60, :90]
    mask = ((x - 30) ** 2 + (y - 30) ** 2 < 18**2) | ((x - 60) ** 2 + (y - 30) ** 2 < 18**2)
    depth = ndimage.distance_transform_edt(mask)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[30, 30], seeds[30, 60] = 1, 2
    labels = flood((255 - np.rint(4 * depth)).astype(np.uint8), seeds, mask)
    np.testing.assert_array_equal(labels > 0, mask)
    assert set(np.unique(labels[:, :44])) == {0, 1}
    assert set(np.unique(labels[:, 47:])) == {0, 2}


def test_components_do_not_influence_each_other() -> None:
    random = np.random.default_rng(4)
    levels = random.integers(0, 4, (30, 61)).astype(np.uint8)
    seeds = np.where(random.random((30, 61)) < 0.02, random.integers(1, 99, (30, 61)), 0).astype(np.int32)
    mask = np.ones((30, 61), bool)
    mask[:, 30] = False
    whole = flood(levels, seeds, mask)
    for half in (np.s_[:, :30], np.s_[:, 31:]):
        np.testing.assert_array_equal(whole[half], flood(levels[half], seeds[half], mask[half]))


def test_seeds_outside_of_the_mask_and_negative_ones_are_ignored() -> None:
    seeds = np.array([[3, 0, -5, 0]], np.int32)
    mask = np.array([[0, 1, 1, 1]], np.uint8)
    assert not flood(np.zeros((1, 4), np.uint8), seeds, mask).any()


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_degenerate_images(shape: tuple[int, int]) -> None:
    labels = flood(np.zeros(shape, np.uint8), np.full(shape, 7, np.int32), np.ones(shape, bool))
    np.testing.assert_array_equal(labels, np.full(shape, 7))


def test_any_memory_layout() -> None:
    random = np.random.default_rng(6)
    levels = random.integers(0, 9, (40, 50)).astype(np.uint16)
    seeds = np.where(random.random((40, 50)) < 0.02, 5, 0)
    mask = random.random((40, 50)) < 0.9
    view = np.s_[::-2, ::3]
    np.testing.assert_array_equal(
        flood(levels[view], seeds[view], mask[view]), expected(levels[view], seeds[view], mask[view], 8)
    )


def test_other_levels_and_shapes_are_refused() -> None:
    seeds, mask = np.zeros((3, 3), np.int32), np.ones((3, 3), bool)
    with pytest.raises(ValueError, match="quantise"):
        flood(np.zeros((3, 3), np.float32), seeds, mask)
    with pytest.raises(ValueError, match="differ in shape"):
        flood(np.zeros((3, 4), np.uint8), seeds, mask)
