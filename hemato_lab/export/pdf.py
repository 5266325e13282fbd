"""The report as a PDF: text, tables with limits, pictures, provenance, and the research-use notice on every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hemato_lab.errors import MissingDependencyError

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def render(analysis: Analysis) -> bytes:
    """Return the document: A4, fonts inside, the same bytes for the same analysis.

    Raises
    ------
    MissingDependencyError
        If reportlab is not installed.
    InputError
        If pixels can no longer be read.
    """
    try:
        from hemato_lab.export import pdf_document
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("reportlab"):
            raise
        raise MissingDependencyError("reportlab", extra="pdf", subject="PDF reports") from error
    return pdf_document.build(analysis)
