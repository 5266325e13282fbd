from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hemato_lab.evaluation.matching import (
    UNMATCHED,
    center_agreement,
    intersection_over_union,
    match_greedily,
)

BOX = [0.0, 0.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (BOX, 1.0),
        ([0.0, 0.0, 10.0, 5.0], 0.5),
        ([5.0, 5.0, 15.0, 15.0], 25.0 / 175.0),
        ([10.0, 0.0, 20.0, 10.0], 0.0),
        ([3.0, 3.0, 3.0, 9.0], 0.0),
        ([4.0, 4.0, 4.0, 4.0], 0.0),
    ],
)
def test_overlap_of_hand_drawn_boxes(other: list[float], expected: float) -> None:
    assert intersection_over_union(np.array([BOX]), np.array([other]))[0, 0] == pytest.approx(expected)


def test_overlap_equals_counting_pixels() -> None:
    generator = np.random.default_rng(1)
    low = generator.integers(0, 20, (2, 12, 2))
    boxes = np.concatenate([low, low + generator.integers(1, 20, (2, 12, 2))], axis=2)
    y, x = np.mgrid[:40, :40]
    masks = [[(x >= b[0]) & (x < b[2]) & (y >= b[1]) & (y < b[3]) for b in one] for one in boxes]
    expected = [[(m & n).sum() / (m | n).sum() for n in masks[1]] for m in masks[0]]
    found = intersection_over_union(boxes[0].astype(np.float64), boxes[1].astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_center_agreement_is_one_half_at_the_truths_radius() -> None:
    agreement = center_agreement(
        np.array([[3.0, 4.0], [0.0, 0.0], [30.0, 40.0]]), np.array([[0.0, 0.0]]), np.array([10.0])
    )
    assert agreement[:, 0].tolist() == [0.5, 1.0, -4.0]


def test_the_better_scored_detection_takes_the_truth() -> None:
    agreement = np.array([[0.6], [0.9]])
    assert match_greedily(agreement, np.array([False])).tolist() == [0, UNMATCHED]


def test_a_detection_takes_the_next_truth_when_its_best_is_taken() -> None:
    agreement = np.array([[0.9, 0.6], [0.8, 0.7], [0.9, 0.9]])
    assert match_greedily(agreement, np.array([False, False])).tolist() == [0, 1, UNMATCHED]


def test_one_half_is_enough_and_less_is_not() -> None:
    agreement = np.array([[0.5, 0.0], [0.0, np.nextafter(0.5, 0.0)]])
    assert match_greedily(agreement, np.array([False, False])).tolist() == [0, UNMATCHED]


def test_an_ignored_truth_comes_last_and_is_never_used_up() -> None:
    agreement = np.array([[0.6, 0.9], [0.6, 0.9], [0.0, 0.5]])
    assert match_greedily(agreement, np.array([False, True])).tolist() == [0, 1, 1]


def test_nothing_matches_nothing() -> None:
    assert match_greedily(np.zeros((0, 3)), np.zeros(3, dtype=bool)).tolist() == []
    assert match_greedily(np.zeros((2, 0)), np.zeros(0, dtype=bool)).tolist() == [UNMATCHED, UNMATCHED]


@given(arrays(np.float64, (6, 4), elements=st.floats(0, 1)), arrays(np.bool_, 4), st.integers(0, 6))
def test_matches_of_the_best_scored_do_not_depend_on_the_rest(
    agreement: np.ndarray, ignored: np.ndarray, kept: int
) -> None:
    whole = match_greedily(agreement, ignored)
    assert match_greedily(agreement[:kept], ignored).tolist() == whole[:kept].tolist()
    taken = [truth for truth in whole if truth != UNMATCHED and not ignored[truth]]
    assert len(taken) == len(set(taken))
    for detection, truth in enumerate(whole):
        if truth != UNMATCHED:
            assert agreement[detection, truth] >= 0.5
