"""Single cells cut out of their fields, all at one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from hemato_lab.errors import ConfigError, HematoError
from hemato_lab.formats.deep_zoom import TILE_SIDE, DeepZoom
from hemato_lab.smear import Window
from hemato_lab.vocabulary import RBC
from hemato_lab.widgets.base import Answer
from hemato_lab.widgets.tiles import encode_jpeg

if TYPE_CHECKING:
    from hemato_lab.detections import Detections
    from hemato_lab.smear import RGB, Smear
    from hemato_lab.widgets.messages import Crops

WIDTH_IN_RED_CELLS: Final = 2.5
"""Side of a crop: 19 um hold all but the largest white cells, and a red cell is still large enough to judge."""
BEYOND: Final = 128
"""Grey of what lies beyond the field."""
QUALITY: Final = 85
LARGEST_READ_PX: Final = 2048
"""Side up to which a crop is made from the field's own pixels."""


@dataclass(frozen=True)
class CropStore:
    """Cuts cells out of a smear.

    Attributes
    ----------
    smear : Smear
        Whose pixels are read.
    detections : Detections
        Its cells.
    """

    smear: Smear
    detections: Detections

    @cached_property
    def width_px(self) -> float:
        """Side of a crop in pixels of the field, the same for all cells."""
        if (scale := self.smear.known_scale) is not None:
            return WIDTH_IN_RED_CELLS * scale.rbc_diameter_px
        red = self.detections["radius"][self.detections.of_kind(RBC)]
        radii = red if len(red) else self.detections["radius"]
        return WIDTH_IN_RED_CELLS * 2 * float(np.median(radii)) if len(radii) else 1.0

    def jpeg(self, row: int, side_px: int) -> bytes:
        """Return the crop of one cell as a JPEG of `side_px` x `side_px`.

        Raises
        ------
        ConfigError
            If there is no such row.
        InputError
            If its pixels cannot be read.
        """
        if not 0 <= row < len(self.detections):
            raise ConfigError(f"there is no cell {row}")
        return encode_jpeg(self._pixels(row, side_px), QUALITY)

    def _pixels(self, row: int, side_px: int) -> RGB:
        """Return the crop, its middle on the cell's centre, shape (side_px, side_px, 3)."""
        field = self.smear.fields[int(self.detections["field"][row])]
        # Edges in distances from the field's corner, where pixel 0 covers 0 to 1.
        left = float(self.detections["x"][row]) + 0.5 - self.width_px / 2
        top = float(self.detections["y"][row]) + 0.5 - self.width_px / 2
        if self.width_px > LARGEST_READ_PX:
            return self._far_pixels(int(self.detections["field"][row]), (left, top), side_px)
        around = Window(*(int(np.floor(edge)) for edge in (left, top)),
                        *(int(np.ceil(edge + self.width_px)) for edge in (left, top)))  # fmt: skip
        inside = around.intersect(field.window)
        canvas = np.full((around.height, around.width, 3), BEYOND, np.uint8)
        if inside.area:
            x, y = inside.x0 - around.x0, inside.y0 - around.y0
            canvas[y : y + inside.height, x : x + inside.width] = field.read(inside)
        box = (left - around.x0, top - around.y0, left - around.x0 + self.width_px, top - around.y0 + self.width_px)
        resized = Image.fromarray(canvas).resize((side_px, side_px), Image.Resampling.BICUBIC, box=box)
        return np.asarray(resized)

    def _far_pixels(self, field: int, corner: tuple[float, float], side_px: int) -> RGB:
        """Return the crop from a coarser level, where it is too large to be read in full."""
        zoom, scale = DeepZoom(self.smear.fields[field]), side_px / self.width_px
        canvas = Image.new("RGB", (side_px, side_px), (BEYOND, BEYOND, BEYOND))
        level = min(math.ceil(math.log2(self.width_px / LARGEST_READ_PX)), len(zoom.levels) - 1)
        first = [edge / 2**level for edge in corner]
        last = [edge + self.width_px / 2**level for edge in first]
        window = Window(*map(math.floor, first), *map(math.ceil, last)).intersect(Window(0, 0, *zoom.levels[level]))
        if window.area:
            # Where the part inside the field lies on the crop.
            begins = [
                round((edge * 2**level - at) * scale) for edge, at in zip((window.x0, window.y0), corner, strict=True)
            ]
            size = [max(1, round(length * 2**level * scale)) for length in (window.width, window.height)]
            part = Image.fromarray(_read_level(zoom, level, window)).resize((size[0], size[1]), Image.Resampling.BOX)
            canvas.paste(part, (begins[0], begins[1]))
        return np.asarray(canvas)

    def answer(self, wanted: Crops) -> Answer:
        """Return the crops that can be made, one buffer each, and why the others cannot."""
        made: list[int] = []
        failed: list[list[int | str]] = []
        buffers: list[bytes] = []
        for row in wanted.wanted:
            try:
                buffers.append(self.jpeg(row, wanted.side_px))
            except HematoError as error:
                failed.append([row, str(error)])
            else:
                made.append(row)
        scale = self.smear.known_scale
        um_per_px = None if scale is None else scale.um_per_px * self.width_px / wanted.side_px
        told = {"crops": made, "failed": failed, "um_per_px": um_per_px, "width_px": self.width_px}
        return Answer(told, buffers)


def _read_level(zoom: DeepZoom, level: int, window: Window) -> RGB:
    """Return a window of a level, put together from its tiles."""
    pixels = np.empty((window.height, window.width, 3), np.uint8)
    for row in range(window.y0 // TILE_SIDE, -(-window.y1 // TILE_SIDE)):
        for column in range(window.x0 // TILE_SIDE, -(-window.x1 // TILE_SIDE)):
            tile = zoom.tile(level, column, row)
            x, y = column * TILE_SIDE, row * TILE_SIDE
            shown = Window(x, y, x + tile.shape[1], y + tile.shape[0]).intersect(window)
            to = Window(shown.x0 - window.x0, shown.y0 - window.y0, shown.x1 - window.x0, shown.y1 - window.y0)
            pixels[to.slices()] = tile[shown.y0 - y : shown.y1 - y, shown.x0 - x : shown.x1 - x]
    return pixels
