"""Plurals of every name of the vocabulary, and numbers as sentences have them."""

from __future__ import annotations

import math

import pytest

from hemato_lab.narrative.wording import counted, listed, per_ul, per_ul_with_limits, plural, share, with_limits
from hemato_lab.vocabulary import TERMS


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("RBC", "red cells"),
        ("WBC", "white cells"),
        ("platelet", "platelets"),
        ("normal RBC", "normal red cells"),
        ("nucleated RBC", "nucleated red cells"),
        ("unclassified WBC", "unclassified white cells"),
        ("benign", "benign white cells"),
        ("ring trophozoite", "ring trophozoites"),
        ("Howell-Jolly body", "Howell-Jolly bodies"),
        ("Dohle body", "Dohle bodies"),
        ("Cabot ring", "Cabot rings"),
        ("platelet clump", "platelet clumps"),
        ("anisocytosis", "anisocytosis"),
        ("rouleaux", "rouleaux"),
        ("agglutination", "agglutination"),
        ("toxic granulation", "toxic granulation"),
    ],
)
def test_plurals(name, words):
    assert plural(name) == words


def test_no_name_is_left_as_an_abbreviation():
    for name in TERMS:
        assert not {"RBC", "WBC"} & set(plural(name).split())
        assert not plural(name).endswith(("ss", "ys"))


def test_counts():
    assert counted(1, "ring trophozoite") == "1 ring trophozoite"
    assert counted(2, "ring trophozoite") == "2 ring trophozoites"
    assert counted(0, "blast") == "0 blasts"
    assert counted(1200, "RBC") == "1,200 red cells"
    assert counted(1, "vacuolation", "neutrophil") == "vacuolation in 1 neutrophil"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0222, "0.022"),
        (0.53, "0.53"),
        (5.32, "5.3"),
        (9.96, "10"),
        (12.4, "12"),
        (99.7, "99.7"),
        (100, "100"),
    ],
)
def test_percentages_have_two_significant_digits(value, text):
    assert share(value) == text


def test_limits_have_the_decimals_of_their_value_and_never_a_false_nought_or_hundred():
    assert with_limits(5.0, (1.64, 11.28)) == "5.0 % (95 % CI 1.6 to 11.3 %)"
    assert with_limits(0, (0, 0.0819)) == "0 % (95 % CI 0 to 0.082 %)"
    assert with_limits(11.1, (0.28, 48.2)) == "11 % (95 % CI 0.3 to 48 %)"
    assert with_limits(90.9, (58.7, 99.77)) == "91 % (95 % CI 59 to 99.7 %)"
    assert with_limits(3.0, (1.0, math.inf)) == "3.0 % (95 % CI from 1.0 %, no upper limit)"


def test_concentrations_per_microlitre():
    assert [per_ul(value) for value in (0, 0.42, 28.1, 1111, 223_456)] == [
        "0/uL",
        "0.42/uL",
        "28/uL",
        "1,100/uL",
        "220,000/uL",
    ]
    assert per_ul_with_limits(666.7, (16.4, math.inf)) == "670/uL (95 % CI from 16/uL, no upper limit)"


def test_lists():
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"], "or") == "a, b or c"
