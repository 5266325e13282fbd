from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from shapely import Point, Polygon, affinity

from hemato_lab.errors import ConfigError
from hemato_lab.export.shapes import area_within, boxes, cut, ellipses

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def test_outlines_are_those_that_shapely_draws(measured: Analysis):
    cells = measured.detections
    outlines = ellipses(cells, measured.smear.scale).outlines(256)
    for row in range(len(cells)):
        if np.isfinite(cells["major_axis_um"][row]):
            half = cells["major_axis_um"][row] / 0.2, cells["minor_axis_um"][row] / 0.2
            angle = float(cells["orientation_rad"][row])
        else:
            half, angle = (cells["radius"][row],) * 2, 0.0
        circle = Point(0, 0).buffer(1, quad_segs=64)
        turned = affinity.rotate(affinity.scale(circle, *half), angle, use_radians=True, origin=(0, 0))
        expected = affinity.translate(turned, cells["x"][row] + 0.5, cells["y"][row] + 0.5)
        drawn = Polygon(outlines[row])
        assert drawn.symmetric_difference(expected).area < 1e-3 * expected.area
        assert np.allclose(drawn.centroid.coords[0], expected.centroid.coords[0])


def test_a_cell_without_measured_axes_is_a_circle(measured: Analysis):
    found = ellipses(measured.detections, measured.smear.scale)
    assert found.are_circles.tolist() == [True, False, False, False, True, False]
    assert found.major[4] == 2 * measured.detections["radius"][4]
    assert ellipses(measured.detections, None).are_circles.all()
    assert len(ellipses(measured.detections.select(np.zeros(6, bool)), None)) == 0
    assert np.allclose(found.area[:4], measured.detections["area_um2"][:4] / 0.01)


def test_boxes_are_measured_where_they_are_and_end_at_the_border(measured: Analysis):
    field, cells = measured.smear.fields[1], measured.cells_of(1)
    assert boxes(cells, field)[2].tolist() == [0.0, 188.5, 15.5, 212.5]
    sides = {name: np.array([1.0, np.nan, -0.5]) for name in ("x_min", "y_min")}
    sides |= {name: np.array([9.0, np.nan, 900.0]) for name in ("x_max", "y_max")}
    found = boxes(cells.with_columns(**sides), field)
    assert found[0].tolist() == [1.5, 1.5, 9.5, 9.5]
    assert found[1].tolist() == [35.5, 275.5, 85.5, 325.5]
    assert found[2].tolist() == [0.0, 0.0, 530.0, 520.0]


def test_a_cell_outside_its_field_is_named(measured: Analysis):
    field, cells = measured.smear.fields[1], measured.cells_of(1)
    for name, value in (("x", -50.0), ("y", 600.0)):
        column = cells[name].copy()
        column[1] = value
        with pytest.raises(ConfigError, match="cell 1 of this field lies outside it"):
            boxes(cells.with_columns(**{name: column}), field)


def test_outlines_are_cut_as_shapely_cuts_them(measured: Analysis):
    for outline in ellipses(measured.detections, measured.smear.scale).outlines(24):
        left, top = outline.min(axis=0)
        right, bottom = outline.max(axis=0)
        for sides in (
            (left, top, right, bottom),
            (left + 5, top + 9, right - 3, bottom - 4),
            (left, top, left + 2, 999),
        ):
            expected = Polygon(outline).intersection(shapely.box(*sides))
            found = cut(outline, np.array(sides))
            assert area_within(found) == pytest.approx(expected.area)
            assert Polygon(found).symmetric_difference(expected).area < 1e-6
    assert len(cut(outline, np.array([1e4, 1e4, 2e4, 2e4]))) == 0


@pytest.mark.parametrize("column", ["x", "y", "radius"])
def test_a_cell_without_a_place_is_named(measured: Analysis, column: str):
    values = measured.detections[column].copy()
    values[3] = np.nan
    lost = replace(measured, detections=measured.detections.with_columns(**{column: values}))
    with pytest.raises(ConfigError, match="cell 3 has no place or size"):
        ellipses(lost.detections, lost.smear.scale)
