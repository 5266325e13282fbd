from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.evaluation.ranking import area_under_curve


def pairwise(score: np.ndarray, positive: np.ndarray) -> float:
    """Every positive against every negative, ties one half."""
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in score[positive] for b in score[~positive]]
    return float(np.mean(wins))


def trapezoids(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the curve of true against false positive rates over all thresholds."""
    thresholds = [np.inf, *sorted(set(score.tolist()), reverse=True)]
    true_rate = [np.mean(score[positive] >= t) for t in thresholds]
    false_rate = [np.mean(score[~positive] >= t) for t in thresholds]
    return float(np.trapezoid(true_rate, false_rate))


def test_worked_by_hand() -> None:
    score, positive = np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, False, True, False])
    # pairs: .9 beats .8 and .1; .8 ties with .8 and beats .1
    assert area_under_curve(score, positive, np.ones((1, 4)))[0] == pytest.approx(3.5 / 4)


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=40))
def test_equals_all_pairs_and_the_curve(rows: list[tuple[int, bool]]) -> None:
    score, positive = np.array([row[0] / 8 for row in rows]), np.array([row[1] for row in rows])
    found = area_under_curve(score, positive, np.ones((1, len(rows))))[0]
    if positive.all() or not positive.any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(pairwise(score, positive))
        assert found == pytest.approx(trapezoids(score, positive))


def test_weights_are_the_same_as_repeating_crops() -> None:
    generator = np.random.default_rng(0)
    score, positive = generator.integers(0, 9, 30) / 8, generator.random(30) < 0.4
    weight = generator.integers(0, 4, (5, 30))
    found = area_under_curve(score, positive, weight.astype(np.float64))
    expected = [pairwise(np.repeat(score, w), np.repeat(positive, w)) for w in weight]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
