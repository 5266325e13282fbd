"""Render a field, or any window of it, with its exact truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.errors import ConfigError
from hemato_lab.phantom import optics, parasites, platelets, red_cells, white_cells
from hemato_lab.phantom.drawing import Dye
from hemato_lab.phantom.layout import Placed, Region, generator, lay_out
from hemato_lab.phantom.truth import LARGEST_REACH_UM, FilmCell, truth_table
from hemato_lab.smear import RGB, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.detections import Detections
    from hemato_lab.phantom.optics import Planes
    from hemato_lab.phantom.recipe import Recipe

DRAWERS: Final = MappingProxyType(
    {**red_cells.DRAWERS, **parasites.DRAWERS, **white_cells.DRAWERS, **platelets.DRAWERS}
)
"""How every cell is drawn, by its vocabulary name."""
CELL_STREAM: Final = 3
FOCUS_STREAM: Final = 4


@dataclass(frozen=True, slots=True)
class Scene:
    """One field of one smear, before any pixel of it exists.

    Attributes
    ----------
    recipe : Recipe
    seed : int
        Of the smear.
    width, height : int
        Of the whole field, px.
    field : int
        Number of the field; each has cells and focus of its own.
    """

    recipe: Recipe
    seed: int
    width: int
    height: int
    field: int = 0

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ConfigError(f"a field has at least one pixel, not {self.width} x {self.height}")
        if self.seed < 0:
            raise ConfigError(f"a seed is 0 or a positive whole number, not {self.seed}")

    @property
    def window(self) -> Window:
        """The whole field."""
        return Window(0, 0, self.width, self.height)

    @property
    def sigma_px(self) -> float:
        """Blur of this field, standard deviation in pixels."""
        camera = self.recipe.camera
        share = float(generator(self.seed, FOCUS_STREAM, self.field).random())
        return math.hypot(camera.blur_um, share * camera.defocus_um) / self.recipe.um_per_px

    def place(self, window: Window) -> Placed:
        """Return the cells that can matter to a window: its own, those that reach in and those that touch these."""
        return lay_out(self.recipe, self.seed, self.field, _region(window, self.recipe.um_per_px))

    def near(self, placed: Placed, window: Window) -> Placed:
        """Return those of placed cells that `place` would return for a window."""
        x0, y0, x1, y1 = _region(window, self.recipe.um_per_px)
        return placed.select((placed.x >= x0) & (placed.x < x1) & (placed.y >= y0) & (placed.y < y1))

    def draw(self, placed: Placed) -> list[FilmCell]:
        """Draw placed cells, each from a generator of its own."""
        cells: list[FilmCell] = []
        for name, x, y, diameter, key in zip(
            placed.name.tolist(),
            placed.x.tolist(),
            placed.y.tolist(),
            placed.diameter.tolist(),
            placed.key.tolist(),
            strict=True,
        ):
            rng = generator(self.seed, CELL_STREAM, self.field, *key)
            cell = DRAWERS[name](rng, diameter)
            cells.append(FilmCell(name, x, y, diameter, cell, cell.outline.polygon() + np.array([x, y])))
        return cells

    def amounts(self, cells: Sequence[FilmCell], window: Window) -> Planes:
        """Return the amount of each dye over a window, shape (dyes, height, width); cells on each other add up."""
        total = np.zeros((len(Dye), window.height, window.width), np.float32)
        for cell in cells:
            _add(total, cell, window, self.recipe.um_per_px)
        return total

    def photograph(self, cells: Sequence[FilmCell], window: Window) -> RGB:
        """Return the camera's picture of a window."""
        recipe, sigma = self.recipe, self.sigma_px
        margin = optics.blur_margin(sigma) + 1
        grown = window.expand(margin)
        amounts = self.amounts(cells, grown)
        density = optics.optical_density(amounts, recipe.stain)
        density += optics.plasma_density(self.seed, self.field, grown, recipe.um_per_px, recipe.stain.plasma)
        light = optics.transmitted(density, amounts, recipe.camera, recipe.um_per_px)
        light *= optics.lamp(recipe.illumination, grown, self.width, self.height)
        sharp = optics.blurred(light, sigma)[:, margin:-margin, margin:-margin]
        return optics.sensed(sharp, optics.sensor_noise(self.seed, self.field, window), recipe.camera)


def render_field(
    recipe: Recipe, seed: int, width: int, height: int, *, field: int = 0, window: Window | None = None
) -> tuple[RGB, Detections]:
    """Render one field of a synthetic smear, or a window of it.

    Parameters
    ----------
    recipe : Recipe
        What the smear contains; `hemato_lab.phantom.RECIPES` holds named ones.
    seed : int
        Of the smear, 0 or more. Same recipe, seed and size: same pixels.
    width, height : int
        Size of the whole field in pixels.
    field : int
        Which field of the smear.
    window : Window, optional
        Render only this part; its pixels and cells are those of the whole field.

    Returns
    -------
    pixels : ndarray
        Shape (window height, window width, 3), sRGB, uint8, before JPEG.
    truth : Detections
        Every cell whose centre of area lies in the window, with the columns of
        `hemato_lab.phantom.truth.FEATURES`, in pixels of the whole field.

    Raises
    ------
    ConfigError
        If size, seed or window make no sense.
    """
    scene = Scene(recipe, seed, width, height, field)
    part = scene.window if window is None else window
    if part.area == 0 or part.intersect(scene.window) != part:
        raise ConfigError(f"window {part} is empty or leaves the field of {width} x {height} pixels")
    cells = scene.draw(scene.place(part))
    return scene.photograph(cells, part), truth_table(cells, part, recipe.um_per_px, field).sorted()


def _region(window: Window, um_per_px: float) -> Region:
    margin = 2 * LARGEST_REACH_UM + 1
    x0, y0 = (window.x0 - 0.5) * um_per_px - margin, (window.y0 - 0.5) * um_per_px - margin
    return x0, y0, (window.x1 - 0.5) * um_per_px + margin, (window.y1 - 0.5) * um_per_px + margin


def _add(total: Planes, cell: FilmCell, window: Window, um_per_px: float) -> None:
    """Add what a cell puts on the film; each is painted whole, so that its pixels never depend on the window."""
    lowest, highest = cell.polygon.min(axis=0) / um_per_px, cell.polygon.max(axis=0) / um_per_px
    box = Window(
        math.floor(lowest[0]) - 1, math.floor(lowest[1]) - 1, math.ceil(highest[0]) + 2, math.ceil(highest[1]) + 2
    )
    common = window.intersect(box)
    if common.area == 0:
        return
    x = np.arange(box.x0, box.x1) * um_per_px - cell.x_um
    y = np.arange(box.y0, box.y1) * um_per_px - cell.y_um
    frame = cell.cell.outline.local_frame(*np.meshgrid(x, y))
    into = Window(common.x0 - window.x0, common.y0 - window.y0, common.x1 - window.x0, common.y1 - window.y0)
    out_of = Window(common.x0 - box.x0, common.y0 - box.y0, common.x1 - box.x0, common.y1 - box.y0)
    for dye, amount in cell.cell.paint(*frame).items():
        total[dye][into.slices()] += amount[out_of.slices()].astype(np.float32)
