"""TIFF and BigTIFF: strips or tiles, read by window and only where the window lies.

Pages of the same size are fields of one smear. Smaller copies of the full picture (SubIFDs, or pages on the main
chain) are pyramid levels and no fields; neither are thumbnails, labels and masks beside a pyramid (see `tiff_pages`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hemato_lab.errors import UnsupportedFormatError
from hemato_lab.formats.caching import TILES
from hemato_lab.formats.failures import damaged, naming_content
from hemato_lab.formats.limits import VERIFIED_PIXELS
from hemato_lab.formats.orientation import stored_window, upright
from hemato_lab.formats.pixels import eight_bit, grey_to_rgb, inks_to_rgb, over_white
from hemato_lab.formats.resolution import from_tiff
from hemato_lab.formats.tiff_codecs import UNCOMPRESSED, decode_segment, unpack_samples
from hemato_lab.formats.tiff_directory import Directory, Tag, directories
from hemato_lab.formats.tiff_layout import (
    MIN_IS_BLACK,
    MIN_IS_WHITE,
    PALETTE,
    SEPARATED,
    TiffLayout,
    layout_of,
)
from hemato_lab.formats.tiff_levels import smaller_copies
from hemato_lab.formats.tiff_pages import chosen_pages
from hemato_lab.smear import RGB, Field, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hemato_lab.formats.stored import RandomAccess, Stored


@dataclass(frozen=True, slots=True)
class TiffSource:
    """Pixels of one page; tiles are decoded when a window needs them and kept in a store bounded by bytes.

    Attributes
    ----------
    stored : Stored
        The file.
    file_id : str
        Hash of its bytes when it was opened.
    page : int
        Position on the main chain, or a number that no page of the file has.
    layout : TiffLayout
        Where the pixels lie.
    levels : tuple of TiffSource
        Smaller copies of the page in the same file, the largest first. Their pixels are checked when they are read.
    """

    stored: Stored
    file_id: str
    page: int
    layout: TiffLayout
    levels: tuple[TiffSource, ...] = ()

    @property
    def width(self) -> int:
        """In pixels, the right way up."""
        return self.layout.upright_size[0]

    @property
    def height(self) -> int:
        """In pixels, the right way up."""
        return self.layout.upright_size[1]

    def read(self, window: Window) -> RGB:
        """Return the pixels of a window inside the page, a new array.

        Raises
        ------
        IntegrityError
            If the file changed since it was opened.
        UnreadableInputError
            If a tile of the window is damaged.
        UnsupportedFormatError
            If floating-point samples of the window lie outside 0-1.
        """
        layout = self.layout
        self.stored.ensure_unchanged(self.file_id)
        stored = stored_window(window, layout.width, layout.height, layout.orientation)
        with naming_content(self.file_id), self.stored.opened() as access:
            planes = [self._plane(access, plane, stored) for plane in range(layout.planes)]
            samples = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
            rgb = to_rgb(samples, layout, self.stored.label)
        return np.ascontiguousarray(upright(rgb, layout.orientation))

    def verify(self) -> None:
        """Decode the whole page if it is small, else its first pixel; raises what `read` would."""
        whole = Window(0, 0, self.width, self.height)
        self.read(whole if whole.area <= VERIFIED_PIXELS else Window(0, 0, 1, 1))

    def _plane(self, access: RandomAccess, plane: int, window: Window) -> NDArray[Any]:
        """Return the samples of a stored window, shape (height, width, samples_together)."""
        layout = self.layout
        if layout.compression == UNCOMPRESSED and not layout.is_tiled and layout.bits >= 8:
            return self._uncompressed_rows(access, plane, window)
        together = layout.samples_together
        sample_type = np.dtype(layout.sample_type).newbyteorder("=")
        out = np.empty((window.height, window.width, together), sample_type)
        for row, column, part in _segments_of(layout, window):
            segment = self._segment(access, plane, row, column)
            x, y = column * layout.segment_width, row * layout.segment_height
            inside = Window(part.x0 - x, part.y0 - y, part.x1 - x, part.y1 - y)
            target = Window(part.x0 - window.x0, part.y0 - window.y0, part.x1 - window.x0, part.y1 - window.y0)
            out[target.slices()] = segment[inside.slices()]
        return out

    def _segment(self, access: RandomAccess, plane: int, row: int, column: int) -> NDArray[Any]:
        layout = self.layout
        index = (plane * layout.down + row) * layout.across + column

        def make() -> NDArray[Any]:
            data = access.read_at(int(layout.offsets[index]), int(layout.byte_counts[index]))
            # Asked again after the bytes were read, so that nothing written in between is kept.
            self.stored.ensure_unchanged(self.file_id)
            if not data:
                return _empty_segment(layout, layout.rows_of(row), self.stored.label)
            return decode_segment(data, layout, layout.rows_of(row), self.stored.label)

        return TILES.get((self.file_id, self.page, index), make)

    def _uncompressed_rows(self, access: RandomAccess, plane: int, window: Window) -> NDArray[Any]:
        """Read just the bytes of a window; an uncompressed slide may be a single strip."""
        layout = self.layout
        raw = b"".join(access.read_at(start, size) for start, size in _byte_runs(layout, plane, window))
        self.stored.ensure_unchanged(self.file_id)
        return unpack_samples(raw, layout, (window.height, window.width, layout.samples_together))


def _byte_runs(layout: TiffLayout, plane: int, window: Window) -> Iterator[tuple[int, int]]:
    """Yield (offset, size) of the bytes of a window of an uncompressed page, in order."""
    pixel_bytes = layout.samples_together * layout.bits // 8
    whole_rows = window.width == layout.width
    y = window.y0
    while y < window.y1 and window.width:
        strip, row = divmod(y, layout.segment_height)
        rows = min(window.y1 - y, layout.segment_height - row) if whole_rows else 1
        start = int(layout.offsets[plane * layout.down + strip]) + row * layout.row_bytes
        yield start + window.x0 * pixel_bytes, rows * window.width * pixel_bytes
        y += rows


def _segments_of(layout: TiffLayout, window: Window) -> Iterator[tuple[int, int, Window]]:
    """Yield (tile row, tile column, common part) of all tiles or strips that a stored window touches."""
    if not window.area:
        return
    width, height = layout.segment_width, layout.segment_height
    for row in range(window.y0 // height, (window.y1 - 1) // height + 1):
        for column in range(window.x0 // width, (window.x1 - 1) // width + 1):
            tile = Window(column * width, row * height, (column + 1) * width, (row + 1) * height)
            yield row, column, tile.intersect(window)


def _empty_segment(layout: TiffLayout, rows: int, label: str) -> NDArray[Any]:
    """Return a tile that the writer left out as empty: white, the colour of glass."""
    if layout.photometric == PALETTE:
        raise damaged(label, stage="decode", reason="a tile without bytes in an image with a palette")
    sample_type = np.dtype(layout.sample_type).newbyteorder("=")
    white = 1 if sample_type.kind == "f" else 2**layout.bits - 1
    if layout.photometric in {MIN_IS_WHITE, SEPARATED}:
        white = 0
    return np.full((rows, layout.segment_width, layout.samples_together), white, sample_type)


def to_rgb(samples: NDArray[Any], layout: TiffLayout, label: str) -> RGB:
    """Return the samples of a page, shape (height, width, samples), as RGB.

    Raises
    ------
    UnsupportedFormatError
        If floating-point samples lie outside 0-1.
    """
    if layout.palette is not None:
        coloured: RGB = layout.palette[samples[:, :, 0]]
        return coloured
    if layout.bits < 8:
        samples = samples * np.uint8(255 // (2**layout.bits - 1))
    values = eight_bit(samples, label)
    if layout.photometric == SEPARATED:
        return inks_to_rgb(values)
    if layout.photometric in {MIN_IS_WHITE, MIN_IS_BLACK}:
        grey = values[:, :, 0]
        colour, extra = grey_to_rgb(255 - grey if layout.photometric == MIN_IS_WHITE else grey), 1
    else:
        colour, extra = values[:, :, :3], 3
    if layout.alpha == "none":
        return colour
    return over_white(colour, values[:, :, extra], premultiplied=layout.alpha == "premultiplied")


def open_tiff(stored: Stored) -> tuple[Field, ...]:
    """Return the fields of a TIFF file.

    Raises
    ------
    UnreadableInputError, UnsupportedFormatError, ImageTooLargeError, MissingDependencyError
        See `layout_of`.
    """
    file_id = stored.file_id()
    with stored.opened() as access:
        pages = tuple(directories(access, stored.label))
        _refuse_hidden_stack(pages, stored.label)
        chosen = chosen_pages(pages, stored.label, stored.size, partial(TiffSource, stored, file_id))
        layouts = [(page, layout_of(pages[page], stored.size)) for page in chosen.fields]
        copies = [smaller_copies(access, pages, page, chosen.copies) for page in chosen.fields]
    fields = []
    for number, ((page, layout), smaller) in enumerate(zip(layouts, copies, strict=True), start=1):
        levels = tuple(TiffSource(stored, file_id, copy, where) for copy, where in smaller)
        source = TiffSource(stored, file_id, page, layout, levels)
        source.verify()
        name = f"{stored.label}#{number}" if len(layouts) > 1 else stored.label
        fields.append(Field(name, source, file_id, from_tiff(pages[0], pages[page])))
    return tuple(fields)


def _refuse_hidden_stack(pages: tuple[Directory, ...], label: str) -> None:
    """Refuse ImageJ stacks of more than 4 GB: they describe only their first image, the rest would be lost."""
    description = pages[0].text(Tag.IMAGE_DESCRIPTION)
    stated = re.search(r"^images=([0-9]{1,9})$", description, re.MULTILINE)
    if description.startswith("ImageJ=") and stated and int(stated[1]) > len(pages):
        raise UnsupportedFormatError(
            f"is an ImageJ stack of {stated[1]} images with directories for only {len(pages)}",
            subject=label,
            hint="save the images one by one",
        )
