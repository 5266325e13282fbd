from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hemato_lab.kernels.components import label_and_measure
from hemato_lab.kernels.surroundings import measure_surroundings


def blobs(seed: int, shape: tuple[int, int], share: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    return ndimage.gaussian_filter(random.random(shape), 1.5) > np.quantile(random.random(1000), share)


def by_hand(plane: np.ndarray, labels: np.ndarray, number: int, gap: int, reach: int) -> np.ndarray:
    """Values of the frame around one region, by masks."""
    rows, columns = np.nonzero(labels == number)

    def box(margin: int) -> np.ndarray:
        mask = np.zeros(labels.shape, bool)
        top, left = max(rows.min() - margin, 0), max(columns.min() - margin, 0)
        mask[top : rows.max() + margin + 1, left : columns.max() + margin + 1] = True
        return mask

    return plane[box(reach) & ~box(gap) & (labels == 0)].astype(np.float64)


@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    share=st.floats(0.3, 0.7),
    gap=st.integers(0, 3),
    width=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_frames_equal_masks(seed: int, shape: tuple[int, int], share: float, gap: int, width: int) -> None:
    labels, table = label_and_measure(blobs(seed, shape, share))
    plane = np.random.default_rng(seed + 1).normal(size=shape).astype(np.float32)
    area, mean, deviation = measure_surroundings(plane, labels, table, gap, gap + width)
    for index in range(len(table)):
        values = by_hand(plane, labels, index + 1, gap, gap + width)
        assert area[index] == values.size
        np.testing.assert_allclose(mean[index], values.mean() if values.size else 0, atol=1e-6)
        np.testing.assert_allclose(deviation[index], values.std() if values.size else 0, atol=1e-6)


def test_a_region_measures_the_same_wherever_the_window_begins() -> None:
    mask = np.zeros((60, 70), bool)
    mask[25:31, 30:39] = True
    plane = np.random.default_rng(3).normal(size=mask.shape).astype(np.float32)
    whole = measure_surroundings(plane, *label_and_measure(mask), 2, 5)
    window = np.s_[15:45, 22:60]
    part = measure_surroundings(plane[window], *label_and_measure(mask[window]), 2, 5)
    for one, other in zip(whole, part, strict=True):
        assert one.tobytes() == other.tobytes()


def test_no_region_has_no_surroundings() -> None:
    labels, table = label_and_measure(np.zeros((5, 6), bool))
    assert [len(column) for column in measure_surroundings(np.zeros((5, 6), np.float32), labels, table, 2, 5)] == [
        0
    ] * 3


def test_impossible_frames_are_refused() -> None:
    labels, table = label_and_measure(np.eye(4, dtype=bool))
    plane = np.zeros((4, 4), np.float32)
    with pytest.raises(ValueError, match="from 2 to 2"):
        measure_surroundings(plane, labels, table, 2, 2)
    with pytest.raises(ValueError, match="differ in shape"):
        measure_surroundings(plane[:3], labels, table, 1, 2)
