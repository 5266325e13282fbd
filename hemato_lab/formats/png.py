"""PNG: every colour type and bit depth, through Pillow.

Pillow does not check the checksums of pixel data and leaks untyped errors from damaged metadata. So the chunks are
walked and checked here first, and Pillow is given only those that pixels are made of.
Source: Portable Network Graphics (third edition), W3C, sections 5 and 11.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.errors import UnsupportedFormatError
from hemato_lab.formats.failures import damaged, decoder_errors
from hemato_lab.formats.jpeg import read_exif
from hemato_lab.formats.limits import check_whole_size
from hemato_lab.formats.orientation import UPRIGHT
from hemato_lab.formats.pixels import eight_bit, grey_to_rgb, over_white
from hemato_lab.formats.resolution import from_png_density
from hemato_lab.formats.whole import check_file_size, whole_image_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.formats.stored import Stored
    from hemato_lab.smear import RGB, Field

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6
_DEPTHS: Final = {
    _GREY: {1, 2, 4, 8, 16},
    _COLOUR: {8, 16},
    _PALETTE: {1, 2, 4, 8},
    _GREY_ALPHA: {8, 16},
    _COLOUR_ALPHA: {8, 16},
}
_SAMPLES: Final = {_GREY: 1, _COLOUR: 3, _PALETTE: 1, _GREY_ALPHA: 2, _COLOUR_ALPHA: 4}
_ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, step in x and in y of each interlace pass."""
_UNPACK_CHUNK: Final = 1 << 20
_MADE_OF: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
MAX_DEFLATE_RATIO: Final = 1032
"""No DEFLATE stream unpacks to more than this many bytes a byte (RFC 1951)."""


@dataclass(frozen=True, slots=True)
class PngFile:
    """A PNG whose checksums are right.

    Attributes
    ----------
    width, height, depth, colour_type : int
        From the IHDR chunk.
    transparency : bytes
        Body of the tRNS chunk, empty when there is none.
    interlaced : bool
        Whether rows are stored in the seven passes of Adam7.
    pixel_data : tuple of (int, int)
        Where the bodies of the IDAT chunks begin and end.
    essential : bytes
        A PNG of the critical chunks alone, and of tRNS where it belongs to a palette.
    orientation : int
        EXIF orientation, 1-8.
    um_per_px : float or None
        A credible pixel size.
    """

    width: int
    height: int
    depth: int
    colour_type: int
    transparency: bytes
    interlaced: bool
    pixel_data: tuple[tuple[int, int], ...]
    essential: bytes
    orientation: int
    um_per_px: float | None


def _stated_size(content: bytes, label: str) -> tuple[int, int]:
    if len(content) < 33 or content[8:16] != b"\0\0\0\x0dIHDR":
        raise damaged(label, stage="header", reason="a PNG without its header chunk")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _pixel_kind(content: bytes, label: str) -> tuple[int, int, bool]:
    """Return (depth, colour type, whether interlaced)."""
    depth, colour_type, packing, filtering, interlace = content[24:29]
    if depth not in _DEPTHS.get(colour_type, ()) or packing or filtering or interlace > 1:
        raise damaged(label, stage="header", reason="a PNG header that no standard knows")
    return depth, colour_type, bool(interlace)


def read_png(content: bytes, label: str) -> PngFile:
    """Walk all chunks of a PNG and check them.

    Raises
    ------
    UnreadableInputError
        If it ends early, a checksum is wrong or the header makes no sense.
    UnsupportedFormatError
        If it has a critical chunk that no standard knows.
    """
    width, height = _stated_size(content, label)
    depth, colour_type, interlaced = _pixel_kind(content, label)
    transparency = b""
    pixel_data: list[tuple[int, int]] = []
    orientation, from_exif, from_density = UPRIGHT, None, None
    parts = [SIGNATURE]
    for name, start, end in _chunks(content, label):
        body = content[start + 8 : end - 4]
        if name == b"IDAT":
            pixel_data.append((start + 8, end - 4))
        if name in _MADE_OF or (name == b"tRNS" and colour_type == _PALETTE):
            parts.append(content[start:end])
        elif name == b"tRNS":
            transparency = body
        elif name == b"eXIf":
            orientation, from_exif = read_exif(body, label)
        elif name == b"pHYs" and len(body) == 9:
            x, y, unit = struct.unpack(">IIB", body)
            from_density = from_png_density(unit, x, y)
        elif name[:1].isupper():
            problem = f"is a PNG with the unknown chunk {name!r}"
            raise UnsupportedFormatError(problem, subject=label, hint="export it as an ordinary PNG")
    return PngFile(
        width=width,
        height=height,
        depth=depth,
        colour_type=colour_type,
        transparency=transparency,
        interlaced=interlaced,
        pixel_data=tuple(pixel_data),
        essential=b"".join(parts),
        orientation=orientation,
        um_per_px=from_exif or from_density,
    )


def _chunks(content: bytes, label: str) -> list[tuple[bytes, int, int]]:
    """Return (name, start, end) of every chunk up to IEND, each with the right checksum."""
    found = []
    position, view = len(SIGNATURE), memoryview(content)
    while True:
        length = int.from_bytes(content[position : position + 4], "big")
        end = position + 12 + length
        if position + 12 > len(content) or end > len(content):
            raise damaged(label, stage="header", reason="a PNG that ends before its last chunk")
        name = content[position + 4 : position + 8]
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            raise damaged(label, stage="header", reason=f"the checksum of PNG chunk {name!r} is wrong")
        found.append((name, position, end))
        if name == b"IEND":
            return found
        position = end


def check_pixel_data(content: bytes, png: PngFile, label: str) -> None:
    """Check that the compressed pixel data holds every row; Pillow paints missing rows black without a word.

    Raises
    ------
    UnreadableInputError
        If it does not, or the data is damaged.
    """
    expected = filtered_bytes(png)
    packed = sum(end - start for start, end in png.pixel_data)
    if expected > MAX_DEFLATE_RATIO * packed:
        reason = f"{packed} bytes of pixel data cannot hold {png.width} x {png.height} pixels"
        raise damaged(label, stage="header", reason=reason)
    unpacker, made = zlib.decompressobj(), 0
    with decoder_errors(label, stage="unpack"):
        for start, end in png.pixel_data:
            waiting: bytes | memoryview = memoryview(content)[start:end]
            while waiting and made < expected:
                made += len(unpacker.decompress(waiting, _UNPACK_CHUNK))
                waiting = unpacker.unconsumed_tail
    if made < expected:
        raise damaged(label, stage="unpack", reason=f"{made} bytes of pixels where its size needs {expected}")


def filtered_bytes(png: PngFile) -> int:
    """Return the unpacked bytes of all rows, each with one byte for its filter."""
    bits = png.depth * _SAMPLES[png.colour_type]
    passes = _ADAM7 if png.interlaced else ((0, 0, 1, 1),)
    total = 0
    for x0, y0, step_x, step_y in passes:
        columns, rows = -((x0 - png.width) // step_x), -((y0 - png.height) // step_y)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def decode_png(content: bytes, label: str) -> RGB:
    """Decode a PNG file to RGB as stored, shape (height, width, 3), uint8; EXIF orientation is not applied.

    Transparency is laid over white; 16-bit samples keep their high byte (see `pixels`).
    """
    from PIL.PngImagePlugin import PngImageFile

    png = read_png(content, label)
    # Image.open would compare the size with a limit of its own, by a warning that is global to the process.
    with decoder_errors(label, stage="decode"), PngImageFile(io.BytesIO(png.essential)) as image:
        image.load()
        if png.colour_type == _PALETTE:
            _check_palette(np.asarray(image), bytes(image.palette.palette) if image.palette else b"", label)
            samples = np.asarray(image.convert("RGBA"))
        elif png.colour_type == _GREY and png.depth < 8:
            samples = np.asarray(image.convert("L"))
        else:
            samples = np.asarray(image)
    return _to_rgb(samples, png, label)


def _check_palette(indices: NDArray[Any], palette: bytes, label: str) -> None:
    if indices.size and int(indices.max()) >= len(palette) // 3:
        raise damaged(label, stage="decode", reason="a pixel refers to a colour that is not in the palette")


def _to_rgb(samples: NDArray[Any], png: PngFile, label: str) -> RGB:
    if png.colour_type in {_PALETTE, _COLOUR_ALPHA}:
        return over_white(samples[:, :, :3], samples[:, :, 3])
    if png.colour_type == _GREY_ALPHA:
        # Of 16-bit grey with alpha Pillow makes four channels, of 8-bit two.
        return over_white(grey_to_rgb(samples[:, :, 0]), samples[:, :, -1])
    rgb = grey_to_rgb(eight_bit(samples, label)) if png.colour_type == _GREY else samples
    clear = _clear_pixels(samples, png, label)
    return rgb if clear is None else np.where(clear[:, :, np.newaxis], np.uint8(255), rgb)


def _clear_pixels(samples: NDArray[Any], png: PngFile, label: str) -> NDArray[np.bool_] | None:
    """Return where a grey or colour image has the one colour that its tRNS chunk makes fully transparent."""
    if not png.transparency:
        return None
    if len(png.transparency) != 2 * _SAMPLES[png.colour_type]:
        raise damaged(label, stage="header", reason="a PNG transparency chunk of the wrong length")
    clear = np.frombuffer(png.transparency, ">u2").astype(np.uint16)
    if png.colour_type == _GREY:
        stretch = 255 // (2**png.depth - 1) if png.depth < 8 else 1
        matches: NDArray[np.bool_] = np.equal(samples, clear[0] * stretch)
        return matches
    if png.depth == 16:
        raise UnsupportedFormatError(
            "is a 16-bit colour PNG with a transparent colour",
            subject=label,
            hint="save it without transparency",
        )
    same: NDArray[np.bool_] = np.equal(samples, clear).all(axis=2)
    return same


def open_png(stored: Stored) -> tuple[Field, ...]:
    """Return the one field of a PNG file (the still image of an animated one).

    Raises
    ------
    ImageTooLargeError
        If its header states too many pixels.
    UnsupportedFormatError, UnreadableInputError
        See `read_png` and `decode_png`.
    """
    check_file_size(stored)
    check_whole_size(*_stated_size(stored.head(64), stored.label), stored.label)
    content = stored.read_all()
    png = read_png(content, stored.label)
    check_pixel_data(content, png, stored.label)
    field = whole_image_field(
        stored,
        content,
        decode_png,
        stored_size=(png.width, png.height),
        orientation=png.orientation,
        um_per_px=png.um_per_px,
    )
    return (field,)
