"""Platelets, their clumps, and precipitated stain, which looks like them (DOMAIN.md sections 3.5 and 8)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np

from hemato_lab.phantom.drawing import (
    Amounts,
    DrawnCell,
    Dye,
    Floats,
    grain,
    round_bodies,
    scatter_inside,
    smooth_step,
)
from hemato_lab.phantom.outline import ellipse_radii, outline_of_area, wavy_circle
from hemato_lab.phantom.recipe import SIZES


def _platelet(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    """Draw a pale blue-lilac border with purple granules towards the middle."""
    radii = ellipse_radii(1 + abs(rng.normal(0, 0.2))) * wavy_circle(rng, 0.06, 5)
    outline = outline_of_area(radii, diameter_um, angle=float(rng.uniform(-np.pi, np.pi)))
    granules = scatter_inside(rng, int(rng.uniform(2.2, 4.0) * diameter_um**2), outline, 0.78)
    sizes = rng.uniform(0.12, 0.24, len(granules))
    strengths = rng.uniform(0.25, 0.6, len(granules))
    body, blue = rng.uniform(0.20, 0.34), rng.uniform(0.15, 0.38)

    def paint(u: Floats, v: Floats) -> Amounts:
        rho = outline.normalised_radius(u, v)
        inside = smooth_step((rho - 1) * diameter_um / 2, 0.3)
        dome = inside * np.clip(1.15 - 0.5 * rho**2, 0, None)
        dots = round_bodies(u, v, granules, sizes, strengths) * inside
        return {Dye.AZURE: blue * dome, Dye.ROMANOWSKY: body * dome + dots}

    return DrawnCell(outline, paint)


def _clump(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    """Draw five or more touching platelets as one body with one outline."""
    outline = outline_of_area(wavy_circle(rng, 0.13, 8), diameter_um, angle=float(rng.uniform(-np.pi, np.pi)))
    one = SIZES["platelet"].mean_um
    members: list[tuple[Floats, DrawnCell]] = []
    for place in scatter_inside(rng, 400, outline, 0.85):
        if all(np.hypot(*(place - other)) > 0.72 * one for other, _ in members):
            members.append((place, _platelet(rng, one * float(rng.uniform(0.85, 1.2)))))

    def paint(u: Floats, v: Floats) -> Amounts:
        inside = smooth_step((outline.normalised_radius(u, v) - 1) * diameter_um / 2, 0.4)
        total = {Dye.AZURE: 0.12 * inside, Dye.ROMANOWSKY: 0.08 * inside}
        for place, member in members:
            painted = member.paint(*member.outline.local_frame(u - place[0], v - place[1]))
            for dye, amount in painted.items():
                total[dye] = total[dye] + amount * inside
        return total

    return DrawnCell(outline, paint)


def _precipitate(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    """Draw a dark angular grain without pale border, here and there with crumbs beside it."""
    radii = wavy_circle(rng, 0.2, 6) * ellipse_radii(rng.uniform(1, 1.8))
    outline = outline_of_area(radii, diameter_um, angle=float(rng.uniform(-np.pi, np.pi)))
    strength = float(rng.uniform(1.4, 2.4))
    texture = grain(rng, outline.reach, 0.3)

    def paint(u: Floats, v: Floats) -> Amounts:
        inside = smooth_step((outline.normalised_radius(u, v) - 1) * diameter_um / 2, 0.12)
        dark = strength * inside * np.clip(1 + 0.2 * texture(u, v), 0.3, None)
        return {Dye.ROMANOWSKY: dark, Dye.AZURE: 0.6 * dark}

    return DrawnCell(outline, paint)


DRAWERS: Final = MappingProxyType(
    {
        "platelet": _platelet,
        "large platelet": _platelet,
        "giant platelet": _platelet,
        "platelet clump": _clump,
        "stain precipitate": _precipitate,
    }
)
"""How platelets and what looks like them are drawn, by vocabulary name."""
