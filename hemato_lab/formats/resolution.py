"""The pixel size that a file states of itself, where it can be believed.

Most JPEG and PNG files state 72, 96 or 300 dots per inch, which is about print and screens. A statement counts only if
it makes a pixel 0.02-0.5 um wide (DOMAIN.md section 2.3) and square; otherwise the file states nothing.
"""

from __future__ import annotations

import math
import re
from typing import Final

from hemato_lab.formats.tiff_directory import Directory, Tag
from hemato_lab.smear import CREDIBLE_UM_PER_PX

_UM_PER_INCH: Final = 25400.0
_UM_PER_CM: Final = 10000.0
_SQUARE_WITHIN: Final = 0.02
_UM_OF_UNIT: Final = {
    "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "nm": 1e-3, "mm": 1e3, "cm": _UM_PER_CM, "m": 1e6, "inch": _UM_PER_INCH,
}  # fmt: skip
"""Micrometres in one unit, as ImageJ and OME-XML spell units (both code points of the micro sign)."""


def credible(um_per_px_x: float, um_per_px_y: float) -> float | None:
    """Return the pixel size in um if both sides are credible and equal within 2 %, else None."""
    low, high = CREDIBLE_UM_PER_PX
    if not (low <= um_per_px_x <= high and low <= um_per_px_y <= high):
        return None
    if abs(um_per_px_x - um_per_px_y) > _SQUARE_WITHIN * um_per_px_x:
        return None
    return math.sqrt(um_per_px_x * um_per_px_y)


def from_density(x: float, y: float, um_per_unit: float) -> float | None:
    """Return the pixel size of `x` by `y` pixels to a unit of `um_per_unit` micrometres."""
    if not (x > 0 and y > 0 and um_per_unit > 0):
        return None
    return credible(um_per_unit / x, um_per_unit / y)


def from_jfif(density_unit: int, x: int, y: int) -> float | None:
    """Return the pixel size that a JPEG's JFIF header states (unit 1: dots per inch, 2: per centimetre)."""
    return from_density(x, y, {1: _UM_PER_INCH, 2: _UM_PER_CM}.get(density_unit, 0.0))


def from_png_density(unit: int, x: int, y: int) -> float | None:
    """Return the pixel size that a PNG's pHYs chunk states (unit 1: pixels per metre)."""
    return from_density(x, y, 1e6 if unit == 1 else 0.0)


def from_resolution_tags(directory: Directory) -> float | None:
    """Return the pixel size of the TIFF or EXIF tags XResolution, YResolution and ResolutionUnit."""
    unit = directory.whole_number(Tag.RESOLUTION_UNIT, 2)
    x, y = directory.fraction(Tag.X_RESOLUTION), directory.fraction(Tag.Y_RESOLUTION)
    return from_density(x, y, {2: _UM_PER_INCH, 3: _UM_PER_CM}.get(unit, 0.0))


def from_tiff(first: Directory, page: Directory) -> float | None:
    """Return the pixel size of a TIFF page.

    The description of the first page is asked first (OME-XML, ImageJ, Aperio), then the page's resolution tags.
    """
    description = first.text(Tag.IMAGE_DESCRIPTION)
    if "<OME" in description:
        return _from_ome(description)
    if description.startswith("ImageJ="):
        return _from_imagej(description, page)
    if stated := re.search(r"\bMPP *= *([0-9.]{1,20})", description):
        size = _number(stated[1])
        return credible(size, size)
    return from_resolution_tags(page)


def _from_ome(description: str) -> float | None:
    pixels = re.search(r"<(?:[\w.-]+:)?Pixels\b[^>]*>", description)
    if pixels is None:
        return None
    attributes = dict(re.findall(r'\b(PhysicalSize[XY](?:Unit)?)="([^"]{1,40})"', pixels[0]))
    sizes = []
    for axis in "XY":
        unit = _UM_OF_UNIT.get(attributes.get(f"PhysicalSize{axis}Unit", "µm"), math.nan)
        sizes.append(_number(attributes.get(f"PhysicalSize{axis}", "")) * unit)
    return credible(sizes[0], sizes[1])


def _from_imagej(description: str, page: Directory) -> float | None:
    unit = re.search(r"^unit=(.*)$", description, re.MULTILINE)
    if unit is None:
        return None
    um_per_unit = _UM_OF_UNIT.get(unit[1].strip().lower(), 0.0)
    return from_density(page.fraction(Tag.X_RESOLUTION), page.fraction(Tag.Y_RESOLUTION), um_per_unit)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
