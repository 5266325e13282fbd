from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.findings import GRADES
from hemato_lab.findings.grading import grade_of, grade_range
from hemato_lab.reference import load_reference
from hemato_lab.statistics.limits import Limits

TABLES = {name: table for table in load_reference().values.grades for name in table.names}

# DOMAIN.md section 3.1: 2+ and 3+ in per cent, read from its table.
PRINTED = {
    **dict.fromkeys(("anisocytosis", "macrocyte", "microcyte", "hypochromic cell", "giant platelet"), (11, 20)),
    "oval macrocyte": (2, 5),
    **dict.fromkeys(("polychromatic cell", "acanthocyte", "echinocyte", "elliptocyte", "ovalocyte"), (5, 20)),
    **dict.fromkeys(("spherocyte", "stomatocyte", "target cell", "teardrop cell", "basophilic stippling"), (5, 20)),
    **dict.fromkeys(("bite cell", "blister cell", "irregularly contracted cell", "sickle cell"), (1, 2)),
    "schistocyte": (1, 2),
    **dict.fromkeys(("Howell-Jolly body", "Pappenheimer body"), (2, 3)),
    "Dohle body": (2, 4),
    **dict.fromkeys(("toxic granulation", "vacuolation", "hypogranular neutrophil"), (4, 8)),
}
OWN = {"rouleaux", "agglutination"}


def test_every_class_of_the_domain_reference_has_its_grades():
    assert set(TABLES) == set(PRINTED) | OWN


@pytest.mark.parametrize(("name", "bounds"), PRINTED.items())
def test_grades_begin_where_the_domain_reference_says(name: str, bounds: tuple[int, int]):
    two, three = bounds
    below = "1+" if name == "schistocyte" else "none"
    graded = [grade_of(percent, TABLES[name]) for percent in (two - 0.01, two, three, three + 0.01)]
    assert graded == [below, "2+", "2+", "3+"]


def test_one_plus_is_for_schistocytes_alone_and_none_seen_is_none():
    assert {name for name, table in TABLES.items() if table.one_plus is not None} == {"schistocyte"}
    assert all(grade_of(0.0, table) == "none" for table in TABLES.values())
    assert grade_of(0.1, TABLES["schistocyte"]) == "1+"


def test_limits_that_cross_a_boundary_have_two_grades():
    assert grade_range(Limits(0.5, 1.4), TABLES["schistocyte"]) == ("1+", "2+")
    assert grade_range(Limits(2.1, 3.0), TABLES["schistocyte"]) == ("3+", "3+")


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(TABLES)), st.floats(0, 100), st.floats(0, 100))
def test_more_is_never_graded_lower(name: str, one: float, other: float):
    low, high = sorted((one, other))
    assert GRADES.index(grade_of(low, TABLES[name])) <= GRADES.index(grade_of(high, TABLES[name]))


@pytest.mark.parametrize("of", [100, 1000, 1100, 2900, 7300])
@pytest.mark.parametrize(("name", "bounds"), PRINTED.items())
def test_counts_exactly_at_a_boundary_are_graded_as_it_is_printed(name: str, bounds: tuple[int, int], of: int):
    """No rounding of a share may move a count across a boundary."""
    two, three = (bound * of // 100 for bound in bounds)
    below = "1+" if name == "schistocyte" else "none"
    counts = (two - 1, two, three, three + 1)
    expected = ["none" if two == 1 else below, "2+", "2+", "3+"]
    assert [grade_of(100 * (count / of), TABLES[name]) for count in counts] == expected


def test_a_first_grade_at_nothing_does_not_grade_what_was_not_seen():
    own = {"names": ["spherocyte"], "two_plus": 0.0, "three_plus": 2.0, "source": "user"}
    (table,) = load_reference({"grades": [own]}).values.grades
    assert [grade_of(percent, table) for percent in (0.0, 0.1, 2.0, 2.1)] == ["none", "2+", "2+", "3+"]
