"""Pages of the PDF: margins, the notice and the page number on each; this module loads reportlab."""

from __future__ import annotations

import io
from typing import Any, Final

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate
from reportlab.platypus.doctemplate import LayoutError

from hemato_lab import __version__
from hemato_lab.errors import ConfigError
from hemato_lab.export.characters import one_line
from hemato_lab.export.pdf_parts import BOLD, HEIGHT, INK, MARGIN, PLAIN, QUIET, WIDTH
from hemato_lab.report import RESEARCH_USE_NOTICE

_SIZE: Final = 7.5
_LINE: Final = 4 * mm


class _Pages(Canvas):  # type: ignore[misc]
    """A canvas that writes its pages when it knows how many there are."""

    def __init__(self, *arguments: Any, title: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._smear = title
        self._waiting: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 (reportlab's name)
        """Keep a page for later."""
        self._waiting.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Write every page with what stands around it, then the document."""
        for number, page in enumerate(self._waiting, start=1):
            self.__dict__.update(page)
            self._surround(number, len(self._waiting))
            super().showPage()
        super().save()

    def _surround(self, number: int, pages: int) -> None:
        bottom, top = MARGIN - 2.5 * _LINE, A4[1] - MARGIN + 1.2 * _LINE
        self.setStrokeColor(QUIET)
        self.setLineWidth(0.4)
        self.line(MARGIN, bottom + _LINE, MARGIN + WIDTH, bottom + _LINE)
        self.setFillColor(INK)
        self.setFont(BOLD, _SIZE)
        self.drawString(MARGIN, bottom, RESEARCH_USE_NOTICE)
        self.setFont(PLAIN, _SIZE)
        self.drawRightString(MARGIN + WIDTH, bottom, f"page {number} of {pages}")
        self.setFillColor(QUIET)
        self.drawRightString(MARGIN + WIDTH, top, f"hemato_lab {__version__}")
        if number > 1:
            self.drawString(MARGIN, top, _shortened(self._smear, 0.7 * WIDTH))


def _shortened(text: str, width: float) -> str:
    while text and pdfmetrics.stringWidth(text, PLAIN, _SIZE) > width:
        text = text[:-2] + "…"
    return text


def bytes_of(story: list[Any], title: str) -> bytes:
    """Lay out paragraphs, tables and figures on pages.

    Parameters
    ----------
    story : list
        Of reportlab's flowables.
    title : str
        Name of the smear.

    Raises
    ------
    ConfigError
        If something in it does not fit on a page.
    """
    stream, name = io.BytesIO(), one_line(title)
    document = BaseDocTemplate(
        stream,
        pagesize=A4,
        title=f"Peripheral blood smear: {name}",
        author="hemato_lab",
        subject=RESEARCH_USE_NOTICE,
        creator=f"hemato_lab {__version__}",
        lang="en",
        invariant=1,
    )
    frame = Frame(MARGIN, MARGIN, WIDTH, HEIGHT, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
    document.addPageTemplates([PageTemplate(frames=[frame])])
    try:
        document.build(story, canvasmaker=lambda *arguments, **options: _Pages(*arguments, title=name, **options))
    except LayoutError as error:
        hint = "export it as html, which has no pages"
        raise ConfigError("has something that does not fit on a page of a PDF", subject=title, hint=hint) from error
    return stream.getvalue()
