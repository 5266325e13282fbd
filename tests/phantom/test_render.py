"""Fields and windows: additivity, exact truth, independence, and what a plain threshold sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label, regionprops

from hemato_lab import vocabulary
from hemato_lab.errors import ConfigError
from hemato_lab.phantom import render_field
from hemato_lab.phantom.recipes import RECIPES
from hemato_lab.phantom.render import Scene
from hemato_lab.phantom.truth import FEATURES, reaching_in, truth_table
from hemato_lab.smear import Window

BOX = ("x_min", "y_min", "x_max", "y_max")


def density(pixels, empty):
    """Optical density of sRGB pixels against the linear brightness of the empty field."""
    share = pixels / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return -np.log10(np.maximum(linear, 1e-4) / empty)


def test_amounts_of_overlapping_cells_are_the_sum_of_each_alone(rich):
    scene = Scene(rich, 1, 200, 160)
    cells = scene.draw(scene.place(scene.window))
    together = scene.amounts(cells, scene.window)
    alone = sum(scene.amounts([cell], scene.window).astype(float) for cell in cells)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    covered = sum((scene.amounts([cell], scene.window).sum(axis=0) > 0.1).astype(int) for cell in cells)
    assert (covered > 1).any()


@settings(max_examples=6, deadline=None)
@given(st.tuples(st.integers(0, 300), st.integers(0, 200), st.integers(1, 180), st.integers(1, 150)), st.integers(0, 3))
def test_a_window_is_the_crop_of_the_whole_field(rich, box, seed):
    x, y, width, height = box
    window = Window(x, y, x + width, y + height)
    whole, truth = render_field(rich, seed, 500, 360)
    part, seen = render_field(rich, seed, 500, 360, window=window)
    np.testing.assert_array_equal(part, whole[window.slices()])
    owned = truth.select(np.array([window.owns(*place) for place in zip(truth["x"], truth["y"], strict=True)], bool))
    for column in truth:
        if column not in (*BOX, "on_border"):
            np.testing.assert_array_equal(seen[column], owned[column])


def test_a_field_is_part_of_a_larger_one_of_the_same_seed(rich):
    even = replace(rich, illumination=replace(rich.illumination, falloff=0.0))
    small, _ = render_field(even, 2, 120, 90)
    large, _ = render_field(even, 2, 300, 200)
    np.testing.assert_array_equal(small, large[:90, :120])


def test_same_seed_same_pixels_other_seed_or_field_others(rich):
    first, truth = render_field(rich, 3, 150, 120)
    again, same = render_field(rich, 3, 150, 120)
    np.testing.assert_array_equal(first, again)
    assert truth == same
    assert not np.array_equal(first, render_field(rich, 4, 150, 120)[0])
    other, numbered = render_field(rich, 3, 150, 120, field=1)
    assert not np.array_equal(first, other)
    assert set(numbered["field"].tolist()) == {1}


def test_truth_is_measured_on_the_amounts_of_each_cell(rich):
    fine = replace(rich, um_per_px=0.05)
    scene = Scene(fine, 5, 900, 800)
    cells = scene.draw(scene.place(scene.window))
    truth = truth_table(cells, scene.window, 0.05)
    seen = 0
    for cell in cells:
        row = np.flatnonzero((truth["x"] == cell.x_um / 0.05) & (truth["y"] == cell.y_um / 0.05))
        if len(row) == 0 or truth["on_border"][row[0]] or vocabulary.detector_class(cell.name) != vocabulary.RBC:
            continue
        mask = scene.amounts([cell], scene.window).sum(axis=0) > 1e-6
        rows, columns = np.nonzero(mask)
        box = [columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5]
        np.testing.assert_allclose([truth[side][row[0]] for side in BOX], box, atol=1.6)
        assert mask.sum() * 0.05**2 == pytest.approx(truth["area_um2"][row[0]], rel=0.02)
        assert (columns.mean(), rows.mean()) == pytest.approx((truth["x"][row[0]], truth["y"][row[0]]), abs=0.6)
        assert truth["radius"][row[0]] ** 2 * np.pi * 0.05**2 == pytest.approx(truth["area_um2"][row[0]], rel=1e-4)
        seen += 1
    assert seen >= 5


def test_truth_lists_the_cells_whose_centre_lies_inside_and_cuts_their_boxes(rich):
    window = Window(40, 30, 240, 200)
    _, truth = render_field(rich, 6, 500, 400, window=window)
    assert truth.features == FEATURES
    assert all(window.owns(x, y) for x, y in zip(truth["x"], truth["y"], strict=True))
    assert truth["x_min"].min() >= 39.5
    assert truth["y_max"].max() <= 199.5
    touching = (
        (truth["x_min"] == 39.5) | (truth["y_min"] == 29.5) | (truth["x_max"] == 239.5) | (truth["y_max"] == 199.5)
    )
    np.testing.assert_array_equal(touching, truth["on_border"] == 1)
    assert touching.any()


def test_cells_that_reach_in_are_given_apart(rich):
    scene = Scene(rich, 6, 300, 300)
    window = Window(100, 100, 200, 200)
    cells = scene.draw(scene.place(window))
    owned = len(truth_table(cells, window, rich.um_per_px))
    outside = reaching_in(cells, window, rich.um_per_px)
    alone = [scene.amounts([cell], window).max() > 0 for cell in cells]
    assert owned < owned + len(outside) <= sum(alone) + 1
    for _, (x_min, y_min, x_max, y_max) in outside:
        assert 99.5 <= x_min < x_max <= 199.5
        assert 99.5 <= y_min < y_max <= 199.5


def test_overlapped_is_told_by_the_outlines(rich):
    scene = Scene(rich, 7, 240, 200)
    cells = scene.draw(scene.place(scene.window))
    truth = truth_table(cells, scene.window, rich.um_per_px)
    grown = scene.window.expand(60)
    masks = {(cell.x_um, cell.y_um): scene.amounts([cell], grown).sum(axis=0) > 0.25 for cell in cells}
    total = sum(mask.astype(int) for mask in masks.values())
    for row in range(len(truth)):
        x, y = truth["x"][row] * rich.um_per_px, truth["y"][row] * rich.um_per_px
        own = min(masks, key=lambda place: np.hypot(place[0] - x, place[1] - y))
        if (total[masks[own]] > 1).sum() > 4:
            assert truth["overlapped"][row] == 1


def test_red_cells_have_the_stated_density_in_the_picture(ideal):
    recipe = replace(ideal, red_cells={"spherocyte": 1.0}, white_cells_per_mm2=0.0, platelets_per_mm2=0.0, overlap=0.0)
    pixels, truth = render_field(recipe, 1, 320, 240)
    for x, y, overlapped in zip(truth["x"], truth["y"], truth["overlapped"], strict=True):
        row, column = round(y), round(x)
        if overlapped or not (0 <= row < 240 and 0 <= column < 320):
            continue
        measured = density(pixels[row, column].astype(float), 0.9)
        ratio = measured / np.array(recipe.stain.haemoglobin)
        # A spherocyte's middle holds 1.35 units, 7 % more or less from cell to cell.
        np.testing.assert_allclose(ratio, ratio[1], rtol=0.05)
        assert 1.05 < ratio[1] < 1.75


def test_an_empty_film_shows_the_lamp(ideal):
    empty = replace(ideal, red_cells_per_mm2=0.0, white_cells_per_mm2=0.0, platelets_per_mm2=0.0)
    pixels, truth = render_field(empty, 1, 20, 10)
    assert len(truth) == 0
    # sRGB of 0.9 linear by IEC 61966-2-1
    assert set(pixels.ravel().tolist()) <= {243, 244}


def test_a_threshold_on_red_density_finds_the_white_cells():
    recipe = replace(RECIPES["differential"], white_cells_per_mm2=700.0, red_cells_per_mm2=5000.0, um_per_px=0.15)
    pixels, truth = render_field(recipe, 8, 900, 700)
    empty = 0.84 * np.array(recipe.illumination.white_balance)
    dark = density(pixels.astype(float), empty)[..., 0] > 0.33
    nuclei = [region.centroid[::-1] for region in regionprops(label(dark)) if region.area * 0.15**2 > 6]
    white = [vocabulary.detector_class(name) == vocabulary.WBC for name in truth["name"].tolist()]
    inner = truth.select(np.array(white) & (truth["on_border"] == 0))
    assert len(inner) > 3
    for x, y, radius in zip(inner["x"], inner["y"], inner["radius"], strict=True):
        assert any(np.hypot(x - u, y - v) < radius for u, v in nuclei)
    red = truth.select(~np.array(white))
    large = red.select(red["equivalent_diameter_um"] > 6)
    for x, y in zip(large["x"], large["y"], strict=True):
        assert not any(np.hypot(x - u, y - v) < 4 for u, v in nuclei)


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": 0},
        {"seed": -1},
        {"window": Window(0, 0, 0, 5)},
        {"window": Window(90, 0, 101, 5)},
        {"window": Window(-1, 0, 5, 5)},
    ],
)
def test_impossible_requests_are_refused(arguments, ideal):
    with pytest.raises(ConfigError):
        render_field(**{"recipe": ideal, "seed": 1, "width": 100, "height": 50, **arguments})


def test_one_pixel_is_a_field(ideal):
    pixels, _ = render_field(ideal, 1, 1, 1)
    assert pixels.shape == (1, 1, 3)
