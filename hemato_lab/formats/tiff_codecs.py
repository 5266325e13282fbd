"""Compressed tiles and strips -> samples.

Uncompressed, Deflate, PackBits and JPEG need nothing beyond the core dependencies; the others need imagecodecs, which
the extra ``wsi`` brings. Every decoder is told how many bytes may come out.
"""

from __future__ import annotations

import importlib
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.errors import MissingDependencyError
from hemato_lab.formats import jpeg
from hemato_lab.formats.failures import damaged, decoder_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hemato_lab.formats.tiff_layout import TiffLayout

UNCOMPRESSED: Final = 1
JPEG: Final = 7
_JPEG_2000: Final = frozenset({33005, 34712})
_RGB_PHOTOMETRIC: Final = 2
_TABLE_MARKERS: Final = frozenset({0xC4, 0xDB, 0xDD})
"""Huffman tables, quantisation tables, restart interval."""


def _uncompressed(data: bytes, size: int) -> bytes:
    return data[:size]


def _deflate(data: bytes, size: int) -> bytes:
    return zlib.decompressobj().decompress(data, size)


def _packbits(data: bytes, size: int) -> bytes:
    """Unpack run lengths (TIFF 6.0 section 9)."""
    parts: list[bytes] = []
    position = made = 0
    while made < size and position + 1 < len(data):
        control = data[position]
        if control < 128:
            part = data[position + 1 : position + 2 + control]
            position += 2 + control
        elif control > 128:
            part = data[position + 1 : position + 2] * (257 - control)
            position += 2
        else:
            part = b""
            position += 1
        parts.append(part)
        made += len(part)
    return b"".join(parts)[:size]


def _codecs() -> Any:
    return importlib.import_module("imagecodecs")


def _lzw(data: bytes, size: int) -> bytes:
    return bytes(_codecs().lzw_decode(data, out=size))


def _zstd(data: bytes, size: int) -> bytes:
    return bytes(_codecs().zstd_decode(data, out=size))


_TO_BYTES: Final[dict[int, Callable[[bytes, int], bytes]]] = {
    UNCOMPRESSED: _uncompressed,
    5: _lzw,
    8: _deflate,
    32773: _packbits,
    32946: _deflate,
    50000: _zstd,
}
"""TIFF compression -> function of (data, most bytes that may come out)."""
COMPRESSIONS: Final = frozenset(_TO_BYTES) | {JPEG} | _JPEG_2000
_FROM_EXTRA: Final = frozenset({5, 50000}) | _JPEG_2000


def require_codec(compression: int, label: str) -> None:
    """Raise MissingDependencyError if this compression needs imagecodecs and it is not installed."""
    if compression not in _FROM_EXTRA:
        return
    try:
        _codecs()
    except ImportError as error:
        raise MissingDependencyError("imagecodecs", extra="wsi", subject=label) from error


def decode_segment(data: bytes, layout: TiffLayout, rows: int, label: str) -> NDArray[Any]:
    """Return the samples of one tile or strip.

    Parameters
    ----------
    data : bytes
        As stored; empty for a tile that was left out, which is white glass.
    layout : TiffLayout
    rows : int
        Pixel rows that it holds.
    label : str
        The file, for errors.

    Returns
    -------
    array, shape (rows, layout.segment_width, layout.samples_together)
        In native byte order.

    Raises
    ------
    UnreadableInputError
        If it is damaged or holds fewer pixels than it should.
    """
    shape = (rows, layout.segment_width, layout.samples_together)
    if layout.compression == JPEG:
        return _checked(_decode_jpeg(data, layout, shape, label), shape, label)
    if layout.compression in _JPEG_2000:
        return _checked(_decode_jpeg_2000(data, shape, label), shape, label)
    size = rows * layout.row_bytes
    with decoder_errors(label, stage="decode"):
        raw = _TO_BYTES[layout.compression](data, size)
    if len(raw) < size:
        raise damaged(label, stage="decode", reason=f"a tile or strip unpacks to {len(raw)} bytes instead of {size}")
    samples = unpack_samples(raw, layout, shape)
    return samples if layout.compression == UNCOMPRESSED else _undo_predictor(samples, layout.predictor)


def _checked(samples: NDArray[Any], shape: tuple[int, int, int], label: str) -> NDArray[Any]:
    # The last JPEG strip may be padded; a tile must have its full size.
    if samples.ndim != 3 or samples.shape[0] < shape[0] or samples.shape[1:] != shape[1:]:
        raise damaged(label, stage="decode", reason=f"a tile of shape {samples.shape} where {shape} is stated")
    return samples[: shape[0]]


def unpack_samples(raw: bytes, layout: TiffLayout, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return uncompressed bytes as samples; rows of less than 8 bits a sample begin on whole bytes."""
    if layout.bits >= 8:
        stored = np.frombuffer(raw, np.dtype(layout.sample_type)).reshape(shape)
        return stored.astype(stored.dtype.newbyteorder("="))
    packed = np.frombuffer(raw, np.uint8).reshape(shape[0], -1)
    per_byte = 8 // layout.bits
    shifts = np.arange(per_byte - 1, -1, -1, dtype=np.uint8) * np.uint8(layout.bits)
    spread = (packed[:, :, np.newaxis] >> shifts) & np.uint8(2**layout.bits - 1)
    return spread.reshape(shape[0], -1)[:, : shape[1], np.newaxis]


def _undo_predictor(samples: NDArray[Any], predictor: int) -> NDArray[Any]:
    if predictor == 2:
        return np.cumsum(samples, axis=1, dtype=samples.dtype)
    if predictor == 3:
        return _undo_float_predictor(samples)
    return samples


def _undo_float_predictor(samples: NDArray[Any]) -> NDArray[Any]:
    """Undo differencing of byte planes, most significant first (Adobe Photoshop TIFF Technical Note 3)."""
    rows, columns, together = samples.shape
    width = samples.dtype.itemsize
    stored_bytes = _as_stored(samples).reshape(rows, width * columns, together)
    planes = np.cumsum(stored_bytes, axis=1, dtype=np.uint8).reshape(rows, width, columns * together)
    big_endian = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(f">f{width}")
    return big_endian.reshape(rows, columns, together).astype(samples.dtype)


def _as_stored(samples: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(samples).view(np.uint8)


def _decode_jpeg(data: bytes, layout: TiffLayout, shape: tuple[int, int, int], label: str) -> NDArray[Any]:
    import simplejpeg

    stream = join_jpeg_tables(data, layout.jpeg_tables, layout.photometric, label)
    with decoder_errors(label, stage="decode"):
        height, width, colours, _ = simplejpeg.decode_jpeg_header(stream)
    if width != shape[1] or not shape[0] <= height <= layout.segment_height:
        reason = f"a JPEG tile of {width} x {height} pixels where {shape[1]} x {shape[0]} are stated"
        raise damaged(label, stage="decode", reason=reason)
    if (colours == "Gray") != (shape[2] == 1) or colours in {"CMYK", "YCCK"}:
        raise damaged(label, stage="decode", reason=f"a {colours} JPEG tile where {shape[2]} samples are stated")
    return jpeg.decode_stream(stream, label, "GRAY" if shape[2] == 1 else "RGB")


def join_jpeg_tables(data: bytes, tables: bytes, photometric: int, label: str) -> bytes:
    """Return a stream that stands alone: shared tables put in, and a marker that says how its colours are coded.

    Without a marker of its own libjpeg takes three components for YCbCr; the TIFF's photometric interpretation says
    which they are (TIFF Technical Note 2). A marker that the stream has itself is believed.
    """
    if data[:2] != jpeg.START:
        raise damaged(label, stage="decode", reason="a JPEG tile that does not begin like one")
    parts = [jpeg.START]
    if not _says_its_colours(data, label):
        transform = 0 if photometric == _RGB_PHOTOMETRIC else 1
        parts.append(struct.pack(">HH5sHHHB", 0xFF00 | jpeg.APP14, 14, b"Adobe", 100, 0, 0, transform))
    if tables:
        parts.append(_tables_alone(tables, label))
    parts.append(data[2:])
    return b"".join(parts)


@lru_cache(maxsize=64)
def _tables_alone(tables: bytes, label: str) -> bytes:
    parts = [tables[start:end] for marker, start, end in jpeg.segments(tables, label) if marker in _TABLE_MARKERS]
    return b"".join(parts)


def _says_its_colours(data: bytes, label: str) -> bool:
    for marker, start, end in jpeg.segments(data, label):
        if marker == jpeg.APP14 and data[start + 4 : end].startswith(b"Adobe"):
            return True
        if marker == jpeg.APP0 and data[start + 4 : end].startswith(b"JFIF\0"):
            return True
    return False


def _decode_jpeg_2000(data: bytes, shape: tuple[int, int, int], label: str) -> NDArray[Any]:
    """Decode a codestream after a look at its SIZ marker (ISO/IEC 15444-1 annex A.5.1)."""
    start = data.find(b"\xff\x4f\xff\x51")
    size = data[start + 8 : start + 24]
    if start < 0 or len(size) < 16:
        raise damaged(label, stage="decode", reason="a JPEG 2000 tile without its header")
    x1, y1, x0, y0 = struct.unpack(">IIII", size)
    if (y1 - y0, x1 - x0) != shape[:2]:
        raise damaged(label, stage="decode", reason=f"a JPEG 2000 tile of {x1 - x0} x {y1 - y0} pixels")
    with decoder_errors(label, stage="decode"):
        decoded: NDArray[Any] = _codecs().jpeg2k_decode(data)
    return decoded[:, :, np.newaxis] if decoded.ndim == 2 else decoded
