"""An image as far as its header tells: a few kilobytes are read whatever the file is, and nothing is decoded.

Pixels that are damaged behind a sound header are found by the analysis.
Sources: ITU-T T.81 annex B (JPEG); Portable Network Graphics (third edition), W3C, section 5.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ImageTooLargeError, InputError
from hemato_lab.formats import jpeg, png
from hemato_lab.formats.failures import damaged
from hemato_lab.formats.limits import check_whole_size
from hemato_lab.formats.stored import StoredFile
from hemato_lab.formats.whole import check_file_size
from hemato_lab.twin.file_types import check_magic
from hemato_lab.twin.refusals import Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.formats.stored import RandomAccess
    from hemato_lab.twin.file_types import ImageType

_LABEL: Final = "image"
_MOST_STEPS: Final = 1000
"""Parts before the pixels, and bytes of padding between them: a colour profile takes at most 255."""
_LAST_CHUNK: Final = struct.pack(">L4sL", 0, b"IEND", zlib.crc32(b"IEND"))
_HEADER_CHUNK_ENDS: Final = 33


@dataclass(frozen=True, slots=True)
class ImageSize:
    """What a header states, in pixels as stored."""

    width: int
    height: int


def check_image(path: Path, kind: ImageType) -> ImageSize:
    """Check an image by its header.

    Raises
    ------
    Refusal
        ``file_type_mismatch``; ``image_too_large`` if it states more pixels than are analysed; ``bad_image`` if the
        header is damaged, of a kind that is not read, or states more than the file can hold.
    """
    try:
        stored = StoredFile(path, _LABEL)
        check_magic(kind, stored.head(8))
        check_file_size(stored)
        with stored.opened() as access:
            size = _jpeg_size(access) if kind == "jpeg" else _png_size(access)
    except ImageTooLargeError as error:
        raise Refusal("image_too_large", {"reason": error.problem}) from error
    except InputError as error:
        raise Refusal("bad_image", {"reason": error.problem}) from error
    return size


def _jpeg_size(access: RandomAccess) -> ImageSize:
    # Frame and scan headers alone are what sizes and kinds are told by; the rest is stepped over.
    essential = bytearray(jpeg.START)
    position = len(jpeg.START)
    for _ in range(_MOST_STEPS):
        lead, marker, length = struct.unpack(">BBH", access.read_at(position, 4))
        if lead != 0xFF:
            raise damaged(_LABEL, stage="header", reason=f"no JPEG marker at byte {position}")
        if marker == 0xFF:
            position += 1
        elif marker in jpeg.WITHOUT_LENGTH:
            position += 2
        elif length < 2:
            raise damaged(_LABEL, stage="header", reason="a JPEG segment shorter than its own length")
        else:
            if marker in {*jpeg.FRAMES, jpeg.START_OF_SCAN}:
                essential += access.read_at(position, 2 + length)
            position += 2 + length
        if marker in {jpeg.START_OF_SCAN, jpeg.END_OF_IMAGE}:
            break
    else:
        raise damaged(_LABEL, stage="header", reason=f"a JPEG of more than {_MOST_STEPS} segments before its pixels")
    header = jpeg.read_header(bytes(essential), _LABEL)
    check_whole_size(header.width, header.height, _LABEL)
    if header.width * header.height > jpeg.PIXELS_PER_BYTE * access.size:
        raise _impossible(access.size, header.width, header.height)
    return ImageSize(header.width, header.height)


def _png_size(access: RandomAccess) -> ImageSize:
    beginning = access.read_at(0, min(_HEADER_CHUNK_ENDS, access.size))
    header = png.read_png(beginning + _LAST_CHUNK, _LABEL)
    check_whole_size(header.width, header.height, _LABEL)
    if png.filtered_bytes(header) > png.MAX_DEFLATE_RATIO * access.size:
        raise _impossible(access.size, header.width, header.height)
    position = _HEADER_CHUNK_ENDS
    for _ in range(_MOST_STEPS):
        length, name = struct.unpack(">L4s", access.read_at(position, 8))
        position += 12 + length
        if name == b"IEND" or position > access.size:
            raise damaged(_LABEL, stage="header", reason="a PNG that ends before its pixels")
        if name == b"IDAT":
            return ImageSize(header.width, header.height)
    raise damaged(_LABEL, stage="header", reason=f"a PNG of more than {_MOST_STEPS} chunks before its pixels")


def _impossible(size: int, width: int, height: int) -> InputError:
    return damaged(_LABEL, stage="header", reason=f"{size} bytes cannot hold {width} x {height} pixels")
