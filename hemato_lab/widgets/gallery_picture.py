"""A sheet of single cells as one picture, for where no widget is shown."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.widgets.cells import ordered_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.widgets.crops import CropStore

SIDE_PX: Final = 72
IN_A_ROW: Final = 10
MOST_NAMES: Final = 12
_LINE_PX: Final = 22
_GAP_PX: Final = 4
_INK: Final = (30, 30, 30)


def contact_sheet(crops: CropStore, confidence: NDArray[np.float64]) -> Image.Image:
    """Return up to `IN_A_ROW` cells of each name, the least sure first, in rows with the name and number above.

    Parameters
    ----------
    crops : CropStore
        Of the smear.
    confidence : array of shape (n,)
        Of each cell.

    Raises
    ------
    InputError
        If the pixels can no longer be read.
    """
    column = crops.detections["name"]
    names = ordered_names(column.tolist())
    shown = names[:MOST_NAMES]
    step = SIDE_PX + _GAP_PX
    width, height = IN_A_ROW * step + _GAP_PX, len(shown) * (_LINE_PX + step) + 2 * _LINE_PX
    sheet = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, name in enumerate(shown):
        top = number * (_LINE_PX + step)
        rows = np.flatnonzero(column == name)
        draw.text((_GAP_PX, top + 4), f"{name} ({len(rows)})", _INK, font)
        for place, row in enumerate(rows[np.argsort(confidence[rows], kind="stable")][:IN_A_ROW].tolist()):
            crop = Image.open(BytesIO(crops.jpeg(row, SIDE_PX)))
            sheet.paste(crop, (_GAP_PX + place * step, top + _LINE_PX))
    more = f"and {len(names) - len(shown)} more names; " if len(names) > len(shown) else ""
    cells = "no cells. " if not len(column) else ""
    draw.text((_GAP_PX, height - 2 * _LINE_PX + 4), f"{more}{cells}{RESEARCH_USE_NOTICE}", _INK, font)
    return sheet
