from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hemato_lab.diagnosis import CellConcentration


def test_a_share_of_the_blood_count_has_the_limits_of_the_share() -> None:
    share = CellConcentration(2.0, "10*3/uL", "share of the blood count", 40, 200, 10.0)
    assert share.probability_above(1.5) == pytest.approx(stats.beta.sf(0.15, 40.5, 160.5))
    assert share.probability_above(10.0) == 0.0
    assert share.probability_above(0.0) == 1.0


@given(st.integers(0, 200), st.integers(1, 5000), st.floats(0.1, 2000), st.floats(1, 10))
def test_an_estimate_is_a_probability_that_falls_with_the_threshold(
    n: int, reference: int, threshold: float, spread: float
) -> None:
    estimate = CellConcentration(5000 * n / reference, "10*3/uL", "estimate", n, reference, 5000.0, spread)
    assert 0.0 <= estimate.probability_above(threshold * 1.1) <= estimate.probability_above(threshold) <= 1.0
