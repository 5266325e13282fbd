from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest

from hemato_lab.comparison.codes import block, category, normalised, relation


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("B50", "B50", "same code"),
        ("b50.9", " B509 ", "same code"),
        ("B50", "B50.9", "same category"),
        ("D57.1", "D57.0", "same category"),
        ("B50", "B54", "same block"),
        ("D50", "D53.9", "same block"),
        # The same chapter, another block: aplastic and haemolytic anaemia are no agreement.
        ("D61", "D59", None),
        ("C91.0", "C92.0", "same block"),
        ("C91.0", "D46", None),
        # Blocks of other chapters are not told apart; their categories are.
        ("R71", "R72", None),
        ("R71", "R71.8", "same category"),
        ("", "", None),
        ("", "B50", None),
        ("not coded", "Not coded", "same code"),
        ("not coded", "not", None),
        ("B5", "B50", None),
    ],
)
def test_codes_are_related_by_their_prefix(first: str, second: str, expected: str | None):
    assert relation(first, second) == expected
    assert relation(second, first) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("D57.1", "D55-D59"),
        ("D64", "D60-D64"),
        ("C95.0", "C81-C96"),
        ("B60.0", "B50-B64"),
        ("B99", "B99-B99"),
        ("D49", ""),
    ],
)
def test_blocks_are_those_that_are_printed(code: str, expected: str):
    assert block(code) == expected


def test_forms_of_one_code():
    assert [normalised(code) for code in ("d57.1", "D57.1", " D571")] == ["D571"] * 3
    assert [category(code) for code in ("d57.1", "D57", "C7A.0", "nothing")] == ["D57", "D57", "C7A", "NOTHING"]


def test_every_code_of_infections_neoplasms_and_blood_in_our_rules_has_a_block():
    rules = files("hemato_lab.diagnosis").joinpath("rules.toml").read_text("utf-8")
    tomllib.loads(rules)
    codes = set(re.findall(r'"([ABCD][0-9]{2}(?:\.[0-9]+)?)"', rules))
    assert len(codes) > 25
    assert all(block(code) for code in codes)
