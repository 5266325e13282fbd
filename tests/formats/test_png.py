from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from hemato_lab.errors import ImageTooLargeError, UnreadableInputError, UnsupportedFormatError
from hemato_lab.formats import open_smear

if TYPE_CHECKING:
    from pathlib import Path


def pixels_of(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return open_smear(path).fields[0].read()


def blend(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    opacity = alpha[..., None] / 255
    return np.rint(colour * opacity + 255 * (1 - opacity))


@pytest.fixture
def pixels(photo: Any) -> np.ndarray:
    return photo(21, 34)


def test_colour(tmp_path: Path, pixels: np.ndarray, encode: Any) -> None:
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.png", encode(pixels, "PNG")), pixels)


def test_grey(tmp_path: Path, pixels: np.ndarray, encode: Any) -> None:
    grey = pixels[:, :, 0]
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.png", encode(grey, "PNG")), np.stack([grey] * 3, -1))


def test_black_and_white(tmp_path: Path, pixels: np.ndarray, encode: Any) -> None:
    mask = pixels[:, :, 0] > 150
    read = pixels_of(tmp_path / "a.png", encode(Image.fromarray(mask), "PNG"))
    np.testing.assert_array_equal(read, np.stack([mask * 255] * 3, -1))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette(bits: int, tmp_path: Path, pixels: np.ndarray, encode: Any) -> None:
    image = Image.fromarray(pixels).quantize(2**bits)
    content = encode(image, "PNG", bits=bits)
    assert content[24:26] == bytes([bits, 3])
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.png", content), np.asarray(image.convert("RGB")))


def test_alpha(tmp_path: Path, pixels: np.ndarray, encode: Any) -> None:
    alpha = np.arange(21 * 34).reshape(21, 34).astype(np.uint8)
    read = pixels_of(tmp_path / "a.png", encode(np.dstack([pixels, alpha]), "PNG"))
    np.testing.assert_array_equal(read, blend(pixels, alpha))


def test_grey_with_alpha(tmp_path: Path, pixels: np.ndarray, encode: Any) -> None:
    grey, alpha = pixels[:, :, 0], pixels[:, :, 1]
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    read = pixels_of(tmp_path / "a.png", encode(image, "PNG"))
    np.testing.assert_array_equal(read, blend(np.stack([grey] * 3, -1), alpha))


def test_palette_with_transparency(tmp_path: Path, pixels: np.ndarray, encode: Any) -> None:
    image = Image.fromarray(pixels).quantize(16)
    opacity = bytes(range(0, 256, 17))
    read = pixels_of(tmp_path / "a.png", encode(image, "PNG", transparency=opacity))
    alpha = np.frombuffer(opacity, np.uint8)[np.asarray(image)]
    np.testing.assert_array_equal(read, blend(np.asarray(image.convert("RGB")), alpha))


def test_transparent_colour(tmp_path: Path, pixels: np.ndarray, encode: Any) -> None:
    clear = tuple(int(value) for value in pixels[3, 5])
    read = pixels_of(tmp_path / "a.png", encode(pixels, "PNG", transparency=clear))
    expected = np.where((pixels == clear).all(2, keepdims=True), 255, pixels)
    assert (expected != pixels).any()
    np.testing.assert_array_equal(read, expected)


def raw_png(build_png: Any, samples: np.ndarray, depth: int, colour_type: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Write unfiltered rows; samples of less than 8 bits are given packed."""
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    width = samples.shape[1] * 8 // depth if depth < 8 else samples.shape[1]
    header = struct.pack(">IIBBBBB", width, samples.shape[0], depth, colour_type, 0, 0, 0)
    return build_png([(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


SIXTEEN = np.random.default_rng(3).integers(0, 65536, (9, 7, 4), dtype=np.uint16)


@pytest.mark.parametrize("colour_type", [0, 2, 4, 6])
def test_sixteen_bits_keep_the_high_byte(colour_type: int, tmp_path: Path, build_png: Any) -> None:
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    samples = SIXTEEN[:, :, :channels]
    read = pixels_of(tmp_path / "a.png", raw_png(build_png, samples.astype(">u2"), 16, colour_type))
    high = samples >> 8
    colour = high[:, :, :3] if channels >= 3 else np.stack([high[:, :, 0]] * 3, -1)
    expected = blend(colour, high[:, :, -1]) if channels in {2, 4} else colour
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_grey_levels_span_black_to_white(bits: int, tmp_path: Path, build_png: Any) -> None:
    packed = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    read = pixels_of(tmp_path / "a.png", raw_png(build_png, packed, bits, 0))
    levels = np.unpackbits(packed, axis=1).reshape(6, -1, bits) @ (1 << np.arange(bits)[::-1])
    np.testing.assert_array_equal(read[:, :, 1], levels * 255 // (2**bits - 1))


@pytest.mark.parametrize("bits", [2, 16])
def test_transparent_grey(bits: int, tmp_path: Path, build_png: Any) -> None:
    if bits == 2:
        samples, clear = np.full((2, 2), 0b00011011, np.uint8), 2
        expected = [0, 85, 255, 255] * 2
    else:
        samples, clear = np.array([[0, 257, 258, 65535]] * 2, ">u2"), 257
        expected = [0, 255, 1, 255]
    content = raw_png(build_png, samples, bits, 0, (b"tRNS", struct.pack(">H", clear)))
    assert pixels_of(tmp_path / "a.png", content)[0, :, 0].tolist() == expected


def test_transparent_sixteen_bit_colour_is_refused(tmp_path: Path, build_png: Any) -> None:
    content = raw_png(build_png, SIXTEEN[:, :, :3].astype(">u2"), 16, 2, (b"tRNS", bytes(6)))
    with pytest.raises(UnsupportedFormatError, match="16-bit colour PNG with a transparent colour"):
        pixels_of(tmp_path / "a.png", content)


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 2), (8, 8), (21, 34)])
@pytest.mark.parametrize("missing", [0, 1])
def test_interlaced(size: tuple[int, int], missing: int, tmp_path: Path, photo: Any, build_png: Any) -> None:
    height, width = size
    pixels = photo(height, width)
    passes = [pixels[y0::step_y, x0::step_x] for x0, y0, step_x, step_y in ADAM7]
    rows = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    data = zlib.compress(rows[: len(rows) - missing])
    content = build_png([(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")])
    if missing:
        with pytest.raises(UnreadableInputError, match="where its size needs"):
            pixels_of(tmp_path / "a.png", content)
    else:
        np.testing.assert_array_equal(pixels_of(tmp_path / "a.png", content), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(orientation: int, tmp_path: Path, pixels: np.ndarray, encode: Any, exif: Any) -> None:
    content = encode(pixels, "PNG", exif=exif({274: orientation}))
    reference = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.png", content), reference)


def test_one_pixel(tmp_path: Path, encode: Any) -> None:
    one = np.array([[[1, 2, 3]]], np.uint8)
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.png", encode(one, "PNG")), one)


def test_every_single_changed_byte_is_noticed(tmp_path: Path, encode: Any, photo: Any) -> None:
    """Pillow alone reads most of these without a word: it does not check the checksums of pixel data."""
    content = bytearray(encode(photo(6, 7), "PNG"))
    path = tmp_path / "a.png"
    for position in range(8, len(content)):
        content[position] ^= 0x55
        path.write_bytes(content)
        content[position] ^= 0x55
        with pytest.raises((UnreadableInputError, ImageTooLargeError)):
            open_smear(path)


def test_every_truncation_is_noticed(tmp_path: Path, encode: Any, pixels: np.ndarray) -> None:
    content = encode(pixels, "PNG")
    path = tmp_path / "cut.png"
    for length in range(8, len(content), 41):
        path.write_bytes(content[:length])
        with pytest.raises(UnreadableInputError, match=r"cut\.png"):
            open_smear(path)


def test_missing_rows_are_noticed(tmp_path: Path, pixels: np.ndarray, build_png: Any) -> None:
    """Pillow paints them black."""
    header = struct.pack(">IIBBBBB", 34, 21, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    for length in (0, 1, 103, len(rows) // 2, len(rows) - 1):
        content = build_png([(b"IHDR", header), (b"IDAT", zlib.compress(rows[:length])), (b"IEND", b"")])
        with pytest.raises(UnreadableInputError, match="where its size needs"):
            pixels_of(tmp_path / "a.png", content)
    complete = zlib.compress(rows)
    parts = [(b"IDAT", complete[:9]), (b"IDAT", b""), (b"IDAT", complete[9:])]
    content = build_png([(b"IHDR", header), *parts, (b"IEND", b"")])
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.png", content), pixels)


def test_colour_outside_the_palette_is_damage(tmp_path: Path, build_png: Any) -> None:
    samples = np.array([[0, 1, 2]], np.uint8)
    content = raw_png(build_png, samples, 8, 3, (b"PLTE", bytes(6)))
    with pytest.raises(UnreadableInputError, match="not in the palette"):
        pixels_of(tmp_path / "a.png", content)


@pytest.mark.parametrize("spoil", ["depth", "colour", "packing", "interlace", "zero"])
def test_impossible_headers(spoil: str, tmp_path: Path, build_png: Any) -> None:
    fields = [8, 8, 8, 2, 0, 0, 0]
    fields[{"zero": 0, "depth": 2, "colour": 3, "packing": 4, "interlace": 6}[spoil]] = {"zero": 0}.get(spoil, 5)
    header = struct.pack(">IIBBBBB", *fields)
    with pytest.raises(UnreadableInputError):
        pixels_of(tmp_path / "a.png", build_png([(b"IHDR", header), (b"IDAT", b""), (b"IEND", b"")]))


def test_unknown_critical_chunk_is_refused(tmp_path: Path, build_png: Any) -> None:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"CgBI", b"1234"), (b"IDAT", zlib.compress(bytes(4))), (b"IEND", b"")]
    with pytest.raises(UnsupportedFormatError, match="CgBI"):
        pixels_of(tmp_path / "a.png", build_png(chunks))


def test_whole_bomb_of_900_megapixels_is_refused_from_its_header(
    tmp_path: Path, build_png: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    packer, rows = zlib.compressobj(1), bytes(3751 * 500)
    data = b"".join(packer.compress(rows) for _ in range(60)) + packer.flush()
    header = struct.pack(">IIBBBBB", 30000, 30000, 1, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(build_png([(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]))
    monkeypatch.setattr("hemato_lab.formats.stored.StoredFile.read_all", lambda _: pytest.fail("was read"))
    with pytest.raises(ImageTooLargeError, match=r"bomb\.png: states 30000 x 30000 pixels"):
        open_smear(path)


def test_size_that_cannot_be_in_the_bytes_is_damage(tmp_path: Path, build_png: Any) -> None:
    header = struct.pack(">IIBBBBB", 10000, 10000, 8, 2, 0, 0, 0)
    content = build_png([(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")])
    with pytest.raises(UnreadableInputError, match="cannot hold 10000 x 10000"):
        pixels_of(tmp_path / "a.png", content)


def test_metadata_bombs_never_reach_a_decoder(tmp_path: Path, build_png: Any) -> None:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    bomb = zlib.compress(bytes(100_000_000), 9)
    chunks = [
        (b"IHDR", header),
        (b"iCCP", b"name\0\0" + bomb),
        (b"zTXt", b"Comment\0\0" + bomb),
        (b"IDAT", zlib.compress(b"\0\1\2\3")),
        (b"IEND", b""),
    ]
    assert pixels_of(tmp_path / "a.png", build_png(chunks)).tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("density", "expected"),
    [((2835, 2835, 1), None), ((4_000_000, 4_000_000, 1), 0.25), ((4_000_000, 4_000_000, 0), None)],
)
def test_density(density: Any, expected: float | None, tmp_path: Path, build_png: Any) -> None:
    content = raw_png(build_png, np.zeros((2, 2, 3), np.uint8), 8, 2, (b"pHYs", struct.pack(">IIB", *density)))
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert open_smear(path).fields[0].um_per_px == expected
