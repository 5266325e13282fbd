"""The report as ``report.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def render(analysis: Analysis) -> bytes:
    """Return the report as indented JSON in ASCII with a final newline: the same bytes for the same report."""
    return (analysis.report.to_json(indent=2) + "\n").encode("ascii")
