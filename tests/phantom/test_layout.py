"""Placement: the Poisson law, independence of the region, contact and overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.stats import poisson

from hemato_lab.phantom.layout import generator, lay_out
from hemato_lab.phantom.recipe import SIZES
from hemato_lab.phantom.recipes import RECIPES

NORMAL = RECIPES["normal"]
REGION = (0.0, 0.0, 900.0, 700.0)


def test_counts_follow_the_poisson_law_of_the_densities():
    recipe = replace(NORMAL, white_cells_per_mm2=200.0, platelets_per_mm2=900.0)
    placed = lay_out(recipe, 1, 0, REGION)
    area = 0.9 * 0.7
    for names, density in (
        (recipe.red_cells, recipe.red_cells_per_mm2),
        (recipe.white_cells, recipe.white_cells_per_mm2),
        (recipe.platelets, recipe.platelets_per_mm2),
    ):
        count = np.isin(placed.name, list(names)).sum()
        assert poisson.ppf(1e-4, density * area) <= count <= poisson.ppf(1 - 1e-4, density * area)


def test_the_mix_follows_its_shares():
    placed = lay_out(RECIPES["sickle"], 2, 0, REGION)
    red = np.isin(placed.name, list(RECIPES["sickle"].red_cells))
    share = (placed.name[red] == "sickle cell").mean()
    assert share == pytest.approx(0.14, abs=4 * np.sqrt(0.14 * 0.86 / red.sum()))


def test_diameters_follow_their_size():
    placed = lay_out(NORMAL, 3, 0, REGION)
    diameters = placed.diameter[placed.name == "normal RBC"]
    size = SIZES["normal RBC"]
    assert diameters.mean() == pytest.approx(size.mean_um, rel=0.005)
    # Cutting the log-normal law at 2.5 standard deviations takes 5 % off the spread.
    assert diameters.std() / diameters.mean() == pytest.approx(size.variation, rel=0.08)


@settings(max_examples=8, deadline=None)
@given(
    x0=st.floats(-300, 800),
    y0=st.floats(-300, 800),
    width=st.floats(1, 150),
    height=st.floats(1, 150),
    seed=st.integers(0, 2**40),
)
def test_a_region_holds_the_cells_that_a_larger_one_has_there(x0, y0, width, height, seed):
    recipe = replace(NORMAL, white_cells_per_mm2=300.0)
    part = lay_out(recipe, seed, 1, (x0, y0, x0 + width, y0 + height))
    whole = lay_out(recipe, seed, 1, (x0 - 90, y0 - 60, x0 + width + 70, y0 + height + 110))
    inside = whole.select((whole.x >= x0) & (whole.x < x0 + width) & (whole.y >= y0) & (whole.y < y0 + height))
    for column in ("name", "x", "y", "diameter", "key"):
        np.testing.assert_array_equal(getattr(part, column), getattr(inside, column))


def close_share(overlap, density=7000.0):
    placed = lay_out(replace(NORMAL, overlap=overlap, red_cells_per_mm2=density), 4, 0, REGION)
    placed = placed.select(placed.name == "normal RBC")
    tree = cKDTree(np.column_stack([placed.x, placed.y]))
    first, second = tree.query_pairs(12, output_type="ndarray").T
    distance = np.hypot(placed.x[first] - placed.x[second], placed.y[first] - placed.y[second])
    deep = distance < 0.9 * (placed.diameter[first] + placed.diameter[second]) / 2
    return len(np.unique(np.concatenate([first[deep], second[deep]]))) / len(placed)


def test_overlap_is_what_the_recipe_asks_for():
    none, some, many = close_share(0.0), close_share(0.1), close_share(0.5)
    assert none < 0.02
    assert 0.05 < some < 0.25
    assert many > 2 * some


def test_cells_of_different_fields_and_seeds_differ():
    first = lay_out(NORMAL, 5, 0, REGION)
    assert len(set(first.x) & set(lay_out(NORMAL, 5, 1, REGION).x)) == 0
    assert len(set(first.x) & set(lay_out(NORMAL, 6, 0, REGION).x)) == 0


def test_an_empty_recipe_gives_no_cells():
    empty = replace(NORMAL, red_cells_per_mm2=0.0, white_cells_per_mm2=0.0, platelets_per_mm2=0.0)
    assert len(lay_out(empty, 1, 0, REGION)) == 0


def test_generators_depend_on_the_place_alone():
    assert generator(1, 2, -3, 4).random() == generator(1, 2, -3, 4).random()
    assert generator(1, 2, -3, 4).random() != generator(1, 2, 3, 4).random()
