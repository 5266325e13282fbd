"""Pixels: every kind against the array that was written, or against tifffile where the coding loses something."""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hemato_lab.errors import MissingDependencyError, UnreadableInputError, UnsupportedFormatError
from hemato_lab.formats import open_smear, tiff_codecs
from hemato_lab.formats.caching import TILES
from hemato_lab.smear import Field, Window

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, pixels: np.ndarray, **options: Any) -> Field:
    options.setdefault("photometric", "rgb")
    tifffile.imwrite(path, pixels, **options)
    (field,) = open_smear(path).fields
    return field


LAYOUTS: dict[str, dict[str, Any]] = {
    "one strip": {},
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (16, 32)},
    "big endian": {"byteorder": ">", "rowsperstrip": 5},
    "BigTIFF": {"bigtiff": True, "tile": (16, 16)},
    "BigTIFF big endian": {"bigtiff": True, "byteorder": ">"},
    "Deflate": {"compression": "deflate", "rowsperstrip": 9},
    "Deflate tiles": {"compression": "adobe_deflate", "tile": (16, 16)},
    "Deflate predictor": {"compression": "deflate", "predictor": True, "tile": (32, 16)},
    "PackBits": {"compression": "packbits", "rowsperstrip": 4},
    "LZW": {"compression": "lzw", "rowsperstrip": 11},
    "LZW predictor": {"compression": "lzw", "predictor": True, "tile": (16, 16)},
    "Zstandard": {"compression": "zstd", "tile": (16, 16)},
}
WINDOWS = (Window(0, 0, 56, 40), Window(3, 5, 4, 6), Window(13, 11, 50, 39), Window(55, 39, 56, 40), Window(9, 9, 9, 9))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_lossless_layouts(layout: str, kind: str, tmp_path: Path, photo: Any) -> None:
    pixels = photo(40, 56)
    stored = pixels if kind == "u1" else (pixels.astype(np.uint16) << 8) | photo(40, 56, seed=1)
    field = write(tmp_path / "a.tif", stored, **LAYOUTS[layout])
    for window in WINDOWS:
        read = field.read(window)
        np.testing.assert_array_equal(read, pixels[window.slices()])
        assert read.flags.c_contiguous
        assert read.flags.writeable


@pytest.mark.parametrize("layout", ["one strip", "tiles", "Deflate predictor", "big endian"])
@pytest.mark.parametrize("channels", [3, 4])
def test_separate_planes(layout: str, channels: int, tmp_path: Path, photo: Any) -> None:
    pixels = photo(40, 56)
    planes = np.moveaxis(np.dstack([pixels, np.full((40, 56), 255, np.uint8)])[:, :, :channels], -1, 0)
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    field = write(tmp_path / "a.tif", planes, planarconfig="separate", **LAYOUTS[layout], **extra)
    for window in WINDOWS:
        np.testing.assert_array_equal(field.read(window), pixels[window.slices()])


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "deflate", "predictor": 3}, {"compression": "deflate", "tile": (16, 16), "predictor": 3}],
    ids=["plain", "predictor", "tiled predictor"],
)
def test_floats_from_zero_to_one(kind: str, options: Any, tmp_path: Path, photo: Any) -> None:
    pixels = photo(40, 56)
    field = write(tmp_path / "a.tif", (pixels / 255).astype(kind), **options)
    np.testing.assert_array_equal(field.read(), pixels)


def test_floats_beyond_one_are_refused(tmp_path: Path, photo: Any) -> None:
    with pytest.raises(UnsupportedFormatError, match="outside 0-1"):
        write(tmp_path / "a.tif", photo().astype(np.float32))


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_grey(photometric: str, kind: str, tmp_path: Path, photo: Any) -> None:
    grey = photo()[:, :, 1]
    stored = grey if kind == "u1" else grey.astype(np.uint16) << 8
    field = write(tmp_path / "a.tif", stored, photometric=photometric, tile=(16, 16))
    expected = 255 - grey if photometric == "miniswhite" else grey
    np.testing.assert_array_equal(field.read(), np.stack([expected] * 3, -1))


def test_transparency(tmp_path: Path, photo: Any) -> None:
    pixels = photo()
    alpha = np.arange(pixels[:, :, 0].size).reshape(pixels.shape[:2]).astype(np.uint8)
    expected = np.rint(pixels * (alpha[..., None] / 255.0) + (255.0 - alpha[..., None]))
    field = write(tmp_path / "a.tif", np.dstack([pixels, alpha]), extrasamples=["unassalpha"])
    np.testing.assert_array_equal(field.read(), expected)
    premultiplied = np.rint(pixels * (alpha[..., None] / 255.0)).astype(np.uint8)
    field = write(tmp_path / "b.tif", np.dstack([premultiplied, alpha]), extrasamples=["assocalpha"])
    assert np.abs(field.read() - expected).max() <= 1


def test_a_fourth_channel_that_says_nothing_is_left_out(tmp_path: Path, photo: Any) -> None:
    pixels = photo()
    field = write(tmp_path / "a.tif", np.dstack([pixels, pixels[:, :, 0]]), extrasamples=["unspecified"])
    np.testing.assert_array_equal(field.read(), pixels)


def test_cmyk(tmp_path: Path, photo: Any) -> None:
    image = Image.fromarray(photo()).convert("CMYK")
    field = write(tmp_path / "a.tif", np.asarray(image), photometric="separated")
    assert np.abs(field.read().astype(int) - np.asarray(image.convert("RGB"))).max() <= 1


@pytest.mark.parametrize("mode", ["1", "P", "L"])
def test_files_of_pillow(mode: str, tmp_path: Path, photo: Any, encode: Any) -> None:
    image = Image.fromarray(photo(21, 35)).convert(mode)
    path = tmp_path / "a.tif"
    path.write_bytes(encode(image, "TIFF"))
    np.testing.assert_array_equal(open_smear(path).fields[0].read(), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("photometric", [0, 1, 3])
def test_packed_samples(bits: int, photometric: int, tmp_path: Path, build_tiff: Any) -> None:
    width, row_bytes = 13, -(-13 * bits // 8)
    packed = np.random.default_rng(bits).integers(0, 256, (9, row_bytes), dtype=np.uint8)
    levels = np.unpackbits(packed, axis=1).reshape(9, -1, bits) @ (1 << np.arange(bits)[::-1])
    palette = np.random.default_rng(9).integers(0, 65536, (3, 2**bits))
    tags = {256: (3, [width]), 257: (3, [9]), 258: (3, [bits]), 262: (3, [photometric]), 278: (3, [4])}
    if photometric == 3:
        tags[320] = (3, palette.ravel().tolist())
    path = tmp_path / "a.tif"
    path.write_bytes(build_tiff([(tags, [packed[:4].tobytes(), packed[4:8].tobytes(), packed[8:].tobytes()])]))
    grey = levels[:, :width] * 255 // (2**bits - 1)
    expected = {0: 255 - grey, 1: grey}.get(photometric)
    read = open_smear(path).fields[0].read()
    if expected is None:
        np.testing.assert_array_equal(read, np.moveaxis(palette >> 8, 0, -1)[levels[:, :width]])
    else:
        np.testing.assert_array_equal(read, np.stack([expected] * 3, -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(orientation: int, tmp_path: Path, photo: Any) -> None:
    pixels = photo(33, 50)
    field = write(tmp_path / "a.tif", pixels, tile=(16, 16), extratags=[(274, 3, 1, orientation, True)])
    reference = np.asarray(_turned(Image.fromarray(pixels), orientation))
    assert (field.width, field.height) == (reference.shape[1], reference.shape[0])
    np.testing.assert_array_equal(field.read(), reference)
    window = Window(5, 7, 21, 30)
    np.testing.assert_array_equal(field.read(window), reference[window.slices()])


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    turn = Image.Transpose
    steps = {
        2: turn.FLIP_LEFT_RIGHT, 3: turn.ROTATE_180, 4: turn.FLIP_TOP_BOTTOM, 5: turn.TRANSPOSE,
        6: turn.ROTATE_270, 7: turn.TRANSVERSE, 8: turn.ROTATE_90,
    }  # fmt: skip
    return image.transpose(steps[orientation]) if orientation in steps else image


JPEGS: dict[str, dict[str, Any]] = {
    "YCbCr strips": {"rowsperstrip": 16},
    "YCbCr tiles": {"tile": (16, 32)},
    "subsampled": {"tile": (16, 16), "subsampling": (2, 2)},
    "RGB": {"tile": (16, 16), "compressionargs": {"level": 92, "outcolorspace": "RGB"}},
}


@pytest.mark.parametrize("kind", JPEGS)
def test_jpeg_tiles(kind: str, tmp_path: Path, photo: Any) -> None:
    field = write(tmp_path / "a.tif", photo(40, 56), compression="jpeg", **JPEGS[kind])
    reference = tifffile.imread(tmp_path / "a.tif")
    assert np.abs(reference.astype(int) - photo(40, 56)).mean() < 6
    for window in WINDOWS:
        np.testing.assert_array_equal(field.read(window), reference[window.slices()])


def test_grey_jpeg_tiles(tmp_path: Path, photo: Any) -> None:
    field = write(tmp_path / "a.tif", photo()[:, :, 0], compression="jpeg", tile=(16, 16), photometric="minisblack")
    np.testing.assert_array_equal(field.read()[:, :, 2], tifffile.imread(tmp_path / "a.tif"))


def split_tables(stream: bytes) -> tuple[bytes, bytes]:
    """Move the tables of a JPEG stream into one of their own and drop every marker that names its colours."""
    tables, rest, position = b"", b"", 2
    while stream[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
        if stream[position + 1] in {0xDB, 0xC4}:
            tables += stream[position:end]
        elif stream[position + 1] not in {0xE0, 0xEE}:
            rest += stream[position:end]
        position = end
    return b"\xff\xd8" + tables + b"\xff\xd9", b"\xff\xd8" + rest + stream[position:]


@pytest.mark.parametrize("photometric", [2, 6])
def test_shared_jpeg_tables(photometric: int, tmp_path: Path, photo: Any, build_tiff: Any) -> None:
    """Streams without tables or colour markers, as slide scanners write them: the TIFF alone says RGB or YCbCr."""
    imagecodecs = pytest.importorskip("imagecodecs")
    pixels = photo(32, 32)
    stored_as = {2: "RGB", 6: "YCBCR"}[photometric]
    whole = imagecodecs.jpeg8_encode(pixels, level=95, colorspace="RGB", outcolorspace=stored_as)
    tables, stream = split_tables(whole)
    tags = {
        256: (3, [32]), 257: (3, [32]), 258: (3, [8, 8, 8]), 259: (3, [7]), 262: (3, [photometric]), 277: (3, [3]),
        322: (3, [32]), 323: (3, [32]), 347: (7, tables),
    }  # fmt: skip
    path = tmp_path / "a.svs"
    path.write_bytes(build_tiff([(tags, [stream])]))
    np.testing.assert_array_equal(open_smear(path).fields[0].read(), imagecodecs.jpeg8_decode(whole))


def test_jpeg_2000_tiles(tmp_path: Path, photo: Any) -> None:
    options = {"compression": "jpeg2000", "compressionargs": {"reversible": True}, "tile": (16, 16)}
    field = write(tmp_path / "a.tif", photo(40, 56), **options)
    np.testing.assert_array_equal(field.read(Window(3, 5, 50, 39)), photo(40, 56)[5:39, 3:50])


def test_core_codecs_need_no_extra(tmp_path: Path, photo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = photo(40, 56)
    for name in ("deflate", "packbits", "jpeg", "lzw"):
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, photometric="rgb", compression=name, tile=(16, 16))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    for name in ("deflate", "packbits"):
        np.testing.assert_array_equal(open_smear(tmp_path / f"{name}.tif").fields[0].read(), pixels)
    assert open_smear(tmp_path / "jpeg.tif").fields[0].read().shape == pixels.shape
    with pytest.raises(MissingDependencyError, match=r"lzw\.tif: .*hemato-lab\[wsi\]") as caught:
        open_smear(tmp_path / "lzw.tif")
    assert caught.value.extra == "wsi"
    smear = open_smear([tmp_path / "lzw.tif", tmp_path / "deflate.tif"])
    assert [(one.name, one.code) for one in smear.skipped] == [("lzw.tif", "missing-dependency")]


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory, photo: Any) -> tuple[Field, np.ndarray]:
    pixels = photo(150, 210)
    return write(tmp_path_factory.mktemp("tiff") / "a.tif", pixels, tile=(32, 16), compression="deflate"), pixels


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_window_is_that_part_of_the_whole(data: st.DataObject, tiled: tuple[Field, np.ndarray]) -> None:
    field, pixels = tiled
    x0, y0 = data.draw(st.integers(0, 210)), data.draw(st.integers(0, 150))
    window = Window(x0, y0, data.draw(st.integers(x0, 210)), data.draw(st.integers(y0, 150)))
    np.testing.assert_array_equal(field.read(window), pixels[window.slices()])


def test_window_beyond_the_border_is_cut(tiled: tuple[Field, np.ndarray]) -> None:
    field, pixels = tiled
    np.testing.assert_array_equal(field.read(Window(-20, 140, 30, 500)), pixels[140:, :30])


def test_tiles_left_out_are_white_glass(tmp_path: Path, photo: Any, build_tiff: Any) -> None:
    pixels = photo(16, 16)
    tags = {
        256: (3, [32]), 257: (3, [16]), 258: (3, [8, 8, 8]), 259: (3, [8]), 262: (3, [2]), 277: (3, [3]),
        322: (3, [16]), 323: (3, [16]),
    }  # fmt: skip
    path = tmp_path / "a.tif"
    path.write_bytes(build_tiff([(tags, [b"", zlib.compress(pixels.tobytes())])]))
    read = open_smear(path).fields[0].read()
    assert (read[:, :16] == 255).all()
    np.testing.assert_array_equal(read[:, 16:], pixels)


class Counting:
    """Random access that adds up what is read."""

    def __init__(self, access: Any, total: list[int]) -> None:
        self.access, self.total = access, total

    def read_at(self, offset: int, size: int) -> bytes:
        self.total[0] += size
        return self.access.read_at(offset, size)


@pytest.mark.parametrize("options", [{}, {"tile": (32, 32)}, {"planarconfig": "separate"}], ids=str)
def test_a_window_reads_only_its_own_bytes(
    options: Any, tmp_path: Path, photo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a picture that is one strip as a whole."""
    pixels = photo(320, 480)
    stored = np.moveaxis(pixels, -1, 0) if options.get("planarconfig") else pixels
    field = write(tmp_path / "a.tif", stored, **options)
    TILES.clear()
    total = [0]
    plane_of = type(field.source)._plane
    monkeypatch.setattr(
        type(field.source), "_plane", lambda self, access, *rest: plane_of(self, Counting(access, total), *rest)
    )
    window = Window(100, 60, 140, 100)
    np.testing.assert_array_equal(field.read(window), pixels[window.slices()])
    assert total[0] <= 64 * 96 * 3


def test_slide_of_40000_pixels_within_the_tile_store(tmp_path: Path, photo: Any, build_tiff: Any) -> None:
    """All 24,649 tiles share their bytes, so that the file stays small; the reader cannot know."""
    tile = photo(256, 256)
    across = 157
    stream = zlib.compress(tile.tobytes(), 1)
    tags = {
        256: (4, [40000]), 257: (4, [40000]), 258: (3, [8, 8, 8]), 259: (3, [8]), 262: (3, [2]), 277: (3, [3]),
        322: (3, [256]), 323: (3, [256]), 324: (16, [16] * across**2), 325: (4, [len(stream)] * across**2),
    }  # fmt: skip
    path = tmp_path / "slide.tif"
    path.write_bytes(build_tiff([(tags, [stream])], big=True))
    field = open_smear(path).fields[0]
    assert (field.width, field.height) == (40000, 40000)
    for x, y in [(0, 0), (39000, 39000), (12345, 20000), (20000, 77)]:
        window = Window(x, y, x + 1000, y + 900)
        rows, columns = np.arange(y, y + 900) % 256, np.arange(x, x + 1000) % 256
        np.testing.assert_array_equal(field.read(window), tile[rows][:, columns])
    for y in range(0, 4096, 2048):
        field.read(Window(0, y, 8192, y + 2048))
    assert TILES.held_bytes <= TILES.capacity_bytes


@pytest.mark.parametrize("compression", [5, 8, 32773, 50000])
def test_no_codec_makes_more_than_it_is_told(compression: int) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    zeros = bytes(1_000_000)
    packed = {
        5: lambda: imagecodecs.lzw_encode(zeros),
        8: lambda: zlib.compress(zeros),
        32773: lambda: b"\x81\0" * 8000,
        50000: lambda: imagecodecs.zstd_encode(zeros),
    }[compression]()
    try:
        made = tiff_codecs._TO_BYTES[compression](packed, 1000)
    except RuntimeError:
        return
    assert made == bytes(1000)


def test_damaged_tile_of_a_large_page_shows_when_it_is_read(
    tmp_path: Path, photo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hemato_lab.formats.tiff.VERIFIED_PIXELS", 1000)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, photo(64, 64), photometric="rgb", compression="deflate", tile=(32, 32))
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[3]
    content = bytearray(path.read_bytes())
    content[offset : offset + 8] = b"\xff" * 8
    path.write_bytes(content)
    field = open_smear(path).fields[0]
    np.testing.assert_array_equal(field.read(Window(0, 0, 64, 32)), photo(64, 64)[:32])
    with pytest.raises(UnreadableInputError, match=r"a\.tif: damaged") as caught:
        field.read()
    assert caught.value.__notes__ == ["stage: decode", f"content: {field.file_id}"]
