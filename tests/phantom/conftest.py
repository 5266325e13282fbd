"""Shared recipes: small fields that are quick to render."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hemato_lab.phantom.recipe import Camera, Illumination, Recipe
from hemato_lab.phantom.recipes import RECIPES


@pytest.fixture(scope="session")
def rich() -> Recipe:
    """Every group of cells in one small field."""
    return replace(
        RECIPES["poikilocytosis"], white_cells_per_mm2=500.0, platelets_per_mm2=1500.0, um_per_px=0.25, overlap=0.3
    )


@pytest.fixture(scope="session")
def ideal() -> Recipe:
    """A microscope without blur, noise and fall-off, over a film without plasma."""
    normal = RECIPES["normal"]
    return replace(
        normal,
        stain=replace(normal.stain, plasma=0.0),
        illumination=Illumination(level=0.9, white_balance=(1.0, 1.0, 1.0), falloff=0.0),
        camera=Camera(blur_um=0.0, defocus_um=0.0, refraction=0.0, full_well=1e9, read_noise=0.0),
    )
