"""One field with its cells ringed, a legend and a scale bar, drawn by Pillow alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

from hemato_lab import vocabulary
from hemato_lab.analysis.footer import with_footer
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from hemato_lab.detections import Detections
    from hemato_lab.smear import Field, Scale

LONGEST_SIDE: Final = 1600
"""Of a larger field the fullest square of this many pixels is drawn."""
_SHORTEST_WIDTH: Final = 640
_SUPERSAMPLING: Final = 2
_CASING: Final = (0, 0, 0, 140)
"""A dark edge keeps a ring visible on cells of its own colour."""


def annotate(field: Field, detections: Detections, scale: Scale | None, *, window: Window | None = None) -> Image.Image:
    """Draw the cells of one field on its pixels.

    Parameters
    ----------
    field : Field
        Whose pixels are read.
    detections : Detections
        The cells of this field alone; a ring has the cell's radius and the colour of its name.
    scale : Scale or None
        For the scale bar; without a scale there is no bar.
    window : Window, optional
        The part to draw; default the whole field, or the fullest part of a large one.

    Returns
    -------
    PIL.Image.Image
        RGB. Small fields are magnified by a whole number. Below the pixels: legend with the candidates in view, scale
        bar in micrometres, research-use notice.

    Raises
    ------
    ConfigError
        If a cell's name is not in the vocabulary.
    InputError
        If the pixels can no longer be read.
    """
    view = (fullest_window(field, detections) if window is None else window).intersect(field.window)
    pixels = Image.fromarray(np.ascontiguousarray(field.read(view)))
    zoom = max(1, -(-_SHORTEST_WIDTH // max(pixels.size)))
    pixels = pixels.resize((pixels.width * zoom, pixels.height * zoom), Image.Resampling.BICUBIC)
    seen = _in_view(detections, view)
    ringed = Image.alpha_composite(pixels.convert("RGBA"), _rings(seen, view, zoom)).convert("RGB")
    return with_footer(ringed, seen, None if scale is None else scale.um_per_px / zoom)


def fullest_window(field: Field, detections: Detections) -> Window:
    """Return the whole field, or of a larger one the square of a regular grid that holds most cells."""
    if max(field.width, field.height) <= LONGEST_SIDE or not len(detections):
        return field.window.intersect(Window(0, 0, LONGEST_SIDE, LONGEST_SIDE))
    across = -(-field.width // LONGEST_SIDE)
    column = np.clip(detections["x"], 0, field.width - 1) // LONGEST_SIDE
    row = np.clip(detections["y"], 0, field.height - 1) // LONGEST_SIDE
    best = int(np.argmax(np.bincount((row * across + column).astype(np.int64))))
    x0, y0 = best % across * LONGEST_SIDE, best // across * LONGEST_SIDE
    return Window(x0, y0, x0 + LONGEST_SIDE, y0 + LONGEST_SIDE).intersect(field.window)


def _in_view(detections: Detections, view: Window) -> Detections:
    x, y = detections["x"], detections["y"]
    inside = (x >= view.x0 - 0.5) & (x < view.x1 - 0.5) & (y >= view.y0 - 0.5) & (y < view.y1 - 0.5)
    return detections.select(inside)


def _rings(detections: Detections, view: Window, zoom: int) -> Image.Image:
    """Rings on a transparent ground: drawn larger and shrunk, because Pillow draws no smooth lines."""
    factor = zoom * _SUPERSAMPLING
    layer = Image.new("RGBA", (view.width * factor, view.height * factor))
    draw = ImageDraw.Draw(layer)
    line = 2 * _SUPERSAMPLING
    shown = _rarest_last(detections)
    for x, y, radius, name in zip(*(shown[key] for key in ("x", "y", "radius", "name")), strict=True):
        centre_x, centre_y = (x - view.x0 + 0.5) * factor, (y - view.y0 + 0.5) * factor
        colour = vocabulary.term(str(name)).colour
        draw.ellipse(_box(centre_x, centre_y, radius * factor + line), outline=_CASING, width=2 * line)
        draw.ellipse(_box(centre_x, centre_y, radius * factor + line / 2), outline=colour, width=line)
    return layer.reduce(_SUPERSAMPLING)


def _rarest_last(detections: Detections) -> Detections:
    """Return the cells so that rings of rarer names lie on those of commoner ones."""
    _, which, count = np.unique(detections["name"], return_inverse=True, return_counts=True)
    return detections.select(np.argsort(-count[which], kind="stable"))


def _box(x: float, y: float, radius: float) -> tuple[int, int, int, int]:
    """Return the first and last pixel of a circle given in distances from the picture's border."""
    return round(x - radius), round(y - radius), round(x + radius) - 1, round(y + radius) - 1
