from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hemato_lab.evaluation.calibration import BINS, expected_calibration_error


def plain(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Guo et al. 2017, equation 3, bin by bin."""
    edges = np.linspace(0, 1, BINS + 1)
    total = 0.0
    for low, high in pairwise(edges):
        member = (confidence > low) & (confidence <= high)
        if member.any():
            total += member.mean() * abs(correct[member].mean() - confidence[member].mean())
    return total


def test_worked_by_hand() -> None:
    confidence, correct = np.array([0.95, 0.97, 0.55]), np.array([True, False, True])
    # the bin above 14/15 holds .95 and .97, of which one half is right; .55 is alone and right
    expected = 2 / 3 * abs(0.5 - 0.96) + 1 / 3 * abs(1.0 - 0.55)
    assert expected_calibration_error(confidence, correct, np.ones((1, 3)))[0] == pytest.approx(expected)


def test_equals_the_definition_for_any_weights() -> None:
    generator = np.random.default_rng(4)
    confidence, correct = generator.uniform(0.01, 1.0, 500), generator.random(500) < 0.7
    weight = generator.integers(0, 3, (4, 500))
    found = expected_calibration_error(confidence, correct, weight.astype(np.float64))
    expected = [plain(np.repeat(confidence, w), np.repeat(correct, w)) for w in weight]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_extreme_confidences_have_a_bin() -> None:
    found = expected_calibration_error(np.array([0.0, 1.0]), np.array([False, True]), np.ones((1, 2)))
    assert found[0] == 0.0


def test_no_crop_is_undefined() -> None:
    assert np.isnan(expected_calibration_error(np.ones(1), np.ones(1, dtype=bool), np.zeros((1, 1)))[0])
