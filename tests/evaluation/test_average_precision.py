from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.evaluation.average_precision import average_precision


def devkit(is_true: np.ndarray, truth: int) -> float:
    """VOCap of the VOC devkit: sentinels, running maximum from the right, sum over changes of recall."""
    true_positive = np.cumsum(is_true)
    recall = np.concatenate([[0.0], true_positive / truth, [1.0]])
    precision = np.concatenate([[0.0], true_positive / np.arange(1, len(is_true) + 1), [0.0]])
    for index in range(len(precision) - 2, -1, -1):
        precision[index] = max(precision[index], precision[index + 1])
    steps = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return float(np.sum((recall[steps] - recall[steps - 1]) * precision[steps]))


def single(is_true: list[bool], truth: int) -> float:
    verdict = np.array(is_true, dtype=bool)
    return float(average_precision(verdict, np.ones((1, len(verdict))), np.array([float(truth)]))[0])


@pytest.mark.parametrize(
    ("is_true", "truth", "expected"),
    [
        ([True, True], 2, 1.0),
        ([True, False, True], 3, 1 / 3 + 1 / 3 * 2 / 3),
        ([False, True], 1, 0.5),
        # precision 1, 1/2, 1/3, 1/2, 3/5: the last step lifts the one before it
        ([True, False, False, True, True], 4, 1 / 4 * 1 + 1 / 4 * 3 / 5 + 1 / 4 * 3 / 5),
        ([False, False], 3, 0.0),
        ([], 3, 0.0),
    ],
)
def test_worked_by_hand(is_true: list[bool], truth: int, expected: float) -> None:
    assert single(is_true, truth) == pytest.approx(expected)


def test_no_truth_is_undefined() -> None:
    assert np.isnan(single([False], 0))


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 10))
def test_equals_the_devkit(is_true: list[bool], missed: int) -> None:
    truth = sum(is_true) + missed
    if truth:
        assert single(is_true, truth) == pytest.approx(devkit(np.array(is_true, dtype=bool), truth), abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=25), st.integers(1, 10))
def test_a_weight_is_the_same_as_repeating_the_detection(rows: list[tuple[bool, int]], missed: int) -> None:
    verdict = np.array([row[0] for row in rows])
    weight = np.array([row[1] for row in rows])
    repeated = np.repeat(verdict, weight)
    truth = int(repeated.sum()) + missed
    weighted = average_precision(verdict, weight[None].astype(np.float64), np.array([float(truth)]))[0]
    assert weighted == pytest.approx(devkit(repeated, truth), abs=1e-12)
