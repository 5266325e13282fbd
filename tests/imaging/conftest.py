"""Pictures with known physics: painted densities for single laws, phantom fields (rendered once) for whole steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.phantom import RECIPES, Recipe, render_field
from hemato_lab.smear import ArraySource, Field

if TYPE_CHECKING:
    from collections.abc import Callable


def srgb_bytes(light: np.ndarray) -> np.ndarray:
    """Stored values of linear light by IEC 61966-2-1, which the package undoes."""
    clipped = np.clip(light, 0, 1)
    stored = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.rint(255 * stored).astype(np.uint8)


def painted_cells(shape: tuple[int, int], centres: np.ndarray, radius: float, blur: float = 1.0) -> np.ndarray:
    """How many discs cover each pixel, with soft edges, shape (height, width)."""
    rows, columns = np.indices(shape)
    cover = np.zeros(shape)
    for x, y in centres:
        cover += 1 / (1 + np.exp(np.clip((np.hypot(columns - x, rows - y) - radius) / (0.55 * blur), -50, 50)))
    return cover


def honeycomb(shape: tuple[int, int], spacing: float) -> np.ndarray:
    """Centres of a regular lattice that lie inside a picture, shape (n, 2)."""
    rows = np.arange(spacing / 2, shape[0], spacing)
    return np.array(
        [(x, y) for row, y in enumerate(rows) for x in np.arange((1 + row % 2) * spacing / 2, shape[1], spacing)]
    )


@pytest.fixture(scope="session")
def as_field() -> Callable[..., Field]:
    def make(pixels: np.ndarray, name: str = "field", um_per_px: float | None = None) -> Field:
        return Field(name, ArraySource(np.ascontiguousarray(pixels)), f"sha224-i-{name}", um_per_px)

    return make


@pytest.fixture(scope="session")
def photograph() -> Callable[[np.ndarray], np.ndarray]:
    """Picture of optical densities, shape (height, width, 3)."""
    return lambda density: srgb_bytes(10**-density)


@pytest.fixture(scope="session")
def paint() -> Callable[..., np.ndarray]:
    return painted_cells


@pytest.fixture(scope="session")
def lattice() -> Callable[[tuple[int, int], float], np.ndarray]:
    return honeycomb


Phantom = tuple[Field, Detections, Recipe]


@pytest.fixture(scope="session")
def phantom() -> Callable[..., Phantom]:
    """Render a field of a named recipe once; each change is (part of the recipe or "", setting, value)."""

    @cache
    def render(name: str, um_per_px: float, seed: int, size: tuple[int, int], changes: tuple[Any, ...]) -> Phantom:
        recipe = replace(RECIPES[name], um_per_px=um_per_px)
        for part, setting, value in changes:
            inner = replace(getattr(recipe, part), **{setting: value}) if part else None
            recipe = replace(recipe, **({part: inner} if part else {setting: value}))
        pixels, truth = render_field(recipe, seed, *size)
        return Field(name, ArraySource(pixels), "sha224-i-00"), truth, recipe

    def make(
        name: str, um_per_px: float = 0.125, *changes: Any, seed: int = 3, size: tuple[int, int] = (480, 360)
    ) -> Phantom:
        return render(name, um_per_px, seed, size, changes)

    return make
