"""Red cells: outline and thickness of each shape (DOMAIN.md section 3.2).

Thickness follows the biconcave disc of Evans and Fung (Microvascular Research 4, 1972, 335) as it dries on glass: a
steep rim, a plateau and a shallow middle, the pallor. An amount of haemoglobin of 1 is the plateau of a normal cell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab.phantom.drawing import Amounts, Drawer, DrawnCell, Dye, grain, round_bodies, smooth_step
from hemato_lab.phantom.outline import THETA, Outline, ellipse_radii, outline_of_area, wavy_circle

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Thickness:
    """Haemoglobin over the cell as a function of the place between pole (0) and outline (1).

    Attributes
    ----------
    plateau : float
        Amount at the thickest part.
    pallor_depth : float
        How much thinner the middle is, as a share of the plateau: 0 none, 1 a hole.
    pallor_radius : float
        Radius of the pallor as a share of the cell's, where the depth has fallen to half.
    pallor_sharpness : float
        Exponent of the fall; 2 is a Gaussian.
    pallor_aspect : float
        Long axis / short axis of the pallor: above 2 it is the slit of a stomatocyte.
    pallor_shift : tuple of float
        Where the pallor's middle lies, in shares of the cell's radius.
    centre_bump : float
        Amount of the target cell's spot in the middle.
    rim : float
        Exponent of the border's profile (1 - rho^rim)^(1/2): the higher the steeper.
    dome : float
        How much the thickness falls from the middle to the border apart from rim and pallor: positive for the ball of a
        spherocyte, negative where haemoglobin is heaped up towards the rim, as in most cells.
    """

    plateau: float = 1.0
    pallor_depth: float = 0.62
    pallor_radius: float = 0.42
    pallor_sharpness: float = 3.4
    pallor_aspect: float = 1.0
    pallor_shift: tuple[float, float] = (0.0, 0.0)
    centre_bump: float = 0.0
    rim: float = 9.0
    dome: float = -0.15

    def amount(self, rho: Floats, direction: Floats) -> Floats:
        """Return the amount at shares `rho` of the radius in `direction` (rad); 0 outside."""
        border = np.sqrt(np.clip(1 - rho**self.rim, 0, None)) * (1 - self.dome * np.minimum(rho, 1) ** 2)
        u = rho * np.cos(direction) - self.pallor_shift[0]
        v = rho * np.sin(direction) - self.pallor_shift[1]
        stretch = np.sqrt(self.pallor_aspect)
        from_middle = np.hypot(u / stretch, v * stretch) / self.pallor_radius
        pallor = self.pallor_depth * np.exp(-np.log(2) * from_middle**self.pallor_sharpness)
        bump = self.centre_bump * np.exp(-np.log(2) * (from_middle / 0.5) ** 2.5)
        result: Floats = self.plateau * border * np.clip(1 - pallor + bump, 0, None)
        return result


def varied(rng: np.random.Generator, thickness: Thickness) -> Thickness:
    """Vary a thickness from cell to cell: haemoglobin by 7 %, pallor in depth, width and place."""
    shift = rng.normal(0, 0.035, 2)
    return replace(
        thickness,
        plateau=thickness.plateau * float(np.exp(rng.normal(0, 0.07))),
        pallor_depth=float(np.clip(thickness.pallor_depth * np.exp(rng.normal(0, 0.2)), 0, 0.95)),
        pallor_radius=float(thickness.pallor_radius * np.exp(rng.normal(0, 0.12))),
        pallor_aspect=float(thickness.pallor_aspect * np.exp(abs(rng.normal(0, 0.15)))),
        pallor_shift=(
            thickness.pallor_shift[0] + float(shift[0]),
            thickness.pallor_shift[1] + float(shift[1]),
        ),
    )


def red_cell(outline: Outline, thickness: Thickness, azure: float = 0.0) -> DrawnCell:
    """Draw a red cell; `azure` is the blue of a young cell's ribonucleic acid relative to its haemoglobin."""

    def paint(u: Floats, v: Floats) -> Amounts:
        rho = outline.normalised_radius(u, v)
        haemoglobin = thickness.amount(rho, np.arctan2(v - outline.pole[1], u - outline.pole[0]))
        if azure == 0:
            return {Dye.HAEMOGLOBIN: haemoglobin}
        return {Dye.HAEMOGLOBIN: haemoglobin, Dye.AZURE: azure * haemoglobin}

    return DrawnCell(outline, paint)


def _angle(rng: np.random.Generator) -> float:
    return float(rng.uniform(-np.pi, np.pi))


def _disc(thickness: Thickness, *, wave: float = 0.012, stretch: float = 0.06, azure: float = 0.0) -> Drawer:
    """Make a drawer of nearly round cells.

    `stretch` is the typical excess of the aspect ratio over 1, `wave` the unevenness of the border, `azure` as in
    `red_cell`.
    """

    def draw(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
        radii = ellipse_radii(1 + abs(rng.normal(0, stretch))) * wavy_circle(rng, wave)
        outline = outline_of_area(radii, diameter_um, angle=_angle(rng))
        return red_cell(outline, varied(rng, thickness), azure)

    return draw


def _ellipse(thickness: Thickness, lowest: float, highest: float, egg: float = 0.0) -> Drawer:
    def draw(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
        radii = ellipse_radii(rng.uniform(lowest, highest)) * (1 + egg * rng.uniform(0.3, 1) * np.cos(THETA))
        outline = outline_of_area(radii * wavy_circle(rng, 0.01, lowest=3), diameter_um, angle=_angle(rng))
        return red_cell(outline, varied(rng, thickness))

    return draw


def _teardrop(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    length, width = rng.uniform(0.6, 1.3), rng.uniform(0.13, 0.22)
    from_tip = np.minimum(THETA, 2 * np.pi - THETA)
    tail = 0.35 * length * np.exp(-((from_tip / (2.6 * width)) ** 2)) + 0.65 * length * np.exp(-from_tip / width)
    radii = (1 + tail) * wavy_circle(rng, 0.015)
    outline = outline_of_area(radii, diameter_um, angle=_angle(rng), bend=rng.normal(0, 0.1))
    return red_cell(outline, varied(rng, Thickness(pallor_depth=0.35, pallor_radius=0.3)))


def crescent_radii(aspect: float) -> Floats:
    """Return relative radii of a pointed lens, |v| <= h (1 - (u / a)^2) with a / h = `aspect`; area 8 a h / 3."""
    cosine, sine = np.cos(THETA), np.abs(np.sin(THETA))
    square = cosine**2 / aspect**2
    # Stable root of square r^2 + sine r - 1 = 0, also where the square term vanishes.
    result: Floats = 2 / (sine + np.sqrt(sine**2 + 4 * square))
    return result


def _sickle(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    aspect = rng.uniform(2.6, 4.6)
    outline = outline_of_area(
        crescent_radii(aspect) * wavy_circle(rng, 0.02), diameter_um, angle=_angle(rng), bend=rng.uniform(0.12, 0.5)
    )
    return red_cell(outline, varied(rng, Thickness(plateau=1.2, pallor_depth=0.05, rim=5, dome=0.15)))


def _cut_disc(chords: list[tuple[float, float]], roundness: float = 14.0) -> Floats:
    """Return a unit disc cut by straight chords, each at a distance from the centre in a direction.

    The minimum is taken softly (a power mean), which rounds the corners as membranes are.
    """
    inverse = np.ones_like(THETA)
    for distance, direction in chords:
        inverse += np.clip(np.cos(THETA - direction) / distance, 0, None) ** roundness
    result: Floats = inverse ** (-1 / roundness)
    return result


def _helmet(rng: np.random.Generator) -> tuple[Floats, float]:
    return _cut_disc([(rng.uniform(0.05, 0.35), 0.0)]), rng.uniform(-0.1, 0.1)


def _triangle(rng: np.random.Generator) -> tuple[Floats, float]:
    turns = np.cumsum(rng.uniform(0.75, 1.25, 3))
    return _cut_disc([(rng.uniform(0.35, 0.6), 2 * np.pi * turn / turns[-1]) for turn in turns]), 0.0


def _fragment(rng: np.random.Generator) -> tuple[Floats, float]:
    return crescent_radii(rng.uniform(1.7, 2.6)), rng.uniform(0.15, 0.4)


_SCHISTOCYTES: Final = (_helmet, _triangle, _fragment)


def _schistocyte(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    radii, bend = _SCHISTOCYTES[int(rng.integers(len(_SCHISTOCYTES)))](rng)
    outline = outline_of_area(radii * wavy_circle(rng, 0.02, lowest=3), diameter_um, angle=_angle(rng), bend=bend)
    return red_cell(outline, varied(rng, Thickness(plateau=1.1, pallor_depth=0.08, rim=7, dome=0.1)))


def _bite_cell(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    distance, bite = rng.uniform(1.0, 1.1), rng.uniform(0.4, 0.55)
    across = distance * np.abs(np.sin(THETA))
    near = distance * np.cos(THETA) - np.sqrt(np.clip(bite**2 - across**2, 0, None))
    bitten = np.where((across < bite) & (np.cos(THETA) > 0), np.minimum(near, 1), 1.0)
    outline = outline_of_area(bitten * wavy_circle(rng, 0.012), diameter_um, angle=_angle(rng))
    return red_cell(outline, varied(rng, Thickness(plateau=1.15, pallor_depth=0.1)))


def _blister_cell(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    outline = outline_of_area(wavy_circle(rng, 0.02), diameter_um, angle=_angle(rng))
    blister = Thickness(plateau=1.1, pallor_depth=0.9, pallor_radius=0.3, pallor_sharpness=4, pallor_shift=(0.66, 0.0))
    return red_cell(outline, varied(rng, blister))


def _spiny(fewest: int, most: int, height: float, unevenness: float, sharpness: float) -> Drawer:
    """Make a drawer of cells with spicules.

    `unevenness` is that of their spacing and height, near 0 for the regular crown of an echinocyte; `sharpness` is the
    width of a spicule in rad times their number.
    """

    def draw(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
        count = int(rng.integers(fewest, most + 1))
        places = 2 * np.pi * (np.arange(count) + unevenness * rng.uniform(-0.9, 0.9, count)) / count
        heights = height * (1 + unevenness * rng.uniform(-0.8, 0.8, count))
        width = sharpness / count
        apart = np.abs((THETA[:, None] - places + np.pi) % (2 * np.pi) - np.pi)
        radii = wavy_circle(rng, 0.02) + (heights * np.exp(-((apart / width) ** 1.5))).sum(axis=1)
        outline = outline_of_area(radii, diameter_um, angle=_angle(rng))
        return red_cell(outline, varied(rng, Thickness(plateau=1.05, pallor_depth=0.15, rim=6)))

    return draw


def _polychromatic(rng: np.random.Generator, diameter_um: float) -> DrawnCell:
    """Draw a polychromatic cell: large, grey-blue, almost without pallor, with a faint network."""
    outline = outline_of_area(wavy_circle(rng, 0.03), diameter_um, angle=_angle(rng))
    cell = red_cell(outline, varied(rng, Thickness(plateau=0.95, pallor_depth=0.12)), azure=rng.uniform(0.12, 0.24))
    texture = grain(rng, outline.reach, 0.5)

    def paint(u: Floats, v: Floats) -> Amounts:
        amounts = dict(cell.paint(u, v))
        amounts[Dye.AZURE] = amounts[Dye.AZURE] * np.clip(1 + 0.12 * texture(u, v), 0, None)
        return amounts

    return DrawnCell(outline, paint)


def with_dots(cell: DrawnCell, centres: Floats, radii: Floats, amounts: Floats, dye: Dye) -> DrawnCell:
    """Add small round bodies of one dye inside a cell (chromatin dots, pigment)."""

    def paint(u: Floats, v: Floats) -> Amounts:
        painted = dict(cell.paint(u, v))
        inside = smooth_step((cell.outline.normalised_radius(u, v) - 1) * cell.outline.reach)
        bodies = round_bodies(u, v, centres, radii, amounts) * inside
        painted[dye] = painted[dye] + bodies if dye in painted else bodies
        return painted

    return DrawnCell(cell.outline, paint)


_NORMAL: Final = Thickness()
_PALE: Final = Thickness(plateau=0.72, pallor_depth=0.85, pallor_radius=0.62, pallor_sharpness=4)
_DENSE: Final = Thickness(plateau=1.35, pallor_depth=0.0, rim=4, dome=0.2)
_TARGET: Final = Thickness(pallor_depth=0.78, pallor_radius=0.58, pallor_sharpness=5, centre_bump=0.85)
_SLIT: Final = Thickness(pallor_depth=0.75, pallor_radius=0.3, pallor_aspect=5, pallor_sharpness=4)

DRAWERS: Final = MappingProxyType(
    {
        "normal RBC": _disc(_NORMAL),
        "macrocyte": _disc(_NORMAL),
        "microcyte": _disc(Thickness(pallor_depth=0.5)),
        "oval macrocyte": _ellipse(Thickness(pallor_depth=0.25), 1.2, 1.55, egg=0.08),
        "hypochromic cell": _disc(_PALE, wave=0.03, stretch=0.1),
        "polychromatic cell": _polychromatic,
        "spherocyte": _disc(_DENSE, wave=0.008, stretch=0.02),
        "elliptocyte": _ellipse(Thickness(pallor_depth=0.3, pallor_radius=0.35, pallor_aspect=1.3), 2.05, 2.9),
        "ovalocyte": _ellipse(Thickness(pallor_depth=0.4), 1.3, 1.8, egg=0.08),
        "teardrop cell": _teardrop,
        "sickle cell": _sickle,
        "schistocyte": _schistocyte,
        "bite cell": _bite_cell,
        "blister cell": _blister_cell,
        "irregularly contracted cell": _disc(Thickness(plateau=1.3, pallor_depth=0.02, dome=0.1), wave=0.045),
        "target cell": _disc(_TARGET),
        "stomatocyte": _disc(_SLIT),
        "echinocyte": _spiny(11, 20, 0.12, 0.1, 2.2),
        "acanthocyte": _spiny(4, 8, 0.30, 0.6, 1.5),
        "uncategorised RBC": _disc(_NORMAL, wave=0.045, stretch=0.25),
    }
)
"""How each red cell of the vocabulary is drawn."""
