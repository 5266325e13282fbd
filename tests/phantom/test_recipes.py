"""Recipes: the named ones and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hemato_lab.errors import ConfigError
from hemato_lab.phantom.recipe import Recipe
from hemato_lab.phantom.recipes import RECIPES, named_recipe


def test_the_named_recipes():
    expected = {"normal", "malaria", "sickle", "acute_leukaemia", "iron_deficiency", "spherocytosis", "microangiopathy"}
    assert expected <= set(RECIPES)
    assert all(recipe.name == name and recipe.description for name, recipe in RECIPES.items())


def test_the_healthy_ratios_give_healthy_concentrations():
    # DOMAIN.md 2.5: conc_X = n_X / n_RBC x 5 million per uL; section 4: reference ranges
    normal = RECIPES["normal"]
    per_red_cell = 5e6 / normal.red_cells_per_mm2
    assert 4_000 <= normal.white_cells_per_mm2 * per_red_cell <= 10_000
    assert 150_000 <= normal.platelets_per_mm2 * per_red_cell <= 410_000
    assert 3_000 <= normal.red_cells_per_mm2 <= 12_000


def test_microangiopathy_has_few_platelets_and_leukaemia_many_blasts():
    low = RECIPES["microangiopathy"]
    assert low.platelets_per_mm2 / low.red_cells_per_mm2 * 5e6 < 50_000
    assert RECIPES["acute_leukaemia"].white_cells["blast"] >= 0.2


@pytest.mark.parametrize(
    "changes",
    [
        {"red_cells": {"normal RBC": 0.9}},
        {"red_cells": {"no such cell": 1.0}},
        {"red_cells": {"rouleaux": 1.0}},
        {"red_cells": {"normal RBC": 1.5, "spherocyte": -0.5}},
        {"white_cells": {}},
        {"red_cells_per_mm2": -1.0},
        {"platelets_per_mm2": float("nan")},
        {"um_per_px": 0.0},
        {"um_per_px": 3.0},
        {"overlap": 1.5},
    ],
)
def test_impossible_recipes_are_refused(changes):
    with pytest.raises(ConfigError):
        replace(RECIPES["normal"], **changes)


def test_a_group_without_cells_needs_no_mix():
    assert Recipe("bare", "", white_cells={}, white_cells_per_mm2=0.0).white_cells == {}


def test_the_ruler_sets_the_pixels_per_red_cell():
    assert replace(RECIPES["normal"], um_per_px=0.15).rbc_diameter_px == pytest.approx(50)


def test_an_unknown_name_lists_the_known_ones():
    assert named_recipe("sickle") is RECIPES["sickle"]
    with pytest.raises(ConfigError, match="malaria"):
        named_recipe("no such recipe")
