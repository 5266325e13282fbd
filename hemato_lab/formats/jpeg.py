"""JPEG: baseline and progressive, 8-bit grey, colour and CMYK, by libjpeg-turbo (simplejpeg).

Decoding is strict: libjpeg itself only warns about a file that ends early and paints the rest grey.
Source of the marker layout: ITU-T T.81 annex B; JFIF 1.02; Adobe technical note 5116 (APP14).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from hemato_lab.errors import UnsupportedFormatError
from hemato_lab.formats.failures import damaged, decoder_errors
from hemato_lab.formats.limits import check_whole_size
from hemato_lab.formats.orientation import UPRIGHT, known
from hemato_lab.formats.pixels import inks_to_rgb
from hemato_lab.formats.resolution import from_jfif, from_resolution_tags
from hemato_lab.formats.stored import InMemory, Stored
from hemato_lab.formats.tiff_directory import Tag, exif_directory
from hemato_lab.formats.whole import check_file_size, whole_image_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.smear import RGB, Field

START: Final = b"\xff\xd8"
END_OF_IMAGE: Final = 0xD9
START_OF_SCAN: Final = 0xDA
APP0: Final = 0xE0
APP1: Final = 0xE1
APP14: Final = 0xEE
WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})
FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READ_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended sequential and progressive with Huffman codes."""
_MAX_SCANS: Final = 100
"""A progressive file usually has 10 scans; each passes over the whole image, so many of them are an attack."""
PIXELS_PER_BYTE: Final = 512
"""An 8 x 8 block takes one bit at the very least, so a shorter file cannot hold the size that it states."""
_HEAD_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What stands before the first scan.

    Attributes
    ----------
    width, height : int
        Stored size in pixels.
    components : int
        1 grey, 3 colour, 4 CMYK.
    has_adobe_marker, has_jfif_marker : bool
        Whether the stream itself says how its colours are coded.
    orientation : int
        EXIF orientation, 1-8.
    um_per_px : float or None
        A credible pixel size.
    """

    width: int
    height: int
    components: int
    has_adobe_marker: bool
    has_jfif_marker: bool
    orientation: int
    um_per_px: float | None


def segments(content: bytes | memoryview, label: str) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each segment up to the first scan; start is at the 0xFF, end is exclusive.

    Raises
    ------
    UnreadableInputError
        If the bytes end or lose step before a scan begins. The tables of a TIFF end in an end-of-image marker instead.
    """
    position = 2
    while True:
        if position + 4 > len(content) and bytes(content[position : position + 2]) != b"\xff\xd9":
            raise damaged(label, stage="header", reason="a JPEG that ends within its header")
        if content[position] != 0xFF:
            raise damaged(label, stage="header", reason=f"no JPEG marker at byte {position}")
        marker = content[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == END_OF_IMAGE:
            yield marker, position, position + 2
            return
        if marker in WITHOUT_LENGTH:
            position += 2
            continue
        (length,) = struct.unpack(">H", content[position + 2 : position + 4])
        end = position + 2 + length
        if length < 2 or end > len(content):
            raise damaged(label, stage="header", reason="a JPEG that ends within its header")
        yield marker, position, end
        if marker == START_OF_SCAN:
            return
        position = end


def read_header(content: bytes, label: str) -> JpegHeader:
    """Read the header of a JPEG stream.

    Raises
    ------
    UnreadableInputError
        If it is damaged or there is no image in it.
    UnsupportedFormatError
        If the stream is lossless, hierarchical, arithmetic-coded or not of 8 bits, or has 2 components.
    """
    frame: tuple[int, int, int] | None = None
    adobe = jfif = False
    orientation, from_exif, from_app0 = UPRIGHT, None, None
    for marker, start, end in segments(content, label):
        body = content[start + 4 : end]
        if marker in FRAMES:
            if frame is not None:
                raise damaged(label, stage="header", reason="a JPEG with two frames")
            frame = _frame(marker, body, label)
        elif marker == APP0 and body[:5] == b"JFIF\0" and len(body) >= 12:
            jfif = True
            from_app0 = from_jfif(*struct.unpack(">BHH", body[7:12]))
        elif marker == APP1 and body[:6] == b"Exif\0\0":
            orientation, from_exif = read_exif(body[6:], label)
        elif marker == APP14 and body[:5] == b"Adobe":
            adobe = True
        elif marker in {START_OF_SCAN, END_OF_IMAGE} and frame is None:
            raise damaged(label, stage="header", reason="a JPEG without an image")
    if frame is None:
        raise damaged(label, stage="header", reason="a JPEG without an image")
    return JpegHeader(*frame, adobe, jfif, orientation, from_exif or from_app0)


def _frame(marker: int, body: bytes, label: str) -> tuple[int, int, int]:
    """Return (width, height, components) of a frame header."""
    if marker not in _READ_FRAMES:
        raise _unsupported(f"is a JPEG of the rare kind SOF{marker - 0xC0}", label)
    if len(body) < 6:
        raise damaged(label, stage="header", reason="a JPEG frame header of a few bytes")
    precision, height, width, components = struct.unpack(">BHHB", body[:6])
    if precision != 8:
        raise _unsupported(f"is a JPEG of {precision} bits", label)
    if components not in {1, 3, 4}:
        raise _unsupported(f"is a JPEG of {components} components", label)
    if height == 0:
        raise _unsupported("is a JPEG that states its height only at the end", label)
    return width, height, components


def _unsupported(problem: str, label: str) -> UnsupportedFormatError:
    return UnsupportedFormatError(problem, subject=label, hint="convert it to an ordinary 8-bit JPEG or to PNG")


def read_exif(block: bytes, label: str) -> tuple[int, float | None]:
    """Return the orientation and a credible pixel size of an EXIF block; (1, None) when it is damaged."""
    with_header = block[:2] in {b"II", b"MM"} and len(block) >= 8
    directory = exif_directory(InMemory(block, label), label) if with_header else None
    if directory is None:
        return UPRIGHT, None
    values = directory.tags.get(Tag.ORIENTATION)
    whole = values is not None and values.size > 0 and values.dtype.kind in "ui"
    orientation = known(int(values[0])) if values is not None and whole else UPRIGHT
    return orientation, from_resolution_tags(directory)


def decode_stream(content: bytes, label: str, colours: Literal["RGB", "GRAY", "CMYK"]) -> RGB:
    """Decode a stream strictly, shape (height, width, channels).

    Raises
    ------
    UnreadableInputError
        If anything in it is damaged or missing.
    """
    import simplejpeg

    with decoder_errors(label, stage="decode"):
        decoded: RGB = simplejpeg.decode_jpeg(content, colours, strict=True)
    return decoded


def decode_jpeg(content: bytes, label: str) -> RGB:
    """Decode a JPEG file to RGB as stored, shape (height, width, 3), uint8; EXIF orientation is not applied."""
    header = read_header(content, label)
    if header.components != 4:
        return decode_stream(content, label, "RGB")
    inks = decode_stream(content, label, "CMYK")
    # Adobe's CMYK files store 255 for no ink.
    return inks_to_rgb(np.subtract(255, inks) if header.has_adobe_marker else inks)


def open_jpeg(stored: Stored) -> tuple[Field, ...]:
    """Return the one field of a JPEG file.

    Raises
    ------
    ImageTooLargeError
        If its header states too many pixels.
    UnsupportedFormatError, UnreadableInputError
        See `read_header` and `decode_stream`.
    """
    check_file_size(stored)
    _refuse_bomb(stored)
    content = stored.read_all()
    header = read_header(content, stored.label)
    check_whole_size(header.width, header.height, stored.label)
    _refuse_impossible(header, content, stored.label)
    field = whole_image_field(
        stored,
        content,
        decode_jpeg,
        stored_size=(header.width, header.height),
        orientation=header.orientation,
        um_per_px=header.um_per_px,
    )
    return (field,)


def _refuse_bomb(stored: Stored) -> None:
    """Check the stated size from the first bytes alone, where it usually stands."""
    head = stored.head(_HEAD_BYTES)
    position = 2
    while position + 9 <= len(head) and head[position] == 0xFF:
        marker, length = head[position + 1], int.from_bytes(head[position + 2 : position + 4], "big")
        if marker in FRAMES:
            height, width = struct.unpack(">HH", head[position + 5 : position + 9])
            if height:
                check_whole_size(width, height, stored.label)
            return
        position += 2 + length


def _refuse_impossible(header: JpegHeader, content: bytes, label: str) -> None:
    if header.width * header.height > PIXELS_PER_BYTE * len(content):
        reason = f"{len(content)} bytes cannot hold {header.width} x {header.height} pixels"
        raise damaged(label, stage="header", reason=reason)
    if content.count(b"\xff\xda") > _MAX_SCANS:
        raise _unsupported(f"is a JPEG of more than {_MAX_SCANS} scans", label)
