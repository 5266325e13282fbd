"""The pathology report as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def render(analysis: Analysis) -> bytes:
    """Return the text in UTF-8 with a final newline; it ends with the research-use notice in every case."""
    text = analysis.report.pathology_report.rstrip()
    if not text.endswith(RESEARCH_USE_NOTICE):
        text = f"{text}\n\n{RESEARCH_USE_NOTICE}" if text else RESEARCH_USE_NOTICE
    return f"{text}\n".encode("utf-8", "backslashreplace")
