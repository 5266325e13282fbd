"""Smaller copies in a TIFF file, against what tifffile says of the same file."""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from hemato_lab.formats import open_smear
from hemato_lab.phantom.dataset import encode_jpeg
from hemato_lab.phantom.pyramid import PyramidWriter
from hemato_lab.phantom.recipes import RECIPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hemato_lab.smear import Field, PixelSource

Pages = list[tuple[Any, dict[str, Any]]]


def write(path: Path, pages: Pages) -> Path:
    with tifffile.TiffWriter(path) as file:
        for pixels, options in pages:
            file.write(pixels, **{"photometric": "rgb", "metadata": None, **options})
    return path


def in_sub_ifds(levels: list[Any]) -> Pages:
    head = [(levels[0], {"tile": (32, 32), "subifds": len(levels) - 1})]
    return head + [(level, {"tile": (32, 32), "subfiletype": 1}) for level in levels[1:]]


def as_pages(levels: list[Any], *, marked: bool = True) -> Pages:
    return [(level, {"tile": (32, 32), "subfiletype": int(marked and n > 0)}) for n, level in enumerate(levels)]


def halves(full: Any, count: int) -> list[Any]:
    return [full[:: 2**level, :: 2**level] for level in range(count)]


def only_field(path: Path) -> Field:
    (field,) = open_smear(path).fields
    return field


def whole(source: PixelSource) -> Any:
    from hemato_lab.smear import Window

    return source.read(Window(0, 0, source.width, source.height))


@pytest.mark.parametrize(
    "arrange",
    [in_sub_ifds, as_pages, lambda levels: as_pages(levels, marked=False), lambda levels: as_pages(levels)[::-1]],
    ids=["SubIFDs", "marked pages", "unmarked pages", "smallest page first"],
)
def test_levels_are_those_that_tifffile_reads(arrange: Callable[..., Pages], tmp_path: Path, photo: Any) -> None:
    path = write(tmp_path / "a.tif", arrange(halves(photo(161, 243), 4)))
    with tifffile.TiffFile(path) as file:
        subs = [page for full in file.pages for page in (full.pages or ())]
        expected = sorted((page.asarray() for page in [*file.pages, *subs]), key=lambda page: -page.size)
    field = only_field(path)
    assert [level.width for level in field.levels] == [122, 61, 31]
    for level, pixels in zip((field.source, *field.levels), expected, strict=True):
        np.testing.assert_array_equal(whole(level), pixels)


def test_any_factor_and_any_rounding(tmp_path: Path, photo: Any) -> None:
    # Aperio's files shrink by 4, 16 and 32 and round down.
    sizes = [(400, 600), (100, 150), (25, 37), (12, 18)]
    path = write(tmp_path / "a.svs", as_pages([photo(*size) for size in sizes], marked=False))
    assert [(one.height, one.width) for one in only_field(path).levels] == sizes[1:]


def test_several_full_pages_have_only_the_copies_in_their_own_sub_ifds(tmp_path: Path, photo: Any) -> None:
    fields = [photo(96, 128, seed=seed) for seed in (1, 2)]
    pages = [page for full in fields for page in in_sub_ifds(halves(full, 3))]
    stray = [(photo(48, 64, seed=3), {"tile": (32, 32), "subfiletype": 1})]
    opened = open_smear(write(tmp_path / "a.tif", pages + stray)).fields
    assert len(opened) == 2
    for field, full in zip(opened, fields, strict=True):
        for level, pixels in zip(field.levels, halves(full, 3)[1:], strict=True):
            np.testing.assert_array_equal(whole(level), pixels)


def test_what_shows_something_else_is_no_level(tmp_path: Path, photo: Any) -> None:
    full = photo(160, 240)
    pages = as_pages(halves(full, 2))
    pages += [
        (photo(50, 50), {"subfiletype": 1}),
        (full[::4, ::4, 0] > 99, {"photometric": "minisblack", "subfiletype": 4}),
    ]
    turned = {"extratags": [(274, "H", 1, 6, True)], "subfiletype": 1}
    pages.append((photo(40, 60), turned))
    path = write(tmp_path / "a.tif", pages)
    assert [(one.height, one.width) for one in only_field(path).levels] == [(80, 120)]


def test_levels_turn_with_their_page(tmp_path: Path, photo: Any) -> None:
    full = photo(160, 240)
    turned = [(level, {**options, "extratags": [(274, "H", 1, 6, True)]}) for level, options in
              as_pages(halves(full, 2))]  # fmt: skip
    field = only_field(write(tmp_path / "a.tif", turned))
    assert (field.width, field.height) == (160, 240)
    (level,) = field.levels
    np.testing.assert_array_equal(whole(level), np.rot90(full[::2, ::2], -1))


def offset_of_second_page(content: bytes) -> int:
    (first,) = struct.unpack("<I", content[4:8])
    (count,) = struct.unpack("<H", content[first : first + 2])
    end = first + 2 + 12 * count
    return struct.unpack("<I", content[end : end + 4])[0]


def test_a_damaged_level_is_left_out_and_the_others_stay(tmp_path: Path, photo: Any) -> None:
    path = write(tmp_path / "a.tif", as_pages(halves(photo(160, 240), 4)))
    content = bytearray(path.read_bytes())
    second = offset_of_second_page(bytes(content))
    (count,) = struct.unpack("<H", content[second : second + 2])
    for entry in range(second + 2, second + 2 + 12 * count, 12):
        if struct.unpack("<H", content[entry : entry + 2])[0] == 259:
            content[entry + 8 : entry + 10] = struct.pack("<H", 9999)  # no compression is called so
    path.write_bytes(content)
    assert [level.width for level in only_field(path).levels] == [60, 30]


def test_a_sub_ifd_that_lies_outside_the_file_is_left_out(tmp_path: Path, photo: Any) -> None:
    path = write(tmp_path / "a.tif", in_sub_ifds(halves(photo(160, 240), 3)))
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags[330]
        where, offsets = tag.valueoffset, tag.value
    content = bytearray(path.read_bytes())
    content[where : where + 4] = struct.pack("<I", len(content) - 1)
    path.write_bytes(content)
    assert len(offsets) == 2
    assert [level.width for level in only_field(path).levels] == [60]


def test_a_slide_of_ours_has_its_levels_and_travels_to_another_process(tmp_path: Path, photo: Any) -> None:
    path, camera = tmp_path / "slide.tif", RECIPES["normal"].camera
    full = photo(300, 500)
    with path.open("w+b") as stream:
        options = {"subsampling": (2, 2), "um_per_px": 0.15, "description": "slide", "tile": 64}
        with PyramidWriter(stream, 500, 300, lambda tile: encode_jpeg(tile, camera), **options) as writer:
            writer.write(full)
    field = pickle.loads(pickle.dumps(only_field(path)))  # noqa: S301 (our own)
    with tifffile.TiffFile(path) as file:
        expected = [page.asarray() for page in file.pages]
    assert [(one.width, one.height) for one in field.levels] == [(250, 150), (125, 75), (63, 38)]
    for level, pixels in zip(field.levels, expected[1:], strict=True):
        np.testing.assert_allclose(whole(level).astype(int), pixels.astype(int), atol=4)
