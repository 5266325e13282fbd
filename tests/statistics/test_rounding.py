from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.statistics.rounding import number_text, quantised


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (5320.96, "5321"),
        (12345.6, "12350"),
        (1e9, "1000000000"),
        (49.999, "50.00"),
        (0.0012341, "0.001234"),
        (999.96, "1000"),
        (1 / 3, "0.3333"),
    ],
)
def test_four_significant_digits_without_exponent(value: float, text: str):
    assert number_text(value) == text
    assert quantised(value) == float(text)


@settings(deadline=None)
@given(st.floats(1e-9, 1e12))
def test_rounding_errs_by_half_a_unit_of_the_fourth_digit_and_is_stable(value: float):
    assert quantised(value) == pytest.approx(value, rel=5.0001e-4)
    assert number_text(quantised(value)) == number_text(value)


@pytest.mark.parametrize("value", [5320.96, 1 / 3, 0.1 + 0.2, 81.36 / 0.02])
def test_the_last_bits_do_not_show(value: float):
    neighbours = (math.nextafter(value, 0), value, math.nextafter(value, math.inf), value * (1 + 1e-12))
    assert len({number_text(one) for one in neighbours}) == 1
