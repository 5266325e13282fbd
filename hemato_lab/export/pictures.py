"""Every field with its cells ringed, as a ZIP archive of PNGs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hemato_lab.export.archive import index, stems_of, zipped
from hemato_lab.export.images import png

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def render(analysis: Analysis) -> bytes:
    """Return the annotated picture of every field; of a field larger than a picture the fullest part.

    Raises
    ------
    InputError
        If pixels can no longer be read.
    """
    pictures = ((f"{stem}.png", png(analysis.picture(field))) for field, stem in enumerate(stems_of(analysis)))
    return zipped((index(analysis), *pictures))
