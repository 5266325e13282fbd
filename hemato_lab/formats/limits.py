"""How much a file may ask for, decided once.

Every limit is checked against what a header states, before memory is set aside or anything is decoded.
"""

from __future__ import annotations

from typing import Final

from hemato_lab.errors import ImageTooLargeError, UnreadableInputError

MAX_WHOLE_PIXELS: Final = 200_000_000
"""Most pixels of an image that must be decoded whole: JPEG, PNG, one compressed strip of a TIFF (0.6 GB as RGB)."""
MAX_WHOLE_FILE_BYTES: Final = 8 * MAX_WHOLE_PIXELS + (64 << 20)
"""Longest JPEG or PNG: four uncompressed 16-bit samples a pixel, and metadata."""
MAX_TIFF_SIDE: Final = 2_000_000
"""Longest side of a TIFF in pixels: 4 cm of slide at the finest credible pixel size."""
MAX_TIFF_PIXELS: Final = 50_000_000_000
"""Most pixels of a TIFF page, a few square centimetres at 0.1 um; tiles that share bytes could state any number."""
MAX_TIFF_PAGES: Final = 20_000
"""Most pages of one TIFF."""
VERIFIED_PIXELS: Final = 16_000_000
"""TIFF pages up to this size are decoded once when opened, so that damage shows before the analysis begins."""
WHOLE_IMAGE_CACHE_BYTES: Final = 256 << 20
"""Decoded JPEG and PNG images kept by one process."""
TILE_CACHE_BYTES: Final = 96 << 20
"""Decoded TIFF tiles and strips kept by one process: three rows of 256-pixel tiles of a slide 40,000 pixels wide."""
REDUCED_CACHE_BYTES: Final = 160 << 20
"""Reduced copies of large pictures kept by one process for showing them."""
MEMBER_CACHE_BYTES: Final = 256 << 20
"""Unpacked TIFF members of ZIP archives kept by one process."""
MAX_ARCHIVE_MEMBERS: Final = 20_000
"""Most entries of a ZIP archive."""
MAX_MEMBER_BYTES: Final = 1 << 30
"""Longest member of a ZIP archive after unpacking; it is unpacked in memory."""
MAX_MEMBER_NAME_BYTES: Final = 1024
"""Longest name of a member."""
MAX_COMPRESSION_RATIO: Final = 250
"""Most bytes out of one byte of a ZIP archive; photographs give less than 2, text and blank bitmaps up to 200."""
RATIO_MATTERS_FROM_BYTES: Final = 1 << 20
"""Members that unpack to less than this are harmless whatever their ratio."""


def check_whole_size(width: int, height: int, label: str) -> None:
    """Refuse the stated size of an image that must be decoded whole.

    Raises
    ------
    UnreadableInputError
        If a side is zero.
    ImageTooLargeError
        If there are more than `MAX_WHOLE_PIXELS` pixels.
    """
    if width < 1 or height < 1:
        raise UnreadableInputError(f"states a size of {width} x {height} pixels", subject=label)
    if width * height > MAX_WHOLE_PIXELS:
        raise ImageTooLargeError(
            f"states {width} x {height} pixels, more than the limit of {MAX_WHOLE_PIXELS // 10**6} million "
            "for an image that is decoded whole; nothing was decoded",
            subject=label,
            hint="save large images as tiled TIFF, which is read window by window",
        )
