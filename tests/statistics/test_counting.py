from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab import vocabulary
from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError
from hemato_lab.smear import Scale
from hemato_lab.statistics.counting import GUARD_UM, count_cells, frame_area_px, guard_px, in_frame, rolls_up_to

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCALE = Scale.from_um_per_px(0.25)  # red-cell guard 15 px, white cell 30, platelet 6


def disc(diameter: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:diameter, :diameter] - (diameter - 1) / 2
    return rows**2 + columns**2 <= diameter**2 / 4


def counted_placements(shape: NDArray[np.bool_], width: int, height: int, guard: int, least_visible: float) -> int:
    """Put a cell at every place that touches the image, cut it there, box what shows, and apply the rule.

    As many placements are counted as pixels of cell density one would hold: an exact value of the expected count.
    """
    tall, wide = shape.shape
    x_max, y_max = [], []
    for top in range(-tall, height + 1):
        for left in range(-wide, width + 1):
            seen = shape[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
            if seen.sum() > least_visible * shape.sum():
                rows, columns = np.nonzero(seen)
                x_max.append(max(0, left) + columns.max() + 0.5)
                y_max.append(max(0, top) + rows.max() + 0.5)
    return int(in_frame(np.array(x_max), np.array(y_max), width, height, guard).sum())


@pytest.mark.parametrize("least_visible", [0.0, 0.2])
@pytest.mark.parametrize("diameter", [1, 2, 5, 8, 11])
def test_the_rule_is_exactly_unbiased_for_round_cells(diameter: int, least_visible: float):
    """Also for a detector that misses cells of which less than a fifth shows."""
    guard = math.ceil(diameter / 2)
    counted = counted_placements(disc(diameter), 40, 31, guard, least_visible)
    assert counted == frame_area_px(40, 31, guard)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_with_a_guard_of_a_whole_cell_it_is_exact_for_any_shape(wide: int, tall: int, seed: int):
    shape = np.random.default_rng(seed).random((tall, wide)) < 0.6
    shape[-1, 0] = shape[0, -1] = shape[-1, -1] = True
    guard = max(wide, tall)
    assert counted_placements(shape, 16, 14, guard, 0.99) == frame_area_px(16, 14, guard)


def test_counting_whatever_shows_would_be_biased():
    """The control: what the rule corrects is large."""
    size, diameter = 40, 10
    shown = (size + diameter - 1) ** 2
    assert shown / size**2 > 1.4
    assert counted_placements(disc(diameter), size, size, 5, 0.0) / frame_area_px(size, size, 5) == 1


def test_density_of_random_cells_in_random_windows():
    """A large plane of discs, cut into fields the way a camera does; circles of four sizes at any sub-pixel place."""
    chance = np.random.default_rng(7)
    plane, field, guard = 4000, 200, 20
    count = 16_000
    x, y = chance.uniform(0, plane, (2, count))
    radius = chance.choice([6.0, 11.0, 15.0, 19.5], count)
    found = 0
    for top in range(0, plane, field):
        for left in range(0, plane, field):
            near = (abs(x - left - field / 2) < field) & (abs(y - top - field / 2) < field)
            here_x, here_y, r = x[near] - left - 0.5, y[near] - top - 0.5, radius[near]
            # pixel columns whose centres the circle covers, cut at the border
            last_x = np.minimum(np.floor(here_x + r), field - 1)
            last_y = np.minimum(np.floor(here_y + r), field - 1)
            shows = (last_x >= 0) & (last_y >= 0) & (here_x - r < field) & (here_y - r < field)
            found += in_frame(last_x[shows] + 0.5, last_y[shows] + 0.5, field, field, guard).sum()
    fields = (plane // field) ** 2
    # Fields at the edge of the plane lack the cells beyond it, which none of the counted ones are.
    density = found / (fields * frame_area_px(field, field, guard))
    assert density == pytest.approx(count / plane**2, rel=4 / math.sqrt(found))


@pytest.mark.parametrize(
    ("x_max", "y_max", "counts"),
    [
        (50.5, 50.5, True),
        (98.5, 50.5, True),  # ends one pixel before the right border
        (99.5, 50.5, False),  # ends at it: may go on beyond
        (50.5, 79.5, False),
        (15.5, 15.5, True),  # its last column is the guard's first
        (14.5, 50.5, False),
        (50.5, 14.5, False),
    ],
)
def test_cells_at_the_borders_of_the_frame(x_max: float, y_max: float, counts: bool):  # noqa: FBT001
    assert in_frame(np.array([x_max]), np.array([y_max]), 100, 80, 15).tolist() == [counts]


def test_guards_are_half_a_cell_rounded_up():
    assert [guard_px(name, SCALE) for name in vocabulary.DETECTOR_CLASSES] == [15, 30, 6]
    assert set(GUARD_UM) == set(vocabulary.DETECTOR_CLASSES)


def test_counts_by_field_class_and_lineage(make_table):
    cells = make_table(
        [
            (0, "RBC", 50, 40, 15),
            (0, "sickle cell", 60, 40, 15),
            (0, "ring trophozoite", 60, 40, 15),
            (0, "Howell-Jolly body", 60, 40, 2),  # an inclusion is no cell
            (0, "rouleaux", 60, 40, 40),
            (0, "blast", 60, 40, 10),
            (0, "nucleated RBC", 60, 40, 10),  # neither red nor white cell
            (0, "platelet", 60, 40, 5),
            (0, "artefact", 60, 40, 5),
            (1, "RBC", 190, 40, 15),  # crosses the right border
            (1, "RBC", 2, 40, 15),  # crosses the left border, its corner shows
            (2, "RBC", 50, 40, 15),
        ]
    )
    sizes = [(100, 80), (200, 80), (100, 80)]
    red = count_cells(cells, sizes, SCALE, "RBC", excluded_fields=[2])
    assert red.cells.tolist() == [3, 1, 0]
    expected_area = [84 * 64 * 0.0625e-6, 184 * 64 * 0.0625e-6, 0]
    assert red.area_mm2.tolist() == pytest.approx(expected_area)
    assert (red.n, red.fields) == (4, 2)
    assert red.total_area_mm2 == pytest.approx(sum(expected_area))
    assert count_cells(cells, sizes, SCALE, "WBC").cells.tolist() == [1, 0, 0]
    assert count_cells(cells, sizes, SCALE, "platelet").cells.tolist() == [1, 0, 0]


def test_the_measured_box_goes_before_the_circle(make_table):
    cells = make_table([(0, "RBC", 80, 40, 15)] * 3)
    sizes = [(100, 80)]
    assert count_cells(cells, sizes, SCALE, "RBC").n == 3
    measured = cells.with_columns(x_max=np.array([99.5, 98.5, np.nan]))
    assert count_cells(measured, sizes, SCALE, "RBC").n == 2
    circles = Detections({name: cells[name] for name in list(cells)[:6]})
    assert count_cells(circles, sizes, SCALE, "RBC").n == 3


def test_a_field_smaller_than_the_rule_allows_has_no_area(make_table):
    counts = count_cells(make_table([(0, "RBC", 5, 5, 4)]), [(16, 16), (1, 1)], SCALE, "RBC")
    assert (counts.n, counts.fields, counts.total_area_mm2) == (0, 0, 0)


def test_what_does_not_fit_together_is_refused(make_table):
    for field in (1, -1):
        with pytest.raises(ConfigError, match="field"):
            count_cells(make_table([(field, "RBC", 5, 5, 4)]), [(100, 100)], SCALE, "RBC")
    with pytest.raises(ConfigError, match="detector class"):
        count_cells(make_table([]), [(100, 100)], SCALE, "blast")


def test_kinds_of_a_class():
    names = np.array(list(vocabulary.TERMS))
    red = set(names[rolls_up_to(names, "RBC")])
    assert {"RBC", "schistocyte", "gametocyte", "uninfected RBC"} <= red
    assert not red & {"WBC", "nucleated RBC", "Pappenheimer body", "anisocytosis", "rouleaux"}
    assert set(names[rolls_up_to(names, "blast")]) == {"blast", "early blast", "pre blast", "pro blast"}
