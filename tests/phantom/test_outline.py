"""Outlines against closed forms, matplotlib's point-in-polygon and scikit-image's region properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path
from skimage.draw import polygon2mask
from skimage.measure import regionprops

from hemato_lab.phantom.outline import (
    THETA,
    ellipse_of_polygon,
    ellipse_radii,
    outline_of_area,
    polygon_area,
    polygon_centroid,
    polygon_perimeter,
    wavy_circle,
)
from hemato_lab.phantom.red_cells import crescent_radii

shapes = {
    "aspect": st.floats(1, 3),
    "bend": st.floats(-0.5, 0.5),
    "angle": st.floats(-3.2, 3.2),
    "diameter": st.floats(0.5, 25),
}


@settings(max_examples=50, deadline=None)
@given(**shapes)
def test_area_is_that_of_the_disc_and_the_origin_its_centre(aspect, bend, angle, diameter):
    polygon = outline_of_area(ellipse_radii(aspect), diameter, bend=bend, angle=angle).polygon()
    assert polygon_area(polygon) == pytest.approx(np.pi * diameter**2 / 4, rel=1e-9)
    np.testing.assert_allclose(polygon_centroid(polygon), 0, atol=1e-9 * diameter)


def test_ellipse_has_its_axes_and_orientation():
    polygon = outline_of_area(ellipse_radii(2.25), 8.0, angle=0.4).polygon()
    major, minor, orientation = ellipse_of_polygon(polygon + np.array([100.0, -50.0]))
    assert (major, minor, orientation) == pytest.approx((12.0, 16 / 3, 0.4), rel=2e-4)


def test_circle_has_its_circumference():
    polygon = outline_of_area(np.ones(len(THETA)), 6.0).polygon()
    assert polygon_perimeter(polygon) == pytest.approx(6 * np.pi, rel=1e-4)


def test_pointed_lens_has_the_area_between_two_parabolas():
    radii = crescent_radii(3.0)
    polygon = np.column_stack([radii * np.cos(THETA), radii * np.sin(THETA)])
    # |v| <= h (1 - (u / a)^2) with h = 1, a = 3: area 8 a h / 3. The tips fall between directions, hence 0.2 %.
    assert polygon_area(polygon) == pytest.approx(8.0, rel=2e-3)
    assert polygon[:, 0].max() == pytest.approx(3.0, rel=1e-6)


def test_moments_agree_with_scikit_image():
    outline = outline_of_area(crescent_radii(2.5), 60.0, bend=0.4, angle=0.9)
    polygon = outline.polygon() + 60.0
    region = regionprops(polygon2mask((120, 120), polygon[:, ::-1]).astype(int))[0]
    major, minor, _ = ellipse_of_polygon(polygon)
    assert region.area == pytest.approx(polygon_area(polygon), rel=0.01)
    assert region.axis_major_length == pytest.approx(major, rel=0.01)
    assert region.axis_minor_length == pytest.approx(minor, rel=0.02)
    assert region.centroid == pytest.approx((60, 60), abs=0.3)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), **shapes)
def test_normalised_radius_is_one_on_the_curve_and_tells_inside_from_outside(seed, aspect, bend, angle, diameter):
    rng = np.random.default_rng(seed)
    outline = outline_of_area(ellipse_radii(aspect) * wavy_circle(rng, 0.05), diameter, bend=bend, angle=angle)
    polygon = outline.polygon()
    on_curve = outline.normalised_radius(*outline.local_frame(*polygon.T))
    np.testing.assert_allclose(on_curve, 1, rtol=1e-9)
    points = rng.uniform(-diameter, diameter, (500, 2))
    radius = outline.normalised_radius(*outline.local_frame(*points.T))
    clear = np.abs(radius - 1) > 0.01
    np.testing.assert_array_equal(Path(polygon).contains_points(points)[clear], (radius < 1)[clear])


def test_wavy_circle_varies_as_much_as_asked():
    rng = np.random.default_rng(1)
    spread = [np.std(wavy_circle(rng, 0.02)) for _ in range(400)]
    assert np.sqrt(np.mean(np.square(spread))) == pytest.approx(0.02, rel=0.05)
