"""Which parts of a field are looked at before any tile is cut.

Everything that is decided once for a field (illumination, levels, scale) is measured on the same windows, whatever
tiles are used later. An ordinary picture is taken whole; of a slide a regular grid of windows is enough.
"""

from __future__ import annotations

from typing import Final

from hemato_lab.smear import Field, Window

WHOLE_FIELD_PIXELS: Final = 16_000_000
"""Fields up to this size are measured whole."""
SAMPLE_SIDE: Final = 1024
SAMPLES_A_SIDE: Final = 4


def sample_windows(field: Field) -> tuple[Window, ...]:
    """Return the windows of a field to measure it on: all of it, or 16 windows on a regular grid."""
    if field.window.area <= WHOLE_FIELD_PIXELS:
        return (field.window,)
    width, height = min(SAMPLE_SIDE, field.width), min(SAMPLE_SIDE, field.height)
    corners = [
        (
            (field.width - width) * (2 * column + 1) // (2 * SAMPLES_A_SIDE),
            (field.height - height) * (2 * row + 1) // (2 * SAMPLES_A_SIDE),
        )
        for row in range(SAMPLES_A_SIDE)
        for column in range(SAMPLES_A_SIDE)
    ]
    return tuple(dict.fromkeys(Window(x, y, x + width, y + height) for x, y in corners))
