"""The fullest field with its cells ringed, as a PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def render(analysis: Analysis) -> bytes:
    """Return the annotated picture of the field with most cells."""
    stream = io.BytesIO()
    analysis.picture().save(stream, "PNG")
    return stream.getvalue()
