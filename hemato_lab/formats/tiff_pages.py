"""Which pages of a TIFF file are fields, and which are smaller copies of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hemato_lab.errors import InputError, MissingDependencyError, UnsupportedFormatError
from hemato_lab.formats.same_picture import shows_the_same
from hemato_lab.formats.tiff_directory import Directory, Tag
from hemato_lab.formats.tiff_layout import is_level_of, layout_of, page_size
from hemato_lab.formats.tiff_levels import layout_of_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hemato_lab.formats.tiff_layout import TiffLayout
    from hemato_lab.smear import PixelSource


@dataclass(frozen=True, slots=True)
class ChosenPages:
    """Positions of pages on the main chain.

    Attributes
    ----------
    fields : list of int
        Pages that are full pictures.
    copies : list of int
        Pages that may be smaller copies of the only field; none where there are several, as nothing says whose copies
        they are.
    """

    fields: list[int]
    copies: list[int]


def chosen_pages(
    pages: Sequence[Directory], label: str, file_size: int, source_of: Callable[[int, TiffLayout], PixelSource]
) -> ChosenPages:
    """Choose the fields among the pages of a file.

    The largest page is one. In a pyramid only pages of the same size are others; without one every page is. A page
    that nothing marks as a smaller copy is one only if its pixels show what the larger page shows.

    Parameters
    ----------
    pages : sequence of Directory
        The main chain.
    label : str
        Of the file, for errors.
    file_size : int
        In bytes.
    source_of : callable
        From the position and layout of a page to its pixels.

    Raises
    ------
    UnsupportedFormatError
        If no page is a full picture.
    """
    unmarked = [number for number, page in enumerate(pages) if not _is_marked_as_level_or_mask(page)]
    if not unmarked:
        raise UnsupportedFormatError("holds only thumbnails or masks", subject=label, hint="export the full image")
    sizes = {number: page_size(pages[number]) for number in unmarked}
    largest = max(sizes.values(), key=lambda size: size[0] * size[1])
    full = [number for number in unmarked if sizes[number] == largest]
    smaller = [number for number in unmarked if is_level_of(sizes[number], largest)]
    smaller.sort(key=lambda number: -sizes[number][0])
    marked = [number for number in range(len(pages)) if number not in sizes]
    is_pyramid = bool(marked) or any(Tag.SUB_IFDS in page for page in pages)
    # Pixels are read only where something depends on them.
    copies = [] if is_pyramid and len(full) > 1 else _copies_among(pages, smaller, full, file_size, source_of)
    if not is_pyramid and not copies:
        return ChosenPages(unmarked, [])
    return ChosenPages(full, [*marked, *copies] if len(full) == 1 else [])


def _copies_among(
    pages: Sequence[Directory],
    smaller: Sequence[int],
    full: Sequence[int],
    file_size: int,
    source_of: Callable[[int, TiffLayout], PixelSource],
) -> list[int]:
    """Return which unmarked pages, the largest first, show what the full page before or after them shows."""
    copies = []
    nearest_in_size: dict[int, PixelSource] = {}
    for number in smaller:
        for page in _beside(number, full):
            layout = layout_of_copy(pages[number], pages[page], file_size)
            if layout is None:
                continue
            copy = source_of(number, layout)
            larger = nearest_in_size.get(page) or source_of(page, layout_of(pages[page], file_size))
            if _is_copy(larger, copy):
                copies.append(number)
                nearest_in_size[page] = copy
                break
    return copies


def _beside(number: int, full: Sequence[int]) -> list[int]:
    """Return the last full page before a page and the first after it."""
    before = max((page for page in full if page < number), default=None)
    after = min((page for page in full if page > number), default=None)
    return [page for page in (before, after) if page is not None]


def _is_copy(larger: PixelSource, copy: PixelSource) -> bool:
    try:
        return shows_the_same(larger, copy)
    except (InputError, MissingDependencyError):
        return False


def _is_marked_as_level_or_mask(page: Directory) -> bool:
    reduced, mask = 1, 4
    if page.whole_number(Tag.NEW_SUBFILE_TYPE, 0) & (reduced | mask):
        return True
    return page.whole_number(Tag.SUBFILE_TYPE, 1) == 2
