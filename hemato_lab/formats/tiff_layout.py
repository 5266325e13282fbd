"""Where the pixels of one TIFF page lie and how they are coded, checked before anything is read.

Source: TIFF 6.0 specification; TIFF Technical Note 2 (JPEG); Adobe Photoshop TIFF notes (Deflate, floating-point
predictor).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from hemato_lab.errors import ImageTooLargeError, UnsupportedFormatError
from hemato_lab.formats.failures import damaged
from hemato_lab.formats.limits import MAX_TIFF_PIXELS, MAX_TIFF_SIDE, check_whole_size
from hemato_lab.formats.orientation import known, upright_size
from hemato_lab.formats.tiff_codecs import COMPRESSIONS, JPEG, UNCOMPRESSED, require_codec
from hemato_lab.formats.tiff_directory import Directory, Tag

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_IS_WHITE: Final = 0
MIN_IS_BLACK: Final = 1
COLOUR: Final = 2
PALETTE: Final = 3
SEPARATED: Final = 5
LUMA_CHROMA: Final = 6
_COLOUR_SAMPLES: Final = {MIN_IS_WHITE: 1, MIN_IS_BLACK: 1, COLOUR: 3, PALETTE: 1, SEPARATED: 4, LUMA_CHROMA: 3}
"""Samples a pixel without extra ones, for each photometric interpretation that is read."""
_SAMPLE_TYPES: Final = {
    (1, 1): "u1", (1, 2): "u1", (1, 4): "u1", (1, 8): "u1", (1, 16): "u2", (3, 16): "f2", (3, 32): "f4", (3, 64): "f8",
}  # fmt: skip
"""(sample format, bits) -> type after unpacking."""
_FORMAT_NAMES: Final = {1: "unsigned", 2: "signed", 3: "floating-point"}

Alpha = Literal["none", "straight", "premultiplied"]


@dataclass(frozen=True, slots=True, eq=False)
class TiffLayout:
    """One page.

    Attributes
    ----------
    width, height : int
        Stored size in pixels, before orientation.
    segment_width, segment_height : int
        Size of a tile; for strips the width of the page and the rows of a strip.
    is_tiled : bool
        Tiles are padded to their full size, the last strip is not.
    offsets, byte_counts : array of int64
        Where each tile or strip is; planes follow each other when the samples are stored separately.
    compression, predictor, photometric, bits : int
        TIFF tag values.
    sample_type : str
        numpy type of a sample with its byte order; one byte for less than 8 bits.
    samples : int
        A pixel's samples, extra ones included.
    is_planar : bool
        Whether each sample is stored as a plane of its own.
    alpha : Alpha
        What the first extra sample is.
    palette : array of uint8, shape (colours, 3), or None
    jpeg_tables : bytes
        Quantisation and Huffman tables shared by all tiles; empty when there are none.
    orientation : int
        1-8.
    """

    width: int
    height: int
    segment_width: int
    segment_height: int
    is_tiled: bool
    offsets: NDArray[np.int64]
    byte_counts: NDArray[np.int64]
    compression: int
    predictor: int
    photometric: int
    bits: int
    sample_type: str
    samples: int
    is_planar: bool
    alpha: Alpha
    palette: NDArray[np.uint8] | None
    jpeg_tables: bytes
    orientation: int

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.width // self.segment_width)

    @property
    def down(self) -> int:
        """Rows of tiles, or strips."""
        return -(-self.height // self.segment_height)

    @property
    def planes(self) -> int:
        """Planes that are stored one after the other."""
        return self.samples if self.is_planar else 1

    @property
    def samples_together(self) -> int:
        """Samples of a pixel that stand side by side in a tile."""
        return 1 if self.is_planar else self.samples

    @property
    def row_bytes(self) -> int:
        """Bytes of one uncompressed row of a tile or strip."""
        return -(-self.segment_width * self.samples_together * self.bits // 8)

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) after orientation."""
        return upright_size(self.width, self.height, self.orientation)

    def rows_of(self, row: int) -> int:
        """Return how many pixel rows the tiles of tile row `row` hold."""
        return (
            self.segment_height if self.is_tiled else min(self.segment_height, self.height - row * self.segment_height)
        )


def layout_of(directory: Directory, file_size: int) -> TiffLayout:
    """Return the checked layout of a page.

    Raises
    ------
    UnreadableInputError
        If tags are missing, contradict each other, or point outside the file.
    UnsupportedFormatError
        If the kind of pixels or the compression is not read.
    MissingDependencyError
        If the compression needs the extra ``wsi``.
    ImageTooLargeError
        If a side or a compressed strip is beyond the limits.
    """
    width, height = page_size(directory)
    photometric, samples, alpha = _colour(directory)
    bits, sample_type = _sample_type(directory, samples)
    is_tiled = Tag.TILE_OFFSETS in directory
    segment_width, segment_height = _segment_size(directory, width, height, is_tiled=is_tiled)
    layout = TiffLayout(
        width=width,
        height=height,
        segment_width=segment_width,
        segment_height=segment_height,
        is_tiled=is_tiled,
        offsets=_positions(directory, Tag.TILE_OFFSETS if is_tiled else Tag.STRIP_OFFSETS),
        byte_counts=_positions(directory, Tag.TILE_BYTE_COUNTS if is_tiled else Tag.STRIP_BYTE_COUNTS),
        compression=_compression(directory, photometric, bits),
        predictor=_predictor(directory, sample_type),
        photometric=photometric,
        bits=bits,
        sample_type=sample_type,
        samples=samples,
        is_planar=_is_planar(directory, photometric, samples),
        alpha=alpha,
        palette=_palette(directory, bits) if photometric == PALETTE else None,
        jpeg_tables=directory.tags[Tag.JPEG_TABLES].tobytes() if Tag.JPEG_TABLES in directory else b"",
        orientation=known(directory.whole_number(Tag.ORIENTATION, 1)),
    )
    _check_positions(layout, file_size, directory.label)
    return layout


def _unsupported(problem: str, label: str) -> UnsupportedFormatError:
    return UnsupportedFormatError(problem, subject=label, hint="save it as an 8-bit RGB TIFF")


def page_size(directory: Directory) -> tuple[int, int]:
    """Return the stored (width, height) of a page; raises as `layout_of`."""
    width, height = directory.whole_number(Tag.IMAGE_WIDTH), directory.whole_number(Tag.IMAGE_LENGTH)
    if width < 1 or height < 1:
        raise damaged(directory.label, stage="header", reason=f"a page of {width} x {height} pixels")
    if max(width, height) > MAX_TIFF_SIDE or width * height > MAX_TIFF_PIXELS:
        raise ImageTooLargeError(
            f"states {width} x {height} pixels, more than the limit of {MAX_TIFF_PIXELS // 10**9} thousand million "
            f"or of {MAX_TIFF_SIDE} on a side",
            subject=directory.label,
            hint="cut it into several files",
        )
    return width, height


def _colour(directory: Directory) -> tuple[int, int, Alpha]:
    """Return the photometric interpretation, the samples of a pixel and what the first extra one is."""
    label = directory.label
    photometric = directory.whole_number(Tag.PHOTOMETRIC)
    samples = directory.whole_number(Tag.SAMPLES_PER_PIXEL, 1)
    if photometric not in _COLOUR_SAMPLES:
        raise _unsupported(
            f"has pixels of a kind that is not read (TIFF photometric interpretation {photometric})", label
        )
    extra = samples - _COLOUR_SAMPLES[photometric]
    if extra < 0:
        raise damaged(label, stage="header", reason=f"{samples} samples a pixel are too few for its colours")
    if photometric == SEPARATED and directory.whole_number(Tag.INK_SET, 1) != 1:
        raise _unsupported("is printed with inks other than CMYK", label)
    kinds = directory.whole_numbers(Tag.EXTRA_SAMPLES) or (0,)
    alphas: dict[int, Alpha] = {1: "premultiplied", 2: "straight"}
    alpha: Alpha = alphas.get(kinds[0], "none") if extra else "none"
    if extra and photometric not in {COLOUR, MIN_IS_BLACK}:
        raise _unsupported("has extra samples beside its colours", label)
    if extra and photometric == MIN_IS_BLACK and (alpha == "none" or extra > 1):
        raise _unsupported(f"has {samples} grey channels, which are no colour image", label)
    if samples > 16:
        raise _unsupported(f"has {samples} samples a pixel", label)
    return photometric, samples, alpha


def _sample_type(directory: Directory, samples: int) -> tuple[int, str]:
    """Return the bits of a sample and its numpy type."""
    all_bits = directory.whole_numbers(Tag.BITS_PER_SAMPLE) or (1,)
    formats = directory.whole_numbers(Tag.SAMPLE_FORMAT) or (1,)
    if len(set(all_bits)) > 1 or len(set(formats)) > 1 or len(all_bits) not in {1, samples}:
        raise _unsupported("has samples of different kinds in one pixel", directory.label)
    # Format 4 is "undefined", which libtiff reads as unsigned.
    bits, kind = all_bits[0], 1 if formats[0] == 4 else formats[0]
    if (kind, bits) not in _SAMPLE_TYPES or (bits < 8 and samples > 1):
        name = _FORMAT_NAMES.get(kind, "unknown")
        raise _unsupported(f"has {name} samples of {bits} bits", directory.label)
    return bits, directory.byte_order + _SAMPLE_TYPES[kind, bits]


def _is_planar(directory: Directory, photometric: int, samples: int) -> bool:
    is_planar = samples > 1 and directory.whole_number(Tag.PLANAR_CONFIGURATION, 1) == 2
    if is_planar and photometric == LUMA_CHROMA:
        raise _unsupported("stores luma and chroma in separate planes", directory.label)
    return is_planar


def _compression(directory: Directory, photometric: int, bits: int) -> int:
    compression, label = directory.whole_number(Tag.COMPRESSION, UNCOMPRESSED), directory.label
    if compression not in COMPRESSIONS:
        raise _unsupported(f"is compressed in a way that is not read (TIFF compression {compression})", label)
    require_codec(compression, label)
    if compression == JPEG and (bits != 8 or photometric not in {MIN_IS_BLACK, MIN_IS_WHITE, COLOUR, LUMA_CHROMA}):
        raise _unsupported("holds JPEG tiles of a rare kind", label)
    if photometric == LUMA_CHROMA and compression != JPEG:
        raise _unsupported("holds YCbCr pixels without JPEG compression", label)
    if directory.whole_number(Tag.FILL_ORDER, 1) != 1:
        raise _unsupported("stores its bits in reverse order", label)
    return compression


def _predictor(directory: Directory, sample_type: str) -> int:
    predictor = directory.whole_number(Tag.PREDICTOR, 1)
    fits = {1: True, 2: sample_type[1:] in {"u1", "u2"}, 3: sample_type[1] == "f"}
    if not fits.get(predictor, False):
        raise _unsupported(f"has TIFF predictor {predictor} on samples of type {sample_type[1:]}", directory.label)
    return predictor


def _segment_size(directory: Directory, width: int, height: int, *, is_tiled: bool) -> tuple[int, int]:
    if not is_tiled:
        rows = directory.whole_number(Tag.ROWS_PER_STRIP, height)
        size = (width, min(rows, height))
    else:
        size = (directory.whole_number(Tag.TILE_WIDTH), directory.whole_number(Tag.TILE_LENGTH))
    if min(size) < 1:
        raise damaged(directory.label, stage="header", reason=f"tiles or strips of {size[0]} x {size[1]} pixels")
    return size


def _positions(directory: Directory, tag: Tag) -> NDArray[np.int64]:
    directory.whole_number(tag)
    values = directory.tags[tag]
    if values.dtype.kind != "u" or (values.size and int(values.max()) > np.iinfo(np.int64).max):
        raise damaged(directory.label, stage="header", reason=f"TIFF tag {tag.value} holds impossible positions")
    return values.astype(np.int64)


def _palette(directory: Directory, bits: int) -> NDArray[np.uint8]:
    values = directory.tags.get(Tag.COLOUR_MAP)
    if bits > 8 or values is None or values.dtype != np.uint16 or values.size != 3 * 2**bits:
        raise damaged(directory.label, stage="header", reason="a palette that does not fit its pixels")
    return (values.reshape(3, -1).T >> 8).astype(np.uint8)


def _check_positions(layout: TiffLayout, file_size: int, label: str) -> None:
    expected = layout.across * layout.down * layout.planes
    if not len(layout.offsets) == len(layout.byte_counts) == expected:
        reason = f"{len(layout.offsets)} tiles or strips where its size needs {expected}"
        raise damaged(label, stage="header", reason=reason)
    if (layout.offsets > file_size - layout.byte_counts).any():
        raise damaged(label, stage="header", reason="tiles or strips lie outside the file")
    if layout.compression != UNCOMPRESSED or layout.is_tiled:
        check_whole_size(layout.segment_width, layout.segment_height, label)
    if layout.compression != UNCOMPRESSED:
        return
    rows = np.array([layout.rows_of(row) for row in range(layout.down)], dtype=np.int64)
    needed = np.tile(np.repeat(rows * layout.row_bytes, layout.across), layout.planes)
    # A tile of no bytes was left out as empty; a strip never is.
    left_out = (layout.byte_counts == 0) & layout.is_tiled
    if ((layout.byte_counts < needed) & ~left_out).any():
        raise damaged(label, stage="header", reason="uncompressed tiles or strips are shorter than their pixels")


def is_level_of(page: tuple[int, int], full: tuple[int, int]) -> bool:
    """Tell whether a page, (width, height), looks like a smaller copy of the full one.

    It does if it is smaller and its sides have the same ratio to the full ones, within the rounding of two pixels.
    """
    if page[0] >= full[0] or page[1] >= full[1]:
        return False
    factor = math.sqrt((full[0] / page[0]) * (full[1] / page[1]))
    return abs(full[0] / factor - page[0]) <= 2 and abs(full[1] / factor - page[1]) <= 2
