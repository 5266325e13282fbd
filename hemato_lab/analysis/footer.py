"""What stands below a picture: legend, scale bar and the research-use notice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from hemato_lab import vocabulary
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.detections import Detections

_INK: Final = "#222222"
_MARGIN: Final = 12
_BAR_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class _Lettering:
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    micrometre: str
    line: int

    def width(self, text: str) -> int:
        return int(self.font.getlength(text))

    def write(self, draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, *, anchor: str = "lm") -> None:
        draw.text(place, text, fill=_INK, font=self.font, anchor=anchor)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One name of the legend; ``row`` counts lines of text."""

    x: int
    row: int
    text: str
    colour: str | None


@dataclass(frozen=True, slots=True)
class _Bar:
    length_px: int
    length_um: float


def with_footer(picture: Image.Image, seen: Detections, um_per_px: float | None) -> Image.Image:
    """Return the picture with its footer below.

    Parameters
    ----------
    picture : PIL.Image.Image
        RGB.
    seen : Detections
        The cells in view, for the legend.
    um_per_px : float or None
        Of the picture as it is drawn; None leaves out the scale bar.
    """
    lettering = _lettering(max(13, min(22, picture.width // 55)))
    width = max(picture.width, lettering.width(RESEARCH_USE_NOTICE) + 2 * _MARGIN)
    bar = _bar(picture.width, um_per_px)
    legend = _legend(seen, lettering, width - bar.length_px - 3 * _MARGIN)
    lines = max(2 if bar.length_px else 1, 1 + legend[-1].row)
    top, line = picture.height + _MARGIN // 2, lettering.line
    canvas = Image.new("RGB", (width, top + (lines + 1) * line + _MARGIN // 2), "white")
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    for entry in legend:
        _draw_entry(draw, entry, top + entry.row * line + line // 2, lettering)
    if bar.length_px:
        _draw_bar(draw, bar, (width - _MARGIN - bar.length_px, top + line // 2), lettering)
    lettering.write(draw, (_MARGIN, top + lines * line + line // 2), RESEARCH_USE_NOTICE)
    return canvas


@lru_cache(maxsize=4)
def _lettering(size: int) -> _Lettering:
    """Return matplotlib's DejaVu Sans, the same file on every machine, found without importing matplotlib.

    Pillow's own font serves where matplotlib is not installed; it has no micro sign.
    """
    line = round(1.7 * size)
    found = find_spec("matplotlib")
    if found is not None and found.origin is not None:
        file = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return _Lettering(ImageFont.truetype(str(file), size), "µm", line)
    return _Lettering(ImageFont.load_default(size), "um", line)


def _legend(seen: Detections, lettering: _Lettering, width: int) -> list[_Entry]:
    """Return the legend's entries, broken into lines of `width` pixels."""
    if not len(seen):
        return [_Entry(_MARGIN, 0, "no candidate in view", None)]
    entries = [_Entry(_MARGIN, 0, "ringed here", None)]
    x, row = 2 * _MARGIN + lettering.width(entries[0].text), 0
    for name, term in vocabulary.TERMS.items():
        if count := seen.count(name):
            text = f"{name}: {count}"
            needed = lettering.line + lettering.width(text) + _MARGIN
            if x > _MARGIN and x + needed > width:
                x, row = _MARGIN, row + 1
            entries.append(_Entry(x, row, text, term.colour))
            x += needed
    return entries


def _draw_entry(draw: ImageDraw.ImageDraw, entry: _Entry, y: int, lettering: _Lettering) -> None:
    x, radius = entry.x, lettering.line // 3
    if entry.colour is not None:
        draw.ellipse((x, y - radius, x + 2 * radius, y + radius), fill=entry.colour, outline=_INK)
        x += lettering.line
    lettering.write(draw, (x, y), entry.text)


def _bar(picture_width: int, um_per_px: float | None) -> _Bar:
    """Return the longest bar of 1, 2 or 5 times a power of ten within a fifth of the picture."""
    if um_per_px is None:
        return _Bar(0, 0.0)
    longest = _BAR_SHARE * picture_width * um_per_px
    steps = [mantissa * 10.0**exponent for exponent in range(-2, 4) for mantissa in (1, 2, 5)]
    length = max((step for step in steps if step <= longest), default=0.0)
    return _Bar(round(length / um_per_px), length)


def _draw_bar(draw: ImageDraw.ImageDraw, bar: _Bar, start: tuple[int, int], lettering: _Lettering) -> None:
    x, y = start
    draw.rectangle((x, y - 2, x + bar.length_px - 1, y + 2), fill=_INK)
    label = f"{bar.length_um:g} {lettering.micrometre}"
    lettering.write(draw, (x + bar.length_px // 2, y + round(0.8 * lettering.line)), label, anchor="mm")
