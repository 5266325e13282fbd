"""Reading: files, folders, archives and arrays become a `Smear` whose pixels are read by window.

============  ==========================================================================================
JPEG          8-bit grey, colour, CMYK; baseline and progressive; EXIF orientation 1-8 applied
PNG           1-16 bit grey, colour, palette, transparency (laid over white); eXIf orientation applied
TIFF, BigTIFF strips, tiles, pyramids, several pages; 1-16 bit and floating-point 0-1; grey, colour, palette,
              CMYK; uncompressed, Deflate, PackBits, JPEG; with the extra ``wsi`` LZW, Zstandard, JPEG 2000
ZIP           of these, unpacked in memory; hostile archives are refused with a reason code
arrays        shape (height, width, 3), uint8 RGB
============  ==========================================================================================

Every field carries the hash of its file's bytes, and bytes that changed since are refused when they are read. A new
format is one module with a function ``Stored -> tuple of Field``, one line in `opening.READERS` and its first bytes and
endings in `sniffing`.
"""

from __future__ import annotations

from hemato_lab.formats.opening import open_smear

__all__ = ["open_smear"]
