from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hemato_lab.comparison import compare, tables
from hemato_lab.comparison.findings import FindingComparison, FindingCount
from hemato_lab.report import Report

if TYPE_CHECKING:
    from hemato_lab.analysis.tables import Table
    from hemato_lab.comparison import Comparison


def by_first(table: Table) -> dict[str, tuple[str, ...]]:
    return {row[0]: row[1:] for row in table.rows}


def all_tables(comparison: Comparison) -> tuple[Table, ...]:
    labels = comparison.labels
    return (
        *comparison.tables(),
        tables.narratives(comparison.narrative, labels),
        tables.places(comparison),
    )


@pytest.mark.parametrize("name", ["same", "different", "hostile"])
def test_every_row_has_as_many_cells_as_the_head(name: str, request: pytest.FixtureRequest) -> None:
    for table in all_tables(request.getfixturevalue(name)):
        assert all(len(row) == len(table.head) for row in table.rows), table.caption
        assert all(isinstance(cell, str) for row in table.rows for cell in row), table.caption


def test_the_overview_says_what_was_compared_and_what_differs(different: Comparison, same: Comparison) -> None:
    listed = by_first(tables.overview(different))
    assert listed["first"] == ("one (analysis, 2 images)",)
    assert listed["compared"] == ("every cell",)
    assert listed["differs"] == ("places, estimates, findings, candidates, text",)
    assert by_first(tables.overview(same))["differs"] == ("nothing",)


def test_places_are_counted_by_state_with_the_figures_of_agreement(different: Comparison, same: Comparison) -> None:
    listed = by_first(tables.cells(different))
    assert [listed[key][0] for key in ("same name in both", "called differently", "in one only", "in other only")] == [
        "3",
        "1",
        "1",
        "1",
    ]
    # Of four cells that both list three are RBC for both, one is a WBC for the first alone: chance agrees as often.
    assert listed["share with the same name"][0] == "0.750"
    assert listed["Cohen's kappa"][0] == "0.000"
    assert by_first(tables.cells(same))["Cohen's kappa"][0] == "1.000"
    assert by_first(tables.cells(same))["difference of the radii, in red-cell radii"][0] == "0.000"


def test_statistics_are_shown_in_one_unit_or_with_the_reason_why_not(different: Comparison) -> None:
    listed = by_first(tables.statistics(different.statistics, different.labels))
    assert listed["rbc-density"] == ("5321 (4330 to 6470)", "6100", "/mm2", "+779", "1.146", "", "")
    assert listed["blast-density"][-1] == "no number in either report"
    assert listed["platelet-density"] == ("", "x", "y", "", "", "", "stated by the second report only")


def test_units_that_are_unlike_are_both_shown(different: Comparison) -> None:
    from hemato_lab.comparison.statistics import compare_statistics
    from tests.comparison.made_up import report

    refused = compare_statistics(report(statistics={"a": ("1", "/mm2")}), report(statistics={"a": ("2", "/uL")}))
    (row,) = tables.statistics(refused, ("one", "other")).rows
    assert row[:4] == ("a", "1.000", "2.000", "/mm2 / /uL")
    assert "different things" in row[-1]


def test_findings_leave_out_what_neither_saw(different: Comparison) -> None:
    neither = FindingComparison("sickle cell", FindingCount(0), FindingCount(0))
    listed = by_first(tables.findings((*different.findings, neither), different.labels))
    assert list(listed) == ["RBC", "blast"]
    assert listed["RBC"] == ("3 (0.619 to 8.77)", "4 (1.09 to 10.2)", "+1", "1")
    assert listed["blast"] == ("not listed", "2 (0.242 to 7.22)", "", "")


def test_candidates_stand_side_by_side(different: Comparison) -> None:
    (row,) = tables.diagnoses(different.diagnoses, different.labels).rows
    assert row == (
        "1. D69.6 Thrombocytopenia, unspecified (0.20)",
        "1. D69 Low platelets (0.40)",
        "same category",
        "0",
    )


def test_places_that_differ_are_listed_and_many_cut(different: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tables.places(different).rows == (
        ("first.png", "300", "300", "first only", "platelet", ""),
        ("second.png", "400", "250", "reclassified", "WBC", "RBC"),
        ("second.png", "60", "440", "second only", "", "RBC"),
    )
    monkeypatch.setattr(tables, "MOST_PLACES", 1)
    assert len(tables.places(different).rows) == 1
    assert tables.places(different).note == "2 more are in cells.csv."


def test_what_is_the_same_has_no_rows_of_differences(same: Comparison) -> None:
    assert tables.places(same).rows == ()
    assert tables.narratives(same.narrative, same.labels).rows == ()
    assert tables.narratives(same.narrative, same.labels).note == "100% of the sentences are equal."


def test_counts_without_places_are_told() -> None:
    from hemato_lab.report import HeatMapEntry, MorphologicalFinding

    entries = tuple(HeatMapEntry.at(x, 5, 5) for x in (1, 2))
    first = Report("a", ("one", "two"), morphological_findings={"blast": MorphologicalFinding.of(entries)})
    second = Report("b", ("one", "two"), morphological_findings={"blast": MorphologicalFinding.of(entries[:1])})
    listed = by_first(tables.cells(compare(first, second)))
    assert listed["blast, by number alone"][0] == "2 and 1"


@pytest.mark.parametrize(("value", "shown"), [(0.5, "0.5"), (0.0312, "0.031"), (1e-9, "< 0.0001"), (1.0, "1")])
def test_small_p_values_are_not_spelled_out(value: float, shown: str) -> None:
    assert tables.p_text(value) == shown
