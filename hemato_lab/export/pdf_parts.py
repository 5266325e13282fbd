"""Headings, paragraphs, tables and figures of the PDF, from plain text; this module loads reportlab."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import CondPageBreak, Image, LongTable, Paragraph, Table

from hemato_lab.errors import MissingDependencyError
from hemato_lab.export.characters import printable

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from hemato_lab.analysis import tables

    _Row = tuple[str, ...]

MARGIN: Final = 17 * mm
WIDTH: Final = A4[0] - 2 * MARGIN
HEIGHT: Final = A4[1] - 2 * MARGIN
PLAIN: Final = "hemato_lab"
BOLD: Final = "hemato_lab bold"
INK: Final = "#222222"
QUIET: Final = "#555555"
MOST_ROWS: Final = 150
"""Of a longer table the first so many rows are printed."""
_FILES: Final = {PLAIN: "DejaVuSans.ttf", BOLD: "DejaVuSans-Bold.ttf"}
_BELOW_HEADING: Final = 32 * mm
_PADDING: Final = 2.2 * mm
_LONGEST_PIECE: Final = 28 * mm
"""A column is at least as wide as its longest piece between spaces and hyphens, but longer ones are broken."""
_PIECE: Final = re.compile(r"[^ -]+-*|-+")
_SMALL: Final = "small "
_MANY_COLUMNS: Final = 7
_TALLEST: Final = HEIGHT / 2 - 17 * mm
"""Of a picture: two with their names fit on a page, below a heading."""
_NOWRAP: Final = 24
"""Characters: a shorter text of a cell stays on one line where there is room."""
_ROOM: Final = 0.85
_LONGEST_TEXT: Final = 500
"""Characters of a name or of a table's cell: a row is never higher than a page."""
_JPEG_QUALITY: Final = 90


@lru_cache(maxsize=1)
def styles() -> dict[str, ParagraphStyle]:
    """Return the styles by name; the fonts are registered with the first call.

    The fonts are DejaVu Sans as it comes with matplotlib: the same file everywhere, with µ and ≥.
    """
    for name, file in _FILES.items():
        pdfmetrics.registerFont(TTFont(name, str(_font_folder() / file)))
    plain = ParagraphStyle("plain", fontName=PLAIN, fontSize=9, leading=12.6, textColor=INK, spaceAfter=2 * mm)
    plain.alignment, plain.splitLongWords = TA_LEFT, 1
    return {
        "plain": plain,
        "title": _like(plain, fontName=BOLD, fontSize=15, leading=19, spaceAfter=3 * mm),
        "heading": _like(plain, fontName=BOLD, fontSize=11, leading=14, spaceBefore=5 * mm, spaceAfter=1.5 * mm),
        "small heading": _like(plain, fontName=BOLD, fontSize=8, leading=11, textColor=QUIET, spaceAfter=0),
        "note": _like(plain, fontSize=7.5, leading=10, textColor=QUIET, spaceBefore=0.8 * mm, spaceAfter=0.8 * mm),
        "notice": _like(plain, fontName=BOLD, spaceAfter=0),
        "caution heading": _like(plain, fontName=BOLD, fontSize=10, spaceAfter=1 * mm),
        "caution": _like(plain, spaceAfter=1 * mm),
        "cell": _like(plain, fontSize=8, leading=10.4, spaceAfter=0),
        "head": _like(plain, fontName=BOLD, fontSize=7.5, leading=9.6, textColor=QUIET, spaceAfter=0),
        "small cell": _like(plain, fontSize=6.8, leading=8.8, spaceAfter=0),
        "small head": _like(plain, fontName=BOLD, fontSize=6.3, leading=8.2, textColor=QUIET, spaceAfter=0),
    }


def _like(style: ParagraphStyle, **changed: Any) -> ParagraphStyle:
    return ParagraphStyle(f"{style.name} changed", parent=style, **changed)


def _font_folder() -> Path:
    found = find_spec("matplotlib")
    folder = None if found is None or found.origin is None else Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    if folder is None or not folder.is_dir():
        raise MissingDependencyError("matplotlib", extra="pdf", subject="the fonts of PDF reports")
    return folder


def paragraph(text: str, style: str = "plain") -> Paragraph:
    """Return text as a paragraph that goes on over pages where it is long; nothing in it is taken for markup."""
    return Paragraph(_escaped(printable(text)), styles()[style])


def shortened(text: str) -> str:
    """Return text of at most `_LONGEST_TEXT` characters, which says how many more there were."""
    more = len(text) - _LONGEST_TEXT
    return f"{text[:_LONGEST_TEXT]}… ({more} more characters)" if more > 0 else text


def heading(text: str) -> list[Any]:
    """Return a heading, on a new page where nothing would stand below it."""
    return [CondPageBreak(_BELOW_HEADING), paragraph(text, "heading")]


def boxed(lines: list[Any], edge: str, ground: str) -> Table:
    """Return paragraphs on a coloured ground with an edge at the left."""
    return Table(
        [[line] for line in lines],
        colWidths=[WIDTH],
        style=[
            ("BACKGROUND", (0, 0), (-1, -1), ground),
            ("LINEBEFORE", (0, 0), (0, -1), 3, edge),
            ("LEFTPADDING", (0, 0), (-1, -1), 3 * mm),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
            ("TOPPADDING", (0, 0), (-1, 0), 2 * mm),
            ("BOTTOMPADDING", (0, -1), (-1, -1), 2 * mm),
        ],
    )


def styled_table(table: tables.Table) -> list[Any]:
    """Return a table whose head is repeated on every page, and how much was left out of a long one."""
    rows = [table.head, *(tuple(shortened(printable(text)) for text in row) for row in table.rows[:MOST_ROWS])]
    size = _size(rows)
    widths = _widths(rows, size)
    drawn = LongTable(
        [
            [_cell(text, size + ("cell" if number else "head"), width) for text, width in zip(row, widths, strict=True)]
            for number, row in enumerate(rows)
        ],
        colWidths=widths,
        repeatRows=1,
        hAlign="LEFT",
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING),
            ("TOPPADDING", (0, 0), (-1, -1), 1.6),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2.2),
            ("LINEBELOW", (0, 0), (-1, 0), 0.7, QUIET),
            ("LINEBELOW", (0, 1), (-1, -1), 0.35, "#CCCCCC"),
        ],
    )
    more = len(table.rows) - MOST_ROWS
    return [drawn, paragraph(f"{more} further rows are not printed.", "note")] if more > 0 else [drawn]


def _size(rows: list[_Row]) -> str:
    """Return which letters a table needs: small ones for many columns, or where only they fit on single lines."""
    if len(rows[0]) > _MANY_COLUMNS:
        return _SMALL
    fits = {size: sum(_column_widths(rows, size)[1]) <= WIDTH for size in ("", _SMALL)}
    return _SMALL if fits[_SMALL] and not fits[""] else ""


def _widths(rows: list[_Row], size: str) -> list[float]:
    """Return the columns' widths: short texts keep to one line where there is room for that."""
    least, most = _column_widths(rows, size, kept=_NOWRAP)
    if sum(least) > _ROOM * WIDTH:
        least, most = _column_widths(rows, size)
    if sum(most) <= WIDTH:
        return most
    if sum(least) >= WIDTH:
        return [WIDTH * one / sum(least) for one in least]
    lacking = [high - low for low, high in zip(least, most, strict=True)]
    share = (WIDTH - sum(least)) / sum(lacking)
    return [low + share * one for low, one in zip(least, lacking, strict=True)]


def _column_widths(rows: list[_Row], size: str, *, kept: int = 0) -> tuple[list[float], list[float]]:
    """Return the least width of each column, of its longest piece, and the one at which no text is broken.

    Texts of cells that are shorter than `kept` characters are one piece.
    """
    fonts = [styles()[f"{size}{'cell' if number else 'head'}"] for number in range(len(rows))]
    least, most = [], []
    for column in zip(*rows, strict=True):
        written = list(zip(column, fonts, strict=True))
        broken = max((_width(one, font) for text, font in written for one in _PIECE.findall(text)), default=0.0)
        short = max((_width(text, font) for text, font in written[1:] if len(text) < kept), default=0.0)
        whole = max(_width(text, font) for text, font in written)
        least.append(max(min(broken, _LONGEST_PIECE), short) + _PADDING + 1)
        most.append(whole + _PADDING + 1)
    return least, most


def _cell(text: str, style: str, width: float) -> Paragraph:
    """Return a cell's text; words wider than their column are broken after hyphens."""
    room, font = width - _PADDING, styles()[style]
    words = ["<br/>".join(map(_escaped, _parts(word, font, room))) for word in text.split(" ")]
    return Paragraph(" ".join(words), font)


def _parts(word: str, font: ParagraphStyle, room: float) -> list[str]:
    """Return a word in parts that fit, as far as hyphens allow that."""
    lines = [""]
    for piece in _PIECE.findall(word):
        if lines[-1] and _width(lines[-1] + piece, font) > room:
            lines.append("")
        lines[-1] += piece
    return lines


def _escaped(text: str) -> str:
    return escape(text, quote=False)


def _width(text: str, style: ParagraphStyle) -> float:
    return float(pdfmetrics.stringWidth(text, style.fontName, style.fontSize))


def figure(picture: Picture, name: str) -> list[Any]:
    """Return a picture with its name below, as large as fits twice on a page."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    zoom = min(WIDTH / picture.width, _TALLEST / picture.height)
    drawn = Image(stream, picture.width * zoom, picture.height * zoom, hAlign="LEFT")
    return [drawn, paragraph(shortened(name), "note")]
