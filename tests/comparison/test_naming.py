from __future__ import annotations

import pytest

from hemato_lab.comparison.naming import common_name


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        ("blast", "blast", "blast"),
        ("band neutrophil", "WBC", "WBC"),
        ("WBC", "band neutrophil", "WBC"),
        ("band neutrophil", "neutrophil", "neutrophil"),
        ("band neutrophil", "lymphocyte", ""),
        ("uncategorised RBC", "normal RBC", ""),
        ("a vendor's own name", "a vendor's own name", "a vendor's own name"),
        ("a vendor's own name", "WBC", ""),
    ],
)
def test_a_wider_name_does_not_contradict_a_finer_one(first: str, second: str, common: str) -> None:
    assert common_name(first, second) == common


@pytest.mark.parametrize(
    ("marks", "contradicts"),
    [
        (None, False),
        ({"RBC", "WBC"}, False),
        ({"RBC", "target cell"}, False),
        ({"RBC", "ring trophozoite"}, True),
        ({"RBC", "parasitised RBC"}, True),  # of which a ring is a kind
        ({"ring trophozoite", "a name of its own"}, True),
    ],
)
def test_but_it_does_where_the_finer_kind_was_marked_all_over(marks: set[str] | None, *, contradicts: bool) -> None:
    marked = None if marks is None else frozenset(marks)
    expected = "" if contradicts else "RBC"
    assert common_name("ring trophozoite", "RBC", second_marks=marked) == expected
    assert common_name("RBC", "ring trophozoite", first_marks=marked) == expected
    assert common_name("ring trophozoite", "RBC", first_marks=marked) == "RBC"
