from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hemato_lab.analysis import conclusions
from hemato_lab.report import HeatMapEntry, MorphologicalFinding, Report

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis

DETAILS = {
    "n_reference": 1200,
    "denominator": "RBC",
    "value": 1.5,
    "unit": "%",
    "limits_95": [0.9, 2.4],
    "grade": "2+",
    "grade_range": ["1+", "3+"],
    "insufficient_count": False,
    "minimum": 1000,
}


def report(**details: object) -> Report:
    finding = MorphologicalFinding.of((HeatMapEntry.at(1, 2, 3),))
    return Report(
        "study",
        morphological_findings={"schistocyte": finding},
        extension={"findings": {"schistocyte": {**DETAILS, **details}}},
    )


def test_a_finding_has_its_share_limits_and_both_grades():
    assert conclusions.findings(report()).rows == (
        (
            "schistocyte",
            "1",
            "1.5 % of 1200 RBC",
            "0.900 to 2.40",
            "moderate (2+); limits reach from few (1+) to many (3+)",
        ),
    )


def test_a_grade_that_is_sure_or_missing():
    assert conclusions.findings(report(grade_range=["2+", "2+"])).rows[0][-1] == "moderate (2+)"
    few = conclusions.findings(report(insufficient_count=True, grade=None, grade_range=None))
    assert few.rows[0][-1] == "not graded: 1000 cells are needed"
    per_hundred = conclusions.findings(report(unit="/100{WBC}", denominator="WBC", grade=None, grade_range=None))
    assert per_hundred.rows[0][2:] == ("1.5 per 100 white cells of 1200 WBC", "0.900 to 2.40", "")


def test_a_report_from_elsewhere_has_the_documented_part_alone(analysis: Analysis):
    foreign = replace(analysis.report, extension={})
    for row in conclusions.findings(foreign).rows:
        assert row[2:] == ("", "", "")
    assert all(row[-1] == "" for row in conclusions.considerations(foreign).rows)
    assert conclusions.review(foreign).rows == conclusions.not_assessed(foreign).rows == ()


def test_the_rule_stands_beside_each_condition(analysis: Analysis):
    listed = analysis.report.diagnostic_report.differential_diagnosis
    with_rules = replace(analysis.report, extension={"diagnosis": {"items": [{"rule": "P1"}] * len(listed)}})
    assert [row[-1] for row in conclusions.considerations(with_rules).rows] == ["P1"] * len(listed)


def test_what_was_not_assessed_is_grouped_by_reason():
    told = Report(
        "study", extension={"not_assessed": {"blast": "no model", "Auer rod": "no model", "rouleaux": "crowded"}}
    )
    assert conclusions.not_assessed(told).rows == (("blast, Auer rod", "no model"), ("rouleaux", "crowded"))


def test_reasons_for_a_review():
    told = Report("study", extension={"review": {"reasons": [{"id": "blast-seen", "reason": "3 cells."}]}})
    assert conclusions.review(told).rows == (("blast-seen", "3 cells."),)


def test_grades_that_are_not_known_are_shown_as_they_are():
    """Reports may come from elsewhere."""
    odd = conclusions.findings(report(grade="4+", grade_range=["2+", ["x"]])).rows[0][-1]
    assert odd == "4+; limits reach from moderate (2+) to ['x']"
    assert conclusions.findings(report(grade=["2+"])).rows[0][-1] == ""


def test_a_condition_is_shown_with_all_that_the_report_says(analysis: Analysis):
    (row,) = conclusions.considerations(analysis.report).rows
    assert row[:5] == ("Thrombocytopenia, unspecified", "D69.6", "3", "0.20", "B")


def test_rules_that_do_not_match_the_conditions_are_left_out(analysis: Analysis):
    more = replace(analysis.report, extension={"diagnosis": {"items": [{"rule": "P1"}, {"rule": "P2"}]}})
    assert [row[-1] for row in conclusions.considerations(more).rows] == [""]


def test_damaged_extensions_are_empty_tables():
    for damage in ("text", 3, None, ["list"], {"items": 5, "reasons": "x"}):
        damaged = replace(
            report(), extension=dict.fromkeys(("findings", "diagnosis", "review", "not_assessed"), damage)
        )
        assert conclusions.findings(damaged).rows == (("schistocyte", "1", "", "", ""),)
        assert conclusions.considerations(damaged).rows == ()
        assert [row for row in conclusions.review(damaged).rows if any(row)] == []


def test_decisions_of_readers_are_listed_and_change_what_is_said_at_the_end():
    said = {
        "counts": {"accepted": 3, "rejected": 2, "renamed": 0},
        "readers": ["A", ""],
        "readers_differ": 1,
        "unattached": [{"x": 1}],
        "log_sha256": "ab" * 32,
    }
    reviewed = Report("study", extension={"review": {"required": True, "reasons": [], "decisions": said}})
    rows = dict(conclusions.decisions(reviewed).rows)
    assert rows["cells accepted"] == "3"
    assert rows["readers"] == "A, without a name"
    assert rows["decisions about cells that are not listed any more"] == "1"
    assert rows["log of decisions, SHA-256"] == "ab" * 32
    assert "not reviewed as a whole by a qualified haematologist" in conclusions.disclaimer(reviewed)


def test_without_decisions_nothing_is_said_of_readers():
    for extension in ({}, {"review": {"required": False, "reasons": []}}, {"review": None}):
        one = Report("study", extension=extension)
        assert conclusions.decisions(one).rows == ()
        assert "not reviewed by a qualified haematologist" in conclusions.disclaimer(one)
