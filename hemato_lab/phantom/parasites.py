"""Red cells with malaria parasites, falciparum-like (DOMAIN.md section 3.3)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np

from hemato_lab.phantom.drawing import (
    Amounts,
    DrawnCell,
    Dye,
    Floats,
    ellipse_distance,
    grain,
    round_bodies,
    scatter_inside,
    smooth_step,
)
from hemato_lab.phantom.outline import THETA, ellipse_radii, outline_of_area, wavy_circle
from hemato_lab.phantom.red_cells import DRAWERS as RED_CELL_DRAWERS
from hemato_lab.phantom.red_cells import with_dots


def _place(rng: np.random.Generator, diameter_um: float, nearest: float, farthest: float) -> tuple[float, float]:
    distance, direction = rng.uniform(nearest, farthest) * diameter_um / 2, rng.uniform(0, 2 * np.pi)
    return float(distance * np.cos(direction)), float(distance * np.sin(direction))


def _around(centre: tuple[float, float], distance: float, directions: Floats) -> Floats:
    return np.column_stack([centre[0] + distance * np.cos(directions), centre[1] + distance * np.sin(directions)])


def _ring(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    """Draw a thin blue ring, less than a third of the cell wide, with one or two chromatin dots on it."""
    host = RED_CELL_DRAWERS["normal RBC"](rng, diameter_um)
    centre = _place(rng, diameter_um, 0.15, 0.58)
    radius, tilt, aspect = rng.uniform(0.75, 1.1), float(rng.uniform(0, np.pi)), rng.uniform(1.0, 1.3)
    axes = (float(radius * np.sqrt(aspect)), float(radius / np.sqrt(aspect)))
    first = rng.uniform(0, 2 * np.pi)
    directions = np.array([first, first + rng.uniform(0.9, 2.8)])[: 2 if rng.random() < 0.25 else 1]
    dots = _around(centre, radius, directions)
    strength = rng.uniform(0.75, 1.1)

    def paint(u: Floats, v: Floats) -> Amounts:
        painted = dict(host.paint(u, v))
        distance = ellipse_distance(u, v, centre, axes, tilt)
        thicker = 1 + 0.5 * np.cos(np.arctan2(v - centre[1], u - centre[0]) - first - np.pi)
        ring = np.exp(-0.5 * (distance / 0.17) ** 2) * thicker
        vacuole = smooth_step(distance, 0.3)
        painted[Dye.HAEMOGLOBIN] = painted[Dye.HAEMOGLOBIN] * (1 - 0.35 * vacuole)
        painted[Dye.AZURE] = strength * ring
        painted[Dye.ROMANOWSKY] = 0.12 * ring
        return painted

    count = len(dots)
    return with_dots(
        DrawnCell(host.outline, paint),
        dots,
        rng.uniform(0.27, 0.36, count),
        rng.uniform(1.1, 1.6, count),
        Dye.ROMANOWSKY,
    )


def _trophozoite(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    """Draw a solid blue body with a pale vacuole, one large chromatin mass and brown pigment."""
    host = RED_CELL_DRAWERS["normal RBC"](rng, diameter_um)
    centre = _place(rng, diameter_um, 0.0, 0.35)
    size = rng.uniform(1.5, 2.2)
    axes = (float(size * rng.uniform(1.0, 1.3)), float(size * rng.uniform(0.75, 1.0)))
    tilt = float(rng.uniform(0, np.pi))
    vacuole = _around(centre, size * 0.35, rng.uniform(0, 2 * np.pi, 1))[0]
    hole = float(rng.uniform(0.25, 0.42) * size)
    texture = grain(rng, diameter_um, 0.6)
    strength = rng.uniform(0.85, 1.2)

    def paint(u: Floats, v: Floats) -> Amounts:
        painted = dict(host.paint(u, v))
        border = ellipse_distance(u, v, centre, axes, tilt) + 0.2 * texture(u, v)
        pale = 0.8 * smooth_step(np.hypot(u - vacuole[0], v - vacuole[1]) - hole, 0.4)
        body = smooth_step(border, 0.35) * (1 - pale)
        painted[Dye.HAEMOGLOBIN] = painted[Dye.HAEMOGLOBIN] * (1 - 0.55 * smooth_step(border, 0.35))
        painted[Dye.AZURE] = strength * body
        painted[Dye.ROMANOWSKY] = 0.22 * body
        return painted

    chromatin = _around(centre, size * 0.75, rng.uniform(0, 2 * np.pi, 1))
    cell = with_dots(
        DrawnCell(host.outline, paint), chromatin, rng.uniform(0.38, 0.5, 1), rng.uniform(1.1, 1.5, 1), Dye.ROMANOWSKY
    )
    return _with_pigment(rng, cell, centre, spread=0.55 * size, grains=int(rng.integers(3, 9)), size=0.16)


def _schizont(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    """Draw eight to twenty merozoites, each a chromatin dot in a little cytoplasm, around a lump of pigment."""
    host = RED_CELL_DRAWERS["normal RBC"](rng, diameter_um)
    wanted = int(rng.integers(8, 21))
    chosen: list[Floats] = []
    for place in scatter_inside(rng, 600, host.outline, 0.72):
        if len(chosen) < wanted and all(np.hypot(*(place - other)) > 0.85 for other in chosen):
            chosen.append(place)
    merozoites = np.array(chosen)
    count = len(merozoites)
    sizes = rng.uniform(0.24, 0.31, count)
    strengths = rng.uniform(0.8, 1.3, count)

    def paint(u: Floats, v: Floats) -> Amounts:
        painted = dict(host.paint(u, v))
        cytoplasm = np.minimum(round_bodies(u, v, merozoites, np.full(count, 0.55), np.full(count, 0.6)), 0.8)
        painted[Dye.HAEMOGLOBIN] = painted[Dye.HAEMOGLOBIN] * (1 - 0.5 * cytoplasm)
        painted[Dye.AZURE] = cytoplasm
        painted[Dye.ROMANOWSKY] = 0.15 * cytoplasm
        return painted

    cell = with_dots(DrawnCell(host.outline, paint), merozoites, sizes, strengths, Dye.ROMANOWSKY)
    return _with_pigment(rng, cell, (0.0, 0.0), spread=0.35, grains=6, size=0.26)


def _gametocyte(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    """Draw the crescent of Plasmodium falciparum: rounded ends, pigment and chromatin in the middle."""
    radii = ellipse_radii(rng.uniform(2.7, 3.5)) * (1 + 0.03 * np.cos(4 * THETA)) * wavy_circle(rng, 0.015)
    outline = outline_of_area(radii, diameter_um, bend=rng.uniform(0.15, 0.4), angle=float(rng.uniform(-np.pi, np.pi)))
    texture = grain(rng, outline.reach, 0.5)
    blue, red = rng.uniform(0.35, 0.75), rng.uniform(0.2, 0.5)
    middle = outline.pole

    def paint(u: Floats, v: Floats) -> Amounts:
        rho = outline.normalised_radius(u, v)
        inside = np.sqrt(np.clip(1 - rho**8, 0, None)) * (1 + 0.1 * texture(u, v))
        nucleus = np.exp(-0.5 * (((u - middle[0]) / 1.3) ** 2 + ((v - middle[1]) / 0.8) ** 2)) * inside
        return {
            Dye.HAEMOGLOBIN: red * inside,
            Dye.AZURE: blue * inside,
            Dye.ROMANOWSKY: 0.12 * inside + 0.45 * nucleus,
        }

    grains = int(rng.integers(8, 18))
    return _with_pigment(rng, DrawnCell(outline, paint), middle, spread=1.1, grains=grains, size=0.17)


def _with_pigment(
    rng: np.random.Generator,
    cell: DrawnCell,
    centre: tuple[float, float],
    *,
    spread: float,
    grains: int,
    size: float,
) -> DrawnCell:
    places = np.asarray(centre) + rng.normal(0, spread / 1.5, (grains, 2))
    return with_dots(cell, places, np.full(grains, size), rng.uniform(0.4, 0.8, grains), Dye.PIGMENT)


DRAWERS: Final = MappingProxyType(
    {
        "ring trophozoite": _ring,
        "trophozoite": _trophozoite,
        "schizont": _schizont,
        "gametocyte": _gametocyte,
    }
)
"""How each infected red cell of the vocabulary is drawn."""
