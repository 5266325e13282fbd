from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.findings.arrangements import platelet_clumps, red_cell_groups

STACK = [(10.0 + 14.0 * k, 50.0) for k in range(5)]
TIGHT = [(10.0 + 5.0 * k, 50.0) for k in range(8)]
HEAP = [(50.0, 50.0), *[(50.0 + 13 * math.cos(k), 50.0 + 13 * math.sin(k)) for k in (0, 1.2, 2.4, 3.6, 4.8)]]
BENT = [(10.0, 50.0), (24.0, 50.0), (38.0, 50.0), (38.0, 64.0), (38.0, 78.0)]
APART = [(10.0 + 21.0 * k, 50.0) for k in range(6)]


@pytest.mark.parametrize(
    ("places", "stacks", "heaps"),
    [
        (STACK, 1, 0),
        (TIGHT, 1, 0),
        (STACK[:4], 1, 0),
        (STACK[:3], 0, 0),
        (HEAP, 0, 1),
        (HEAP[:4], 0, 0),
        (BENT, 0, 0),
        (APART, 0, 0),
    ],
)
def test_a_line_is_a_stack_and_a_heap_a_clump(make_circles, reference, places, stacks: int, heaps: int):
    rouleaux, agglutinated = red_cell_groups(make_circles(places), reference.measured, [0])
    assert (len(rouleaux), len(agglutinated)) == (stacks, heaps)


def test_only_the_given_fields_are_looked_at(make_circles, reference):
    assert red_cell_groups(make_circles(STACK, field=1), reference.measured, [0]) == ((), ())
    assert len(red_cell_groups(make_circles(STACK, field=1), reference.measured, [1])[0]) == 1


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 2 * math.pi), st.floats(-500, 500))
def test_a_stack_is_one_however_it_lies(reference_rules, circles, angle: float, shift: float):
    turned = [
        (shift + x * math.cos(angle) - y * math.sin(angle), shift + x * math.sin(angle) + y * math.cos(angle))
        for x, y in STACK
    ]
    (group,), heaps = red_cell_groups(circles(turned), reference_rules, [0])
    assert (len(group.rows), heaps) == (5, ())
    assert group.circle.radius == pytest.approx((14 * 4 + 20) / 2, abs=1e-6)


@pytest.fixture(scope="module")
def reference_rules():
    from hemato_lab.reference import load_reference

    return load_reference().values.measured


@pytest.fixture(scope="module")
def circles():
    from tests.findings.conftest import table

    return lambda places: table([{"name": "normal RBC", "x": x, "y": y, "radius": 10.0} for x, y in places])


@pytest.mark.parametrize(("count", "gap", "clumps"), [(5, 20.0, 1), (4, 20.0, 0), (5, 23.5, 1), (5, 26.0, 0)])
def test_five_touching_platelets_are_a_clump(make_circles, reference, count: int, gap: float, clumps: int):
    """At least 5 touching (DOMAIN.md section 3.5)."""
    cells = make_circles([(gap * k, 0.0) for k in range(count)], "platelet")
    nothing = np.zeros(count, bool)
    assert len(platelet_clumps(cells, reference.measured, [0], nothing)) == clumps


def test_a_ragged_body_is_a_clump_of_its_own_unless_it_lies_in_one(make_circles, reference):
    cells = make_circles([*[(20.0 * k, 0.0) for k in range(5)], (500.0, 0.0)], "platelet")
    ragged = np.array([True, False, False, False, False, True])
    groups = platelet_clumps(cells, reference.measured, [0], ragged)
    assert sorted(len(group.rows) for group in groups) == [1, 5]
