from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.analysis import tables
from hemato_lab.report import FeatureStatistic, Report

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def statistic_row(value: str, details: dict[str, object]) -> dict[str, str]:
    report = Report("id", (), {"x": FeatureStatistic(value, "/mm2")}, extension={"feature_statistics": {"x": details}})
    table = tables.statistics(report)
    (row,) = table.rows
    return dict(zip(table.head, row, strict=True))


@pytest.mark.parametrize(
    ("value", "limits", "shown", "between"),
    [
        ("380.9", [9.083, 2452.0], "381", "9.08 to 2450"),
        ("7554", [7143.0, 7983.0], "7550", "7140 to 7980"),
        ("7554", [7500.0, 7608.0], "7554", "7500 to 7608"),  # a million cells deserve a fourth digit
        ("0", [0.0, 132.56], "0", "0 to 133"),
        ("12345.6", [9000.4, 16000.0], "12300", "9000 to 16000"),
    ],
)
def test_wide_limits_leave_three_digits(value: str, limits: list[float], shown: str, between: str):
    row = statistic_row(value, {"limits_95": limits, "limits_95_with_scale": limits})
    assert (row["value"], row["95 % limits"], row["with scale"]) == (shown, between, between)


def test_a_value_without_limits_is_left_as_it_was_written():
    assert statistic_row("5321.75", {})["value"] == "5321.75"
    assert statistic_row("not assessed", {"limits_95": [1.0, 2.0]})["value"] == "not assessed"


@given(st.floats(1e-6, 1e9), st.integers(2, 5))
def test_significant_digits_round_to_the_nearest(value: float, digits: int):
    text = tables.significant(value, digits)
    assert "e" not in text.lower()
    step = Decimal(10) ** (Decimal(value).adjusted() - digits + 1)
    assert abs(Decimal(text) - Decimal(value)) <= step / 2


def test_remarks_come_gravest_first():
    details = {
        "remarks": ["from 1 cell only: no more than an order of magnitude"],
        "assumption": "red-cell concentration 5.000 10*6/uL, assumed",
        "overdispersion": {"estimable": False},
    }
    assert statistic_row("1", details)["remarks"] == (
        "from 1 cell only: no more than an order of magnitude; red-cell concentration 5.000 10*6/uL, assumed; "
        "spread between fields not known"
    )
    for odd in ("text", 7, None, {"a": 1}):
        assert statistic_row("1", {"remarks": odd})["remarks"] == ""


def test_cautions_name_the_fields_and_what_they_spoil(checked_analysis: Analysis):
    ((check, wrong, spoils),) = tables.cautions(checked_analysis).rows
    assert check == "Monolayer"
    assert wrong == "1 of 2 fields; first.png: too thick: 83 % of the red cells overlap or touch"
    assert "less certain" in spoils


def test_of_one_field_no_name_is_needed(checked_analysis: Analysis):
    one = replace(checked_analysis, quality={"first.png": checked_analysis.quality["first.png"]})
    assert tables.cautions(one).rows[0][1] == "too thick: 83 % of the red cells overlap or touch"


def test_of_many_fields_some_are_named(checked_analysis: Analysis):
    quality = {f"{k}.png": {"focus": "outlines blurred over 2.0 um", "stain": "ok"} for k in range(5)}
    (row,) = tables.cautions(replace(checked_analysis, quality=quality)).rows
    assert row[1].startswith("5 of 5 fields; 0.png: outlines blurred")
    assert row[1].endswith("2.png: outlines blurred over 2.0 um; and 2 more, see the quality checks")


@pytest.mark.parametrize("quality", [{}, {"focus": "bad"}, {"a": {"focus": "ok"}}, {"a": {"focus": {"ok": False}}}])
def test_without_a_failed_check_there_is_no_caution(checked_analysis: Analysis, quality: dict):
    assert tables.cautions(replace(checked_analysis, quality=quality)).rows == ()


def test_quality_by_kind_holds_every_value_of_the_whole_table(checked_analysis: Analysis):
    whole, (verdicts, measured) = tables.quality(checked_analysis), tables.quality_by_kind(checked_analysis)
    assert whole.head == (*verdicts.head, *measured.head[1:])
    for row, first, second in zip(whole.rows, verdicts.rows, measured.rows, strict=True):
        assert row == (*first, *second[1:])
    for table in (whole, verdicts, measured):
        assert len(table.head) == len(table.explanations) == len(table.rows[0])


def test_provenance_leaves_out_what_is_empty_or_listed_elsewhere(checked_analysis: Analysis):
    assert tables.provenance(checked_analysis).rows == (("version", "0.1.0"), ("parameters · detector", "classical"))
