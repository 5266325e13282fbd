"""Which pages are fields, what size a pixel has, and what is refused."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from hemato_lab.errors import HematoError, ImageTooLargeError, UnreadableInputError, UnsupportedFormatError
from hemato_lab.formats import open_smear
from hemato_lab.formats.stored import file_id_of
from hemato_lab.formats.tiff_layout import is_level_of

if TYPE_CHECKING:
    from pathlib import Path

RGB: dict[int, tuple[int, Any]] = {
    256: (3, [8]), 257: (3, [8]), 258: (3, [8, 8, 8]), 259: (3, [1]), 262: (3, [2]), 277: (3, [3]), 278: (3, [8]),
}  # fmt: skip
PIXELS = bytes(range(192))


def test_pages_of_one_size_are_fields(tmp_path: Path, photo: Any) -> None:
    path = tmp_path / "stack.tif"
    pages = [photo(seed=seed) for seed in range(12)]
    with tifffile.TiffWriter(path) as file:
        for page in pages:
            file.write(page, photometric="rgb")
    smear = open_smear(path)
    assert [field.name for field in smear.fields] == [f"stack.tif#{number}" for number in range(1, 13)]
    assert len({field.file_id for field in smear.fields}) == 1
    for field, page in zip(smear.fields, pages, strict=True):
        np.testing.assert_array_equal(field.read(), page)


def test_sub_ifd_pyramid_is_one_field(tmp_path: Path, photo: Any) -> None:
    path = tmp_path / "pyramid.tif"
    full = photo(160, 240)
    with tifffile.TiffWriter(path) as file:
        file.write(full, photometric="rgb", tile=(32, 32), subifds=2)
        file.write(full[::2, ::2], photometric="rgb", tile=(32, 32), subfiletype=1)
        file.write(full[::4, ::4], photometric="rgb", tile=(32, 32), subfiletype=1)
    (field,) = open_smear(path).fields
    np.testing.assert_array_equal(field.read(), full)


@pytest.mark.parametrize("marking", ["marked", "unmarked"])
@pytest.mark.parametrize("order", [1, -1])
def test_pyramid_of_pages_is_one_field(marking: str, order: int, tmp_path: Path, photo: Any) -> None:
    path = tmp_path / "pyramid.tif"
    full = photo(161, 243)
    levels = [full, full[::2, ::2], full[::4, ::4]]
    with tifffile.TiffWriter(path) as file:
        for level in levels[::order]:
            reduced = marking == "marked" and level is not full
            file.write(level, photometric="rgb", tile=(32, 32), subfiletype=int(reduced))
    (field,) = open_smear(path).fields
    assert field.name == "pyramid.tif"
    np.testing.assert_array_equal(field.read(), full)


def test_label_and_mask_beside_a_pyramid_are_no_fields(tmp_path: Path, photo: Any) -> None:
    path = tmp_path / "slide.svs"
    full = photo(160, 240)
    with tifffile.TiffWriter(path) as file:
        file.write(full, photometric="rgb", tile=(32, 32))
        file.write(full[::4, ::4], photometric="rgb")
        file.write(photo(50, 50), photometric="rgb")
        file.write(full[:, :, 0] > 100, photometric="minisblack", subfiletype=4)
    (field,) = open_smear(path).fields
    np.testing.assert_array_equal(field.read(), full)


def test_pages_of_other_sizes_without_a_pyramid_are_fields(tmp_path: Path, photo: Any) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for size in [(40, 50), (50, 40), (44, 48)]:
            file.write(photo(*size), photometric="rgb")
    assert [(field.height, field.width) for field in open_smear(path).fields] == [(40, 50), (50, 40), (44, 48)]


@pytest.mark.parametrize("tiled", [{}, {"tile": (64, 64)}], ids=["strips", "tiles"])
def test_a_smaller_page_that_shows_something_else_is_a_field(tiled: dict[str, Any], tmp_path: Path) -> None:
    # Its sides have the ratio of a copy, and neither page is marked.
    first, second = (np.full((height, height * 4 // 3, 3), 230, np.uint8) for height in (600, 300))
    first[50:150, 50:150] = (200, 0, 0)
    second[150:250, 150:250] = (0, 0, 200)
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as file:
        for page in (first, second):
            file.write(page, photometric="rgb", **tiled)
    fields = open_smear(path).fields
    assert [len(field.levels) for field in fields] == [0, 0]
    for field, page in zip(fields, (first, second), strict=True):
        np.testing.assert_array_equal(field.read(), page)


def test_a_smaller_page_beside_several_fields_is_none_if_it_shows_one_of_them(tmp_path: Path, photo: Any) -> None:
    pages = [photo(160, 240, seed=seed) for seed in (1, 2)]
    other = np.ascontiguousarray(pages[0][::-2, ::-2])
    for name, smaller, count in (("copy", pages[1][::2, ::2], 2), ("other", other, 3)):
        path = tmp_path / f"{name}.tif"
        with tifffile.TiffWriter(path) as file:
            for page in (*pages, smaller):
                file.write(page, photometric="rgb")
        assert len(open_smear(path).fields) == count, name


def test_levels_have_the_same_shape() -> None:
    assert is_level_of((500, 300), (1000, 601))
    assert is_level_of((62, 37), (1000, 601))
    assert not is_level_of((500, 301), (1000, 301))
    assert not is_level_of((500, 500), (1000, 601))
    assert not is_level_of((1000, 601), (1000, 601))


RESOLUTIONS: dict[str, tuple[dict[str, Any], float | None]] = {
    "centimetres": ({"resolution": (100_000, 100_000), "resolutionunit": "CENTIMETER"}, 0.1),
    "inches": ({"resolution": (101_600, 101_600), "resolutionunit": "INCH"}, 0.25),
    "print": ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
    "no unit": ({"resolution": (10, 10), "resolutionunit": "NONE"}, None),
    "not square": ({"resolution": (100_000, 80_000), "resolutionunit": "CENTIMETER"}, None),
    "ImageJ": ({"imagej": True, "resolution": (12.5, 12.5), "metadata": {"unit": "um"}}, 0.08),
    "ImageJ micron": ({"imagej": True, "resolution": (12.5, 12.5), "metadata": {"unit": "micron"}}, 0.08),
    "ImageJ pixel": ({"imagej": True, "resolution": (12.5, 12.5), "metadata": {"unit": "pixel"}}, None),
    "OME": ({"ome": True, "metadata": {"PhysicalSizeX": 0.11, "PhysicalSizeY": 0.11}}, 0.11),
    "OME nanometres": (
        {
            "ome": True,
            "metadata": {
                "PhysicalSizeX": 110, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 110, "PhysicalSizeYUnit": "nm",
            },
        },
        0.11,
    ),
    "Aperio": ({"description": "Aperio Image Library v1\n240x160|AppMag = 40|MPP = 0.2528", "metadata": None}, 0.2528),
}  # fmt: skip


@pytest.mark.parametrize("stated", RESOLUTIONS)
def test_pixel_size(stated: str, tmp_path: Path, photo: Any) -> None:
    options, expected = RESOLUTIONS[stated]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, photo(), photometric="rgb", **options)
    assert open_smear(path).fields[0].um_per_px == (None if expected is None else pytest.approx(expected, rel=1e-6))


def test_resolution_of_imagej_counts_for_every_page(tmp_path: Path, photo: Any) -> None:
    path = tmp_path / "a.tif"
    stack = np.stack([photo(seed=seed) for seed in range(3)])
    tifffile.imwrite(path, stack, photometric="rgb", imagej=True, resolution=(10, 10), metadata={"unit": "um"})
    assert [field.um_per_px for field in open_smear(path).fields] == pytest.approx([0.1] * 3)


def test_imagej_stack_without_directories_is_refused(tmp_path: Path, build_tiff: Any) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(build_tiff([({**RGB, 270: (2, b"ImageJ=1.53t\nimages=900\n\0")}, [PIXELS])]))
    with pytest.raises(UnsupportedFormatError, match="ImageJ stack of 900 images"):
        open_smear(path)


REFUSED: dict[str, tuple[dict[int, tuple[int, Any] | None], type[HematoError], str]] = {
    "fax": ({259: (3, [4])}, UnsupportedFormatError, "TIFF compression 4"),
    "old JPEG": ({259: (3, [6])}, UnsupportedFormatError, "TIFF compression 6"),
    "CIELAB": ({262: (3, [8])}, UnsupportedFormatError, "photometric interpretation 8"),
    "planar YCbCr": ({262: (3, [6]), 259: (3, [7]), 284: (3, [2])}, UnsupportedFormatError, "separate planes"),
    "plain YCbCr": ({262: (3, [6])}, UnsupportedFormatError, "YCbCr pixels without JPEG"),
    "signed": ({339: (3, [2, 2, 2])}, UnsupportedFormatError, "signed samples of 8 bits"),
    "32 bits": ({258: (3, [32, 32, 32])}, UnsupportedFormatError, "unsigned samples of 32 bits"),
    "mixed bits": ({258: (3, [8, 8, 16])}, UnsupportedFormatError, "different kinds"),
    "4-bit colour": ({258: (3, [4, 4, 4])}, UnsupportedFormatError, "samples of 4 bits"),
    "reversed bits": ({266: (3, [2])}, UnsupportedFormatError, "reverse order"),
    "predictor": ({317: (3, [7])}, UnsupportedFormatError, "predictor 7"),
    "three greys": ({262: (3, [1])}, UnsupportedFormatError, "3 grey channels"),
    "other inks": ({262: (3, [5]), 277: (3, [4]), 258: (3, [8] * 4), 332: (3, [2])}, UnsupportedFormatError, "inks"),
    "only a thumbnail": ({254: (4, [1])}, UnsupportedFormatError, "only thumbnails"),
    "too few samples": ({277: (3, [2]), 258: (3, [8, 8])}, UnreadableInputError, "too few"),
    "no width": ({256: None}, UnreadableInputError, "tag 256 is missing"),
    "zero width": ({256: (3, [0])}, UnreadableInputError, "0 x 8"),
    "huge": ({256: (4, [2**32 - 1])}, ImageTooLargeError, "limit"),
    "far too many": ({256: (4, [400_000]), 257: (4, [400_000])}, ImageTooLargeError, "50 thousand million"),
    "longer than its strip": ({257: (3, [9])}, UnreadableInputError, "strips"),
    "strip cut short": ({279: (4, [191])}, UnreadableInputError, "shorter than their pixels"),
    "strip outside": ({273: (4, [10**6])}, UnreadableInputError, "outside the file"),
    "strip at 2^63": ({273: (16, [2**63])}, UnreadableInputError, "impossible positions"),
    "two offsets": ({273: (4, [8, 8]), 279: (4, [192, 192])}, UnreadableInputError, "2 tiles or strips"),
    "rows of zero": ({278: (3, [0])}, UnreadableInputError, "8 x 0"),
    "tile of zero": ({322: (3, [0]), 323: (3, [8])}, UnreadableInputError, "0 x 8"),
    "text as width": ({256: (5, [(8, 1)])}, UnreadableInputError, "whole numbers"),
    "palette too short": (
        {262: (3, [3]), 277: (3, [1]), 258: (3, [8]), 320: (3, [0] * 30)}, UnreadableInputError, "palette",
    ),
    "giant compressed strip": (
        {256: (4, [100_000]), 257: (4, [100_000]), 278: (4, [100_000]), 259: (3, [8])},
        ImageTooLargeError, "100000 x 100000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_with_a_reason(kind: str, tmp_path: Path, build_tiff: Any) -> None:
    changes, error, reason = REFUSED[kind]
    tags = {tag: value for tag, value in {**RGB, **changes}.items() if value is not None}
    path = tmp_path / "a.tif"
    path.write_bytes(build_tiff([(tags, [PIXELS])], big=kind == "strip at 2^63"))
    with pytest.raises(error, match=reason) as caught:
        open_smear(path)
    assert caught.value.subject == str(path)


def test_the_unchanged_page_is_read(tmp_path: Path, build_tiff: Any) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(build_tiff([(RGB, [PIXELS])]))
    assert open_smear(path).fields[0].read().tobytes() == PIXELS


def test_circular_directories(tmp_path: Path, build_tiff: Any) -> None:
    content = bytearray(build_tiff([(RGB, [PIXELS]), (RGB, [PIXELS])]))
    content[-4:] = content[4:8]
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(UnreadableInputError, match="circle"):
        open_smear(path)


def test_too_many_pages(tmp_path: Path, build_tiff: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hemato_lab.formats.tiff_directory.MAX_TIFF_PAGES", 5)
    path = tmp_path / "a.tif"
    path.write_bytes(build_tiff([(RGB, [PIXELS])] * 6))
    with pytest.raises(UnsupportedFormatError, match="more than 5 pages"):
        open_smear(path)


@pytest.mark.parametrize("damage", ["twice", "type", "count", "header"])
def test_damaged_directories(damage: str, tmp_path: Path, build_tiff: Any) -> None:
    content = bytearray(build_tiff([(RGB, [PIXELS])]))
    first = struct.unpack("<I", content[4:8])[0]
    if damage == "twice":
        content[first + 14 : first + 16] = struct.pack("<H", 256)
    elif damage == "type":
        content[first + 4 : first + 6] = struct.pack("<H", 99)
    elif damage == "count":
        content[first + 6 : first + 10] = struct.pack("<I", 2**31)
    else:
        content[first : first + 2] = struct.pack("<H", 0xFFFF)
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(UnreadableInputError, match=r"a\.tif: damaged") as caught:
        open_smear(path)
    assert caught.value.__notes__[0] in {"stage: header", "stage: read"}
    assert caught.value.__notes__[1:] == [f"content: {file_id_of(bytes(content))}"]


@pytest.mark.parametrize("size", [(16, 17), (8, 8), (32, 16)])
def test_jpeg_tile_of_another_size_is_damage(
    size: tuple[int, int], tmp_path: Path, photo: Any, build_tiff: Any
) -> None:
    import simplejpeg

    stream = simplejpeg.encode_jpeg(photo(*size), 90)
    tags = {**RGB, 256: (3, [16]), 257: (3, [16]), 259: (3, [7]), 322: (3, [16]), 323: (3, [16])}
    path = tmp_path / "a.tif"
    path.write_bytes(build_tiff([(tags, [stream])]))
    with pytest.raises(UnreadableInputError, match="where 16 x 16 are stated"):
        open_smear(path)


def test_deflate_tile_that_ends_early_is_damage(tmp_path: Path, build_tiff: Any) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(build_tiff([({**RGB, 259: (3, [8])}, [zlib.compress(PIXELS[:100])])]))
    with pytest.raises(UnreadableInputError, match="100 bytes instead of 192"):
        open_smear(path)


def test_deflate_tile_that_is_a_bomb_gives_only_its_pixels(tmp_path: Path, build_tiff: Any) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(build_tiff([({**RGB, 259: (3, [8])}, [zlib.compress(PIXELS + bytes(50_000_000))])]))
    assert open_smear(path).fields[0].read().tobytes() == PIXELS
