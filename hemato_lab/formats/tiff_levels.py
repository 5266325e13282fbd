"""Smaller copies of a page in the same TIFF: in its SubIFDs (TIFF Technical Note 1), or as pages of the main chain.

They show nothing that the page does not show, so one that is damaged or of a kind that is not read is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.errors import InputError, MissingDependencyError
from hemato_lab.formats.orientation import known, upright_size
from hemato_lab.formats.tiff_directory import Directory, Tag, directories_at
from hemato_lab.formats.tiff_layout import is_level_of, layout_of, page_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hemato_lab.formats.stored import RandomAccess
    from hemato_lab.formats.tiff_layout import TiffLayout

MOST_COPIES: Final = 32
"""SubIFDs that are looked at; halving a page of the largest size down to a pixel takes 21."""
_MASK: Final = 4


def smaller_copies(
    access: RandomAccess, pages: Sequence[Directory], page: int, on_chain: Sequence[int]
) -> list[tuple[int, TiffLayout]]:
    """Return the smaller copies of a page, the largest first, one of each size.

    Parameters
    ----------
    access : RandomAccess
        The file.
    pages : sequence of Directory
        The main chain.
    page : int
        Whose copies are wanted, by position on the chain.
    on_chain : sequence of int
        Pages of the chain that may be copies of it too, by position.

    Returns
    -------
    list of (int, TiffLayout)
        A number that no other page or copy of the file has, and where the pixels lie.
    """
    found: dict[tuple[int, int], tuple[int, TiffLayout]] = {}
    for number, directory in _candidates(access, pages, page, on_chain):
        layout = layout_of_copy(directory, pages[page], access.size)
        if layout is not None:
            found.setdefault(layout.upright_size, (number, layout))
    return [found[size] for size in sorted(found, key=lambda size: -size[0] * size[1])]


def _candidates(
    access: RandomAccess, pages: Sequence[Directory], page: int, on_chain: Sequence[int]
) -> Iterator[tuple[int, Directory]]:
    # Numbers of SubIFDs go on after those of the pages, a stretch of them for each page.
    first = len(pages) + page * MOST_COPIES
    for number, offset in enumerate(_offsets(pages[page])):
        try:
            (directory,) = directories_at(access, pages[page].label, [offset])
        except InputError:
            continue
        yield first + number, directory
    yield from ((number, pages[number]) for number in on_chain)


def _offsets(page: Directory) -> tuple[int, ...]:
    try:
        return page.whole_numbers(Tag.SUB_IFDS)[:MOST_COPIES]
    except InputError:
        return ()


def layout_of_copy(copy: Directory, page: Directory, file_size: int) -> TiffLayout | None:
    """Return the layout of a directory if it holds a smaller copy of the page that can be read."""
    try:
        turned, as_page = (known(one.whole_number(Tag.ORIENTATION, 1)) for one in (copy, page))
        sizes = [upright_size(*page_size(one), turned) for one in (copy, page)]
        is_mask = copy.whole_number(Tag.NEW_SUBFILE_TYPE, 0) & _MASK
        if is_mask or turned != as_page or not is_level_of(*sizes):
            return None
        return layout_of(copy, file_size)
    except (InputError, MissingDependencyError):
        return None
