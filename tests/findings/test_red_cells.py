"""Rules on what is measured, with cells made to lie on either side of each threshold."""

from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.findings.red_cells import (
    FEWEST_FOR_MEDIAN,
    HYPOCHROMIC,
    POLYCHROMATIC,
    SPHEROCYTE,
    judged,
    measured_shapes,
    red_cells,
    relative_red_cells,
)

BALL = {"equivalent_diameter_um": 6.0, "pallor_ratio": 0.0, "od_green": 0.26, "od_red": 0.124, "od_blue": 0.2}
BLUE = {"equivalent_diameter_um": 8.5, "pallor_ratio": 0.0, "od_green": 0.25, "od_red": 0.19}
PALE = {"od_green": 0.14, "od_red": 0.066, "pallor_ratio": 0.5}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (BALL, SPHEROCYTE),
        (BLUE, POLYCHROMATIC),
        (PALE, HYPOCHROMIC),
        ({"pallor_ratio": 0.6}, HYPOCHROMIC),
        ({**BALL, "equivalent_diameter_um": 7.5}, None),
        ({**BALL, "circularity": 0.9}, None),
        ({**BALL, "pallor_ratio": 0.3}, None),
        ({**BALL, "od_green": 0.20, "od_red": 0.095}, None),
        ({**BLUE, "equivalent_diameter_um": 6.8}, None),
        ({**BLUE, "od_red": 0.12}, None),
        ({**BLUE, "od_green": 0.165, "od_red": 0.10}, None),
        ({**BLUE, "parasite_score": 0.5}, None),
        ({**PALE, "parasite_score": 0.5}, None),
        ({**BALL, "parasite_score": 0.5}, None),
        ({**PALE, "parasite_score": 0.05}, HYPOCHROMIC),
        ({}, None),
    ],
)
def test_a_cell_is_what_its_measurements_say(make_cells, make_red_cell, reference, changes, name):
    cells = make_cells([*[make_red_cell() for _ in range(60)], make_red_cell(**changes)])
    shapes = measured_shapes(cells, reference.measured)
    assert {one for one, mask in shapes.items() if mask[60]} == ({name} if name else set())
    assert not any(mask[:60].any() for mask in shapes.values())


@pytest.mark.parametrize("changes", [{"on_border": 1.0}, {"overlapped": 1.0}, {"od_green": np.nan}])
def test_cut_and_overlapped_and_unmeasured_cells_are_not_judged(make_cells, make_red_cell, reference, changes):
    cells = make_cells([*[make_red_cell() for _ in range(60)], make_red_cell(**BALL | changes)])
    assert not measured_shapes(cells, reference.measured)[SPHEROCYTE][60]
    assert judged(cells)[60] == ("od_green" in changes)


def test_stain_does_not_decide(make_cells, make_red_cell, reference):
    """The same smear stained twice as strongly has the same findings."""
    cells = make_cells([*[make_red_cell() for _ in range(60)], make_red_cell(**BALL), make_red_cell(**BLUE)])
    stronger = cells.with_columns(**{column: 2 * cells[column] for column in ("od_red", "od_green", "od_blue")})
    first, second = (measured_shapes(one, reference.measured) for one in (cells, stronger))
    for name, mask in first.items():
        np.testing.assert_array_equal(mask, second[name])


def test_too_few_cells_have_no_median(make_cells, make_red_cell, reference):
    few = make_cells([make_red_cell() for _ in range(FEWEST_FOR_MEDIAN - 1)])
    assert relative_red_cells(few) is None
    assert measured_shapes(few, reference.measured) == {}


def test_nucleated_red_cells_and_others_are_no_red_cells(make_circles):
    for name, is_red in (("RBC", True), ("ring trophozoite", True), ("nucleated RBC", False), ("platelet", False)):
        assert red_cells(make_circles([(0, 0)], name)).tolist() == [is_red]
