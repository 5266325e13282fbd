from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hemato_lab.diagnosis import CellConcentration, diagnose, load_rules, review_triggers
from hemato_lab.reference import load_reference
from tests.diagnosis.made_up import make_facts


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


@pytest.mark.parametrize(
    ("origin", "n_reference", "reason"),
    [
        ("blood count", 0, ""),
        ("share of the blood count", 99, "too few white cells: 99 of 100"),
        ("share of the blood count", 100, ""),
        ("estimate", 999, "too few red cells: 999 of 1000"),
        ("estimate", 1000, ""),
    ],
)
def test_nothing_rests_on_few_cells(origin, n_reference: int, reason: str) -> None:
    one = CellConcentration(6.0, "10*3/uL", origin, n=1, n_reference=n_reference, at_even_odds=12.0)
    assert one.too_few(load_reference().values) == reason


def test_a_type_of_two_white_cells_is_no_lymphocytosis() -> None:
    one = CellConcentration(6.0, "10*3/uL", "share of the blood count", n=1, n_reference=2, at_even_odds=12.0)
    facts = make_facts(concentrations={"lymphocyte": one})
    reasons = {item["rule"]: item["reason"] for item in diagnose(facts, load_rules()).not_evaluated}
    assert reasons["W5"] == "not evaluated: too few white cells: 2 of 100"
    assert not [trigger for trigger in review_triggers(facts) if "lymphocyte" in trigger.id]
