"""An analysis: smear, cells, report, quality and provenance in one, with its faces in a notebook."""

from hemato_lab.analysis.model import Analysis

__all__ = ["Analysis"]
