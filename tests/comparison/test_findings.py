from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hemato_lab.comparison.findings import areas_alike, compare_findings, counts_p_value
from tests.comparison.made_up import report


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_test_of_two_counts_is_the_binomial_one(first: int, second: int):
    expected = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert counts_p_value(first, second) == pytest.approx(expected, rel=1e-9)


def test_counts_have_exact_limits_and_a_test_where_both_read_the_same_files():
    first, second = report(findings={"target cell": "10"}), report(findings={"target cell": "25"})
    (one,) = compare_findings(first, second)
    assert (one.name, one.first.count, one.second.count, one.difference) == ("target cell", 10, 25, 15)
    # DOMAIN.md section 2.7: 10 counted cells, 4.8 to 18.4.
    assert one.first.limits == pytest.approx((4.8, 18.4), abs=0.05)
    assert one.p_value == pytest.approx(stats.binomtest(10, 35, 0.5).pvalue)
    assert not one.equal


def test_without_areas_that_are_alike_nothing_is_tested():
    first = report(findings={"target cell": "10"}, file_ids=("a",))
    second = report(findings={"target cell": "25"}, file_ids=("b",))
    assert compare_findings(first, second)[0].p_value is None
    assert compare_findings(report(findings={"target cell": "x"}), second)[0].p_value is None


@pytest.mark.parametrize(
    ("ours", "theirs", "alike"),
    [
        (1.0, 1.0, True),
        (1.0, 1.009, True),
        (1.0, 1.02, False),
        (1.0, "1.0", False),
        (0.0, 0.0, False),
        (True, 1, False),
    ],
)
def test_areas_of_other_files_are_alike_within_one_per_cent(ours: object, theirs: object, alike: object):
    first, second = (
        report(
            statistics={"rbc-density": ("5000", "/mm2")},
            extension={"feature_statistics": {"rbc-density": {"area_mm2": area}}},
            file_ids=(name,),
        )
        for name, area in (("a", ours), ("b", theirs))
    )
    assert areas_alike(first, second) == alike


def test_zero_is_a_count_only_where_it_was_looked_for():
    looked = report(
        findings={"target cell": "3"},
        extension={
            "findings": {"sickle cell": {"count": 0}, "target cell": {"count": 3}, "anisocytosis": {"count": 4}},
            "not_assessed": {"Cabot ring": "no model looks for it"},
        },
    )
    foreign = report(findings={"sickle cell": "2", "Cabot ring": "1"})
    by_name = {one.name: one for one in compare_findings(looked, foreign)}
    assert list(by_name) == ["target cell", "sickle cell", "Cabot ring"]
    assert by_name["sickle cell"].first.count == 0
    assert by_name["sickle cell"].difference == 2
    assert by_name["Cabot ring"].first.reason == "not assessed: no model looks for it"
    assert by_name["target cell"].second.reason == "not listed"
    assert by_name["target cell"].difference is None
    assert not any(one.equal for one in by_name.values())


def test_none_seen_and_not_listed_are_no_difference():
    looked = report(extension={"findings": {"sickle cell": {"count": 0}}})
    (one,) = compare_findings(looked, report())
    assert one.equal
    assert (one.first.count, one.second.count) == (0, None)
    assert one.first.limits == pytest.approx((0, 3.7), abs=0.05)


@pytest.mark.parametrize("count", ["x", "1.5", "-1", "1e300", ""])
def test_what_is_no_count_is_shown_as_it_was(count: str):
    (one,) = compare_findings(report(findings={"blast": count}), report(findings={"blast": "1"}))
    assert (one.first.count, one.first.limits, one.first.reason) == (None, None, f"no count: {count}")


def test_a_row_is_ready_for_a_table_and_json():
    (one,) = compare_findings(report(findings={"blast": "0"}), report(findings={"blast": "n"}))
    assert one.to_dict() == {
        "finding": "blast",
        "first": 0,
        "first_low": 0.0,
        "first_high": pytest.approx(3.689, abs=0.001),
        "first_reason": "",
        "second": None,
        "second_low": None,
        "second_high": None,
        "second_reason": "no count: n",
        "difference": None,
        "p_value": None,
    }
