from __future__ import annotations

import json

import pytest

from hemato_lab.comparison.statistics import NOT_STATED, compare_statistics
from tests.comparison.made_up import report


def limits(key: str, low: float, high: float) -> dict[str, object]:
    return {"feature_statistics": {key: {"limits_95": [low, high]}}}


def test_like_units_are_converted_with_their_limits():
    first = report(
        statistics={"wbc-concentration": ("8.0", "10*3/uL")}, extension=limits("wbc-concentration", 7.0, 9.0)
    )
    second = report(
        statistics={"wbc-concentration": ("9500", "/uL")}, extension=limits("wbc-concentration", 9100, 9900)
    )
    (one,) = compare_statistics(first, second)
    assert (one.second.value, one.second.unit, one.second.limits) == (9.5, "10*3/uL", (9.1, 9.9))
    assert one.difference == 1.5
    assert one.ratio == 9.5 / 8.0
    assert one.limits_overlap is False
    assert not one.equal
    (back,) = compare_statistics(second, first)
    assert (back.difference, back.second.limits) == (-1500.0, (7000.0, 9000.0))


@pytest.mark.parametrize(
    ("first", "second", "overlap"), [((1, 3), (3, 5), True), ((3, 5), (1, 3), True), ((1, 2), (3, 4), False)]
)
def test_limits_overlap_when_they_share_a_value(first: tuple[int, int], second: tuple[int, int], overlap: object):
    one = report(statistics={"rbc-density": ("2", "/mm2")}, extension=limits("rbc-density", *first))
    other = report(statistics={"rbc-density": ("4", "/mm2")}, extension=limits("rbc-density", *second))
    assert compare_statistics(one, other)[0].limits_overlap is overlap


def test_the_same_numbers_are_equal_and_without_limits_nothing_is_said_of_overlap():
    one = report(statistics={"rbc-density": ("5000", "/mm2")})
    (same,) = compare_statistics(one, report(statistics={"rbc-density": ("5000.0", "cells/mm2")}))
    assert (same.equal, same.difference, same.ratio, same.limits_overlap) == (True, 0.0, 1.0, None)


@pytest.mark.parametrize(
    ("first", "second"),
    [("y", "y"), ("", ""), ("/mm2", "y"), ("/mm2", "/uL"), ("/[HPF]", "/mm2"), ("furlong", "/mm2")],
)
def test_unlike_and_unknown_units_are_refused_and_the_values_stay_as_they_were(first: str, second: str):
    (one,) = compare_statistics(
        report(statistics={"rbc-density": ("5", first)}), report(statistics={"rbc-density": ("6", second)})
    )
    assert not one.comparable
    assert "unit" in one.problem or "different things" in one.problem
    assert (one.difference, one.ratio, one.limits_overlap, one.equal) == (None, None, None, False)
    assert (one.first.value, one.first.unit, one.second.value, one.second.unit) == (5.0, first, 6.0, second)


@pytest.mark.parametrize("unit", ["mmol/L", "x", "", "furlong"])
def test_the_same_text_with_the_same_unit_is_equal_whatever_the_unit(unit: str):
    stated = report(statistics={"hb": ("8.1", unit)})
    (same,) = compare_statistics(stated, stated)
    assert same.equal
    (other,) = compare_statistics(stated, report(statistics={"hb": ("8.2", unit)}))
    assert not other.equal
    (one_side,) = compare_statistics(report(statistics={"hb": ("", "")}), report())
    assert not one_side.equal


def test_a_unit_nobody_knows_is_still_the_same_unit():
    (one,) = compare_statistics(report(statistics={"a": ("5", "furlong")}), report(statistics={"a": ("7", "furlong")}))
    assert (one.comparable, one.difference, one.ratio) == (True, 2.0, 1.4)


@pytest.mark.parametrize("first_unit", ["10*3/uL", "/uL"])
def test_numbers_that_are_equal_in_two_units_are_equal(first_unit: str):
    for hundredths in range(1, 2000):
        pair = [((f"{hundredths / 100:.2f}", "10*3/uL")), ((f"{hundredths * 10}", "/uL"))]
        first, second = pair if first_unit == "10*3/uL" else pair[::-1]
        (one,) = compare_statistics(report(statistics={"w": first}), report(statistics={"w": second}))
        assert one.equal, pair
        assert (one.difference, one.ratio) == (0.0, 1.0)
    (near,) = compare_statistics(
        report(statistics={"w": ("8.2", "10*3/uL")}), report(statistics={"w": ("8200.000001", "/uL")})
    )
    assert not near.equal


@pytest.mark.parametrize("first", ["1e300", "1e-300", "-1e308", "0", "1" * 300, "1" * 41, " 7 ", "٧", "1.", "+.5"])
@pytest.mark.parametrize("second", ["1e308", "-1e308", "5e-200"])
def test_numbers_of_any_size_stay_json(first: str, second: str):
    one = report(statistics={"w": (first, "/um2")}, extension=limits("w", -1e308, 1e308))
    for pair in ((one, report(statistics={"w": (second, "/mm2")})), (report(statistics={"w": (second, "/mm2")}), one)):
        (found,) = compare_statistics(*pair)
        json.dumps(found.to_dict(), allow_nan=False)
        assert not found.equal


def test_words_in_the_place_of_numbers_are_no_numbers():
    wordy = report(statistics={"blast-density": ("not assessed", "%")})
    (same,) = compare_statistics(wordy, wordy)
    assert (same.problem, same.equal, same.difference) == ("no number in either report", True, None)
    (other,) = compare_statistics(report(statistics={"blast-density": ("2", "%")}), wordy)
    assert other.problem == "no number in the second report: not assessed"
    assert (other.first.value, other.second.value, other.equal) == (2.0, None, False)
    (placeholder,) = compare_statistics(
        report(statistics={"blast-density": ("x", "y")}), report(statistics={"blast-density": ("2", "%")})
    )
    assert placeholder.problem == "no number in the first report: x"


def test_what_one_report_lacks_is_listed_after_what_the_first_has():
    first = report(statistics={"b": ("1", "%"), "a": ("1", "%")})
    second = report(statistics={"c": ("2", "%"), "a": ("1", "%")})
    found = compare_statistics(first, second)
    assert [one.key for one in found] == ["b", "a", "c"]
    assert found[0].problem == "stated by the first report only"
    assert found[2].problem == "stated by the second report only"
    assert found[2].first == NOT_STATED
    assert [one.equal for one in found] == [False, True, False]
    assert compare_statistics(report(), report()) == ()


def test_a_ratio_to_nothing_is_none_and_a_difference_is_not():
    (one,) = compare_statistics(
        report(statistics={"blast-density": ("0", "%")}), report(statistics={"blast-density": ("3", "%")})
    )
    assert (one.ratio, one.difference) == (None, 3.0)


def test_a_row_is_ready_for_a_table_and_json():
    first = report(statistics={"wbc": ("8", "10*9/L")}, extension=limits("wbc", 7, 9))
    (one,) = compare_statistics(first, report(statistics={"wbc": ("7000", "/uL")}))
    assert one.to_dict() == {
        "statistic": "wbc",
        "unit": "10*9/L",
        "first_text": "8",
        "first_unit": "10*9/L",
        "first": 8.0,
        "first_low": 7.0,
        "first_high": 9.0,
        "second_text": "7000",
        "second_unit": "10*9/L",
        "second": 7.0,
        "second_low": None,
        "second_high": None,
        "difference": -1.0,
        "ratio": 0.875,
        "limits_overlap": None,
        "problem": "",
    }
