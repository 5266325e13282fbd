from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.comparison.naming import common_name, common_names


@pytest.mark.parametrize(
    ("name", "others", "common"),
    [
        ("band neutrophil", {"WBC"}, "WBC"),
        ("band neutrophil", {"neutrophil", "WBC"}, "neutrophil"),
        ("band neutrophil", {"lymphocyte"}, "band neutrophil"),
        ("RBC", {"target cell"}, "RBC"),
        ("a vendor's own name", {"WBC"}, "a vendor's own name"),
    ],
)
def test_the_nearest_wider_name_that_the_other_uses(name: str, others: set[str], common: str) -> None:
    assert common_name(name, others) == common


def test_each_side_is_brought_to_the_names_of_the_other() -> None:
    first, second = np.array(["normal RBC", "lymphocyte", "blast"]), np.array(["RBC", "WBC", "early blast", "blast"])
    assert [side.tolist() for side in common_names(first, second)] == [
        ["RBC", "WBC", "blast"],
        ["RBC", "WBC", "blast", "blast"],
    ]


def test_nothing_to_name() -> None:
    empty = np.empty(0, np.str_)
    assert [len(side) for side in common_names(empty, np.array(["RBC"]))] == [0, 1]
