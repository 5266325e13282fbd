from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.findings.arrangements import platelet_clumps, red_cell_groups
from hemato_lab.reference import load_reference
from tests.findings.conftest import table

STACK = [(10.0 + 14.0 * k, 50.0) for k in range(5)]
TIGHT = [(10.0 + 5.0 * k, 50.0) for k in range(8)]
HEAP = [(50.0, 50.0), *[(50.0 + 13 * math.cos(k), 50.0 + 13 * math.sin(k)) for k in (0, 1.2, 2.4, 3.6, 4.8)]]
BENT = [(10.0, 50.0), (24.0, 50.0), (38.0, 50.0), (38.0, 64.0), (38.0, 78.0)]
APART = [(10.0 + 21.0 * k, 50.0) for k in range(6)]
RULES = load_reference().values.measured


def circles(places: list[tuple[float, float]], name: str = "normal RBC", field: int = 0):
    return table([{"name": name, "x": x, "y": y, "radius": 10.0, "field": field} for x, y in places])


def turned(places: list[tuple[float, float]], angle: float, shift: float) -> list[tuple[float, float]]:
    cos, sin = math.cos(angle), math.sin(angle)
    return [(shift + x * cos - y * sin, shift + x * sin + y * cos) for x, y in places]


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
def test_a_stack_and_a_heap_are_what_they_are_however_they_lie(angle: float, shift: float):
    (stack,), heaps = red_cell_groups(circles(turned(STACK, angle, shift)), RULES, [0])
    assert (len(stack.rows), heaps) == (5, ())
    assert stack.circle.radius == pytest.approx((14 * 4 + 20) / 2, abs=1e-6)
    stacks, (heap,) = red_cell_groups(circles(turned(HEAP, angle, shift)), RULES, [0])
    assert (stacks, len(heap.rows)) == ((), 6)
    assert red_cell_groups(circles(turned(BENT, angle, shift)), RULES, [0]) == ((), ())


def test_the_circle_holds_every_cell_of_its_group_and_names_its_field():
    cells = circles([*HEAP, *[(x + 1000, y) for x, y in STACK]], field=3)
    (stack,), (heap,) = red_cell_groups(cells, RULES, [3])
    assert (stack.rows.tolist(), heap.rows.tolist()) == ([6, 7, 8, 9, 10], [0, 1, 2, 3, 4, 5])
    for group in (stack, heap):
        away = np.hypot(cells["x"][group.rows] - group.circle.x, cells["y"][group.rows] - group.circle.y)
        assert group.circle.field == 3
        assert (away + 10 <= group.circle.radius + 1e-9).all()
        assert group.circle.radius < 40


def test_cells_of_different_fields_do_not_lie_together():
    halves = circles(STACK).with_columns(field=np.array([0, 1, 0, 1, 0]))
    assert red_cell_groups(halves, RULES, [0, 1]) == ((), ())


def test_the_order_of_cells_does_not_matter():
    cells = circles([*HEAP, *[(x + 1000, y) for x, y in STACK]])
    order = np.random.default_rng(3).permutation(len(cells))
    for groups, others in zip(
        red_cell_groups(cells, RULES, [0]), red_cell_groups(cells.select(order), RULES, [0]), strict=True
    ):
        for group, other in zip(groups, others, strict=True):
            assert sorted(order[other.rows]) == sorted(group.rows)


@pytest.mark.parametrize(
    ("overrides", "stacks", "heaps"),
    [
        ({"rouleaux": {"least_cells": 6}}, 0, 1),
        ({"rouleaux": {"least_cells": 4.5}}, 1, 1),
        ({"rouleaux": {"least_cells": 20}}, 0, 1),
        ({"agglutination": {"least_cells": 7}}, 1, 0),
        ({"rouleaux": {"least_overlap": 0.35}}, 0, 1),
        ({"agglutination": {"least_overlap": 0.4}}, 1, 0),
        ({"rouleaux": {"largest_bend": 2.0}}, 2, 0),
    ],
)
def test_stacks_and_heaps_have_thresholds_of_their_own(overrides, stacks: int, heaps: int):
    """Cells of the stack overlap by 30 %, those of the heap by at most 35 %."""
    rules = load_reference({"measured": overrides}).values.measured
    found = red_cell_groups(circles([*HEAP, *[(x + 1000, y) for x, y in STACK]]), rules, [0])
    assert tuple(map(len, found)) == (stacks, heaps)


def test_touching_is_told_by_each_platelet_s_own_size():
    def clumps(radius: float) -> int:
        cells = circles([(30.0 * k, 0.0) for k in range(5)], "platelet").with_columns(
            radius=np.array([radius, 10.0, radius, 10.0, radius])
        )
        return len(platelet_clumps(cells, RULES, [0], np.zeros(5, bool)))

    assert [clumps(14.0), clumps(16.0)] == [0, 1]  # 1.2 times the sum of radii reaches 28.8 and 31.2


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
