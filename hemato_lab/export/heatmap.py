"""How densely red cells lie in the fullest field, as a picture with a legend in cells per mm2."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hemato_lab.analysis.tables import significant
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.statistics.heatmap import heat_map
from hemato_lab.vocabulary import RBC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.analysis import Analysis

LONGEST_SIDE: Final = 640
"""Of the map in pixels."""
_LEGEND_WIDTH: Final = 420
COLOURS: Final = "cividis"
"""Perceptually even and the same for colour-blind eyes (Nunez, Anderton & Renslow, PLoS One 13 (2018) e0199239)."""
_LEGEND_HEIGHT: Final = 64
_INK: Final = "#222222"


def render(analysis: Analysis) -> bytes:
    """Return the heat map of the field with most cells as a PNG."""
    stream = io.BytesIO()
    picture(analysis, analysis.fullest_field).save(stream, "PNG")
    return stream.getvalue()


def picture(analysis: Analysis, index: int) -> Image.Image:
    """Draw the density of the red cells of one field, with its legend and the research-use notice.

    Parameters
    ----------
    analysis : Analysis
        Whose smear has a scale.
    index : int
        Of the field.
    """
    field, scale = analysis.smear.fields[index], analysis.smear.scale
    if scale is None:
        raise ConfigError("no density without a scale", subject=field.name, hint="state the scale of the smear")
    cells = analysis.cells_of(index)
    density = heat_map(cells.select(cells.of_kind(RBC)), (field.width, field.height), scale)
    zoom = LONGEST_SIDE / max(field.width, field.height)
    size = max(1, round(field.width * zoom)), max(1, round(field.height * zoom))
    top = float(density.per_mm2.max())
    shades = _shades(density.per_mm2 / top if top > 0 else density.per_mm2)
    seen = (0, 0, field.width / density.step_px, field.height / density.step_px)
    drawn = Image.fromarray(shades).resize(size, Image.Resampling.BICUBIC, box=seen)
    return _with_legend(drawn, top)


def _shades(share: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the colours of shares from 0 to 1, shape (..., 3)."""
    from matplotlib import colormaps

    coloured: NDArray[np.uint8] = colormaps[COLOURS](share, bytes=True)[..., :3]
    return np.ascontiguousarray(coloured)


def _with_legend(drawn: Image.Image, top: float) -> Image.Image:
    canvas = Image.new("RGB", (max(drawn.width, _LEGEND_WIDTH), drawn.height + _LEGEND_HEIGHT), "white")
    canvas.paste(drawn, (0, 0))
    bar = Image.fromarray(np.broadcast_to(_shades(np.linspace(0, 1, 160))[None], (12, 160, 3)).copy())
    canvas.paste(bar, (12, drawn.height + 10))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    draw.text((180, drawn.height + 8), f"red cells: 0 to {significant(top)} /mm2", fill=_INK, font=font)
    draw.text((12, drawn.height + 38), RESEARCH_USE_NOTICE, fill=_INK, font=font)
    return canvas
