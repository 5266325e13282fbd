from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.agreement.units import exact_factor, factor, is_placeholder, parse_unit
from hemato_lab.errors import ConfigError, UnlikeUnitsError

# Each row means the same: DOMAIN.md section 2.1 (x10^9/L = 10*3/uL = K/uL; x10^12/L = 10*6/uL), and the SI prefixes.
ALIKE = (
    (
        "10*3/uL",
        "10*9/L",
        "K/uL",
        "G/L",
        "10^9/L",
        "x10^9/L",
        "×10⁹/L",
        "10E3/µL",
        "x10*3/uL",
        "10*3/mm3",
        "10*3/ul",
        "10e9/L",
        "10^3/mm^3",
    ),
    ("10*6/uL", "10*12/L", "M/uL", "T/L", "x10^12/L", "10⁶/μL"),
    ("/uL", "cells/uL", "{cells}/uL", "/mm3", "1/uL", "10*6/L", "1000/mL"),
    ("/mm2", " /mm2 ", "/mm²", "/mm^2", "cells/mm2", "100/cm2", "10*-6/um2"),
    ("%", "10[ppth]", "10‰", "1/100", "/100", "10*-2"),
    ("/[HPF]", "1/[HPF]", "/HPF", "/hpf", "cells/HPF"),
    ("/{OIF}", "cells/{OIF}"),
    ("/100{WBC}", "10*-2/{WBC}"),
    ("g/L", "mg/mL", "10*-1.g/dL"),
    ("mmol/L", "mol/m3", "umol/mL"),
    ("U/L", "umol/min/L", "mU/mL"),
    ("mm/h", "10*-3.m/h"),
)
# Values a laboratory would write beside each other.
CONVERSIONS = (
    ("/um2", "/mm2", 1e6),
    ("/mm2", "/um2", 1e-6),
    ("/cm2", "/mm2", 0.01),
    ("%", "1", 0.01),
    ("1", "%", 100.0),
    ("[ppth]", "%", 0.1),
    ("um", "mm", 0.001),
    ("mm", "um", 1000.0),
    ("/L", "/uL", 1e-6),
    ("10*6/uL", "10*3/uL", 1000.0),
    ("g/dL", "g/L", 10.0),
    ("fL", "um3", 1.0),
    ("h", "min", 60.0),
    ("min", "s", 60.0),
    ("mmol/L", "umol/L", 1000.0),
)
KNOWN = sorted({unit for row in ALIKE for unit in row} | {unit for row in CONVERSIONS for unit in row[:2]})
PLACEHOLDERS = ("", " ", "x", "y", " Y ", "X")
MEANINGLESS = (
    *("/", "//uL", "/uL/", "mm^", "mm^0", "kmin", "cmH", "10*99km9", "10*-99fm9", "10*30/10*-30/10*-30/mm2"),
    *("K", "K/L2", "G", "mm0", "10*", "0/uL", "10^/L", "/{}", "furlong", "per mm2", "uL/", "[HPF", "{a}{b}"),
    *("1" * 60, "µ", "mg/dLx", "%%", "10*3/uL/x", "\x00", "/mm²²"),
)


@pytest.mark.parametrize("row", ALIKE, ids=lambda row: row[0])
def test_spellings_of_one_unit_convert_by_exactly_one(row: tuple[str, ...]):
    assert [factor(one, other) for one in row for other in row] == [1.0] * len(row) ** 2


@pytest.mark.parametrize(("one", "other", "expected"), CONVERSIONS)
def test_like_units_convert(one: str, other: str, expected: float):
    assert factor(one, other) == expected


@pytest.mark.parametrize("one", [row[0] for row in ALIKE])
@pytest.mark.parametrize("other", [row[0] for row in ALIKE])
def test_unlike_units_are_refused(one: str, other: str):
    # 10*3/uL and 10*6/uL are both concentrations.
    if parse_unit(one).dimension == parse_unit(other).dimension:
        assert {one, other} <= {"10*3/uL", "10*6/uL", "/uL"} or one == other
    else:
        with pytest.raises(UnlikeUnitsError, match="different things") as caught:
            factor(one, other, subject="wbc-density")
        assert caught.value.subject == "wbc-density"


@pytest.mark.parametrize("unit", MEANINGLESS)
def test_what_means_nothing_here_is_still_one_unit_and_no_other(unit: str):
    assert factor(unit, f" {unit}") == 1.0
    for one, other in ((unit, "/mm2"), ("/mm2", unit)):
        with pytest.raises(UnlikeUnitsError, match="no known meaning"):
            factor(one, other)


@pytest.mark.parametrize("unit", PLACEHOLDERS)
def test_a_placeholder_converts_to_nothing_not_even_to_itself(unit: str):
    assert is_placeholder(unit)
    with pytest.raises(UnlikeUnitsError, match=r"no known meaning"):
        factor(unit, unit)


def test_powers_beyond_any_unit_are_refused_and_not_computed():
    with pytest.raises(UnlikeUnitsError):
        factor("10*99km9", "10*-99fm9")
    assert factor("10*30.km", "10*-30.fm") == pytest.approx(1e78)


def test_a_factor_is_exact():
    assert exact_factor("/uL", "10*3/uL") == Fraction(1, 1000)
    assert exact_factor("U/L", "mmol/L/h") == Fraction(60, 1000)


def test_the_placeholders_of_the_vendor_are_refused_with_what_to_do():
    with pytest.raises(ConfigError) as caught:
        parse_unit("y", subject="rbc-density")
    assert str(caught.value) == (
        "rbc-density: the unit 'y' has no known meaning (units are never guessed: ask who wrote the report)"
    )


def test_what_is_counted_in_a_field_of_view_is_never_a_density():
    for unit in ("/mm2", "/uL", "%", "1", "/{OIF}", "/{LPF}"):
        with pytest.raises(UnlikeUnitsError):
            factor("/[HPF]", unit)


def test_a_share_of_white_cells_is_no_plain_percentage():
    with pytest.raises(UnlikeUnitsError):
        factor("/100{WBC}", "%")


@given(st.sampled_from(KNOWN), st.sampled_from(KNOWN), st.sampled_from(KNOWN))
def test_factors_chain_and_reverse(one: str, other: str, third: str):
    if not parse_unit(one).dimension == parse_unit(other).dimension == parse_unit(third).dimension:
        return
    assert factor(one, other) * factor(other, one) == pytest.approx(1, rel=1e-15)
    assert factor(one, other) * factor(other, third) == pytest.approx(factor(one, third), rel=1e-15)


@given(st.text(alphabet="10*^/xKMGTmulLg%{}[]HPF cel.²µE-", max_size=12))
def test_any_text_is_understood_or_refused(text: str):
    with suppress(UnlikeUnitsError):
        assert factor(text, text) == 1.0
