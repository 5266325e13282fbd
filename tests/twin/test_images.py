"""Bombs and wrong formats are refused by their headers alone; what Pillow reads is let through with Pillow's size."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.JpegImagePlugin
import PIL.PngImagePlugin
import pytest
import simplejpeg

from hemato_lab.formats import open_smear, stored
from hemato_lab.twin.images import ImageSize, check_image
from hemato_lab.twin.refusals import Refusal
from tests.twin.conftest import image_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hemato_lab.twin.file_types import ImageType

MOST_BYTES_READ = 256 << 10
MOST_READS = 2500
MEGABYTES = 32 << 20


def picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (13, 9), **options: Any) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


# Parts of files, written from the standards.


def segment(marker: int, body: bytes = b"", *, length: int | None = None) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2 if length is None else length) + body


def frame(width: int, height: int, *, marker: int = 0xC0, bits: int = 8, components: int = 3) -> bytes:
    described = b"".join(bytes((number, 0x11, 0)) for number in range(1, components + 1))
    return segment(marker, struct.pack(">BHHB", bits, height, width, components) + described)


SCAN = segment(0xDA, b"\3\1\0\2\x11\3\x11\0?\0") + bytes(64)
END = b"\xff\xd9"


def jpeg(*parts: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(parts) + SCAN + END


def chunk(name: bytes, body: bytes = b"", *, length: int | None = None, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(name + body) if crc is None else crc
    return struct.pack(">L", len(body) if length is None else length) + name + body + struct.pack(">L", checksum)


SIGNATURE = b"\x89PNG\r\n\x1a\n"
LAST = chunk(b"IEND")


def header(width: int, height: int, depth: int = 8, colour: int = 2, *rest: int, **options: Any) -> bytes:
    return chunk(b"IHDR", struct.pack(">LLBB3B", width, height, depth, colour, *(rest or (0, 0, 0))), **options)


def png(*parts: bytes, pixels: bytes = bytes(200)) -> bytes:
    return SIGNATURE + b"".join(parts) + chunk(b"IDAT", pixels) + LAST


def packed_zeros(size: int) -> bytes:
    packer = zlib.compressobj(9)
    return packer.compress(bytes(size)) + packer.flush()


def gif() -> bytes:
    return picture("GIF", "P")


def tiff() -> bytes:
    return picture("TIFF")


LARGE, BAD, OTHER = "image_too_large", "bad_image", "file_type_mismatch"
BOMBS: dict[str, tuple[str, ImageType, Callable[[], bytes]]] = {
    "JPEG of 4 gigapixels": (LARGE, "jpeg", lambda: jpeg(frame(65535, 65535))),
    "progressive JPEG of 4 gigapixels": (LARGE, "jpeg", lambda: jpeg(frame(65535, 65535, marker=0xC2))),
    "grey JPEG of 4 gigapixels": (LARGE, "jpeg", lambda: jpeg(frame(65535, 65535, components=1))),
    "CMYK JPEG of 4 gigapixels": (LARGE, "jpeg", lambda: jpeg(frame(65535, 65535, components=4))),
    "JPEG just above": (LARGE, "jpeg", lambda: jpeg(frame(20001, 10000))),
    "long thin JPEG": (BAD, "jpeg", lambda: jpeg(frame(65535, 3000))),
    "JPEG bomb behind a profile": (
        LARGE, "jpeg", lambda: jpeg(*[segment(0xE2, b"ICC_PROFILE\0" + bytes(60_000))] * 40, frame(60000, 60000)),
    ),
    "JPEG bomb behind a comment": (LARGE, "jpeg", lambda: jpeg(segment(0xFE, bytes(65533)), frame(60000, 60000))),
    "JPEG bomb behind padding": (LARGE, "jpeg", lambda: jpeg(b"\xff" * 500, frame(60000, 60000))),
    "JPEG bomb whose thumbnail is small": (
        LARGE, "jpeg", lambda: jpeg(segment(0xE1, b"Exif\0\0" + jpeg(frame(8, 8))), frame(60000, 60000)),
    ),
    "JPEG of more than its bytes hold": (BAD, "jpeg", lambda: jpeg(frame(14000, 14000))),
    "JPEG with two frames": (BAD, "jpeg", lambda: jpeg(frame(8, 8), frame(60000, 60000))),
    "JPEG with its large frame behind": (BAD, "jpeg", lambda: jpeg(frame(60000, 60000), frame(8, 8))),
    "JPEG of megabytes of padding": (BAD, "jpeg", lambda: b"\xff\xd8" + b"\xff" * MEGABYTES),
    "JPEG of padding behind its frame": (BAD, "jpeg", lambda: b"\xff\xd8" + frame(8, 8) + b"\xff" * MEGABYTES),
    "JPEG of a million comments": (BAD, "jpeg", lambda: b"\xff\xd8" + segment(0xFE) * (MEGABYTES // 4)),
    "JPEG of a million restarts": (BAD, "jpeg", lambda: b"\xff\xd8\xff\xd0" + b"\xff\xd0" * (MEGABYTES // 2)),
    "JPEG of a thousand large segments": (BAD, "jpeg", lambda: b"\xff\xd8" + segment(0xE2, bytes(32766)) * 1001),
    "JPEG of no rows": (BAD, "jpeg", lambda: jpeg(frame(8, 0))),
    "JPEG of no columns": (BAD, "jpeg", lambda: jpeg(frame(0, 8))),
    "JPEG of 12 bits": (BAD, "jpeg", lambda: jpeg(frame(8, 8, marker=0xC1, bits=12))),
    "JPEG of 2 components": (BAD, "jpeg", lambda: jpeg(frame(8, 8, components=2))),
    "JPEG of 255 components": (BAD, "jpeg", lambda: jpeg(frame(8, 8, components=255))),
    "lossless JPEG": (BAD, "jpeg", lambda: jpeg(frame(8, 8, marker=0xC3))),
    "hierarchical JPEG": (BAD, "jpeg", lambda: jpeg(frame(8, 8, marker=0xC5))),
    "arithmetic JPEG": (BAD, "jpeg", lambda: jpeg(frame(8, 8, marker=0xC9))),
    "JPEG without a frame": (BAD, "jpeg", jpeg),
    "JPEG without a scan": (BAD, "jpeg", lambda: b"\xff\xd8" + frame(8, 8) + END + bytes(8)),
    "JPEG cut in its frame": (BAD, "jpeg", lambda: (b"\xff\xd8" + frame(8, 8))[:12]),
    "JPEG of three bytes": (BAD, "jpeg", lambda: b"\xff\xd8\xff"),
    "JPEG frame of a few bytes": (BAD, "jpeg", lambda: jpeg(segment(0xC0, b"\x08\0"))),
    "JPEG segment behind the end": (BAD, "jpeg", lambda: b"\xff\xd8" + segment(0xE0, bytes(8), length=65535)),
    "JPEG segment of length 0": (BAD, "jpeg", lambda: jpeg(segment(0xE0, length=0), frame(8, 8))),
    "JPEG segment of length 1": (BAD, "jpeg", lambda: jpeg(segment(0xFE, length=1), frame(8, 8))),
    "JPEG out of step": (BAD, "jpeg", lambda: jpeg(segment(0xE0, bytes(6)), b"\0", frame(8, 8))),
    "PNG of 2^62 pixels": (LARGE, "png", lambda: png(header(2**31 - 1, 2**31 - 1))),
    "PNG of 2^64 pixels": (LARGE, "png", lambda: png(header(2**32 - 1, 2**32 - 1))),
    "PNG of 1 row": (LARGE, "png", lambda: png(header(2**31 - 1, 1))),
    "PNG of 1 column": (LARGE, "png", lambda: png(header(1, 2**31 - 1, 1, 0))),
    "PNG just above": (LARGE, "png", lambda: png(header(200_000_001, 1, 1, 0))),
    "blank PNG of a gigapixel": (LARGE, "png", lambda: png(header(40000, 25000, 1, 0), pixels=packed_zeros(1 << 20))),
    "interlaced PNG of a gigapixel": (LARGE, "png", lambda: png(header(40000, 25000, 8, 2, 0, 0, 1))),
    "PNG of more than its bytes hold": (BAD, "png", lambda: png(header(14000, 14000))),
    "interlaced PNG of more than its bytes hold": (BAD, "png", lambda: png(header(14000, 14000, 8, 6, 0, 0, 1))),
    "PNG of a million text chunks": (BAD, "png", lambda: SIGNATURE + header(8, 8) + chunk(b"tEXt") * 400_000),
    "PNG text that unpacks to gigabytes": (
        BAD, "png", lambda: SIGNATURE + header(8, 8) + chunk(b"zTXt", b"a\0\0" + packed_zeros(MEGABYTES)) + LAST,
    ),
    "PNG chunk behind the end": (BAD, "png", lambda: SIGNATURE + header(8, 8) + chunk(b"IDAT", length=2**32 - 1)),
    "PNG without pixels": (BAD, "png", lambda: SIGNATURE + header(8, 8) + LAST),
    "PNG with its pixels behind its end": (
        BAD, "png", lambda: SIGNATURE + header(8, 8) + LAST + chunk(b"IDAT", bytes(200)) + LAST,
    ),
    "PNG of a header alone": (BAD, "png", lambda: SIGNATURE + header(8, 8)),
    "PNG cut in its header": (BAD, "png", lambda: (SIGNATURE + header(8, 8))[:30]),
    "PNG of its signature alone": (BAD, "png", lambda: SIGNATURE),
    "PNG without its header first": (BAD, "png", lambda: png(chunk(b"tEXt", b"a\0b"), header(8, 8))),
    "PNG header of another length": (BAD, "png", lambda: png(header(8, 8, length=14))),
    "PNG header with a wrong checksum": (BAD, "png", lambda: png(header(8, 8, crc=0))),
    "PNG of no rows": (BAD, "png", lambda: png(header(8, 0))),
    "PNG of no columns": (BAD, "png", lambda: png(header(0, 8))),
    "PNG of 3 bits": (BAD, "png", lambda: png(header(8, 8, 3, 0))),
    "PNG of a colour type that is none": (BAD, "png", lambda: png(header(8, 8, 8, 5))),
    "PNG of 32 bits": (BAD, "png", lambda: png(header(8, 8, 32, 2))),
    "PNG packed in another way": (BAD, "png", lambda: png(header(8, 8, 8, 2, 1, 0, 0))),
    "PNG filtered in another way": (BAD, "png", lambda: png(header(8, 8, 8, 2, 0, 1, 0))),
    "PNG interlaced in another way": (BAD, "png", lambda: png(header(8, 8, 8, 2, 0, 0, 2))),
    "empty JPEG": (BAD, "jpeg", bytes),
    "PNG as JPEG": (OTHER, "jpeg", lambda: picture("PNG")),
    "JPEG as PNG": (OTHER, "png", lambda: picture("JPEG")),
    "GIF as PNG": (OTHER, "png", gif),
    "TIFF as JPEG": (OTHER, "jpeg", tiff),
    "bitmap as PNG": (OTHER, "png", lambda: picture("BMP")),
    "WebP as JPEG": (OTHER, "jpeg", lambda: b"RIFF\x24\0\0\0WEBPVP8 " + bytes(24)),
    "SVG as PNG": (OTHER, "png", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "HEIF as JPEG": (OTHER, "jpeg", lambda: b"\0\0\0\x18ftypheic" + bytes(16)),
    "JPEG 2000 as JPEG": (OTHER, "jpeg", lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(16)),
    "JPEG XL as JPEG": (OTHER, "jpeg", lambda: b"\xff\x0a" + bytes(16)),
    "PDF as JPEG": (OTHER, "jpeg", lambda: b"%PDF-1.7\n" + picture("JPEG")),
    "ZIP as PNG": (OTHER, "png", lambda: b"PK\3\4" + bytes(26)),
    "program as PNG": (OTHER, "png", lambda: b"\x7fELF" + bytes(60)),
    "PNG sent as text": (OTHER, "png", lambda: picture("PNG").replace(b"\r\n", b"\n")),
    "JPEG behind a line break": (OTHER, "jpeg", lambda: b"\n" + picture("JPEG")),
}  # fmt: skip


def test_there_are_enough() -> None:
    assert len(BOMBS) >= 60


class Reads:
    """Counts what is read, and refuses whatever could unpack a pixel."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        real = stored._OpenFile.read_at

        def read_at(access: Any, offset: int, size: int) -> bytes:
            self.sizes.append(size)
            return real(access, offset, size)

        def never(*_: object, **__: object) -> None:
            raise AssertionError("something was decoded")

        monkeypatch.setattr(stored._OpenFile, "read_at", read_at)
        monkeypatch.setattr(stored.StoredFile, "read_all", never)
        for owner, name in (
            (zlib, "decompress"), (zlib, "decompressobj"), (simplejpeg, "decode_jpeg"), (PIL.Image, "open"),
            (PIL.Image, "frombytes"), (PIL.Image.Image, "load"), (PIL.PngImagePlugin, "PngImageFile"),
            (PIL.JpegImagePlugin, "JpegImageFile"),
        ):  # fmt: skip
            monkeypatch.setattr(owner, name, never)


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_by_their_header(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, kind, build = BOMBS[name]
    path = tmp_path / "file"
    path.write_bytes(build())
    reads = Reads(monkeypatch)
    with pytest.raises(Refusal) as caught:
        check_image(path, kind)
    assert caught.value.code == code
    assert (sum(reads.sizes) <= MOST_BYTES_READ, len(reads.sizes) <= MOST_READS) == (True, True)
    assert str(tmp_path) not in str(caught.value.debug_info)
    assert caught.value.debug_info


GOOD: dict[str, tuple[ImageType, Callable[[], bytes]]] = {
    "JPEG": ("jpeg", lambda: picture("JPEG")),
    "progressive JPEG": ("jpeg", lambda: picture("JPEG", progressive=True)),
    "grey JPEG": ("jpeg", lambda: picture("JPEG", "L")),
    "CMYK JPEG": ("jpeg", lambda: picture("JPEG", "CMYK")),
    "subsampled JPEG": ("jpeg", lambda: picture("JPEG", subsampling=2, quality=10)),
    "JPEG with restarts": ("jpeg", lambda: picture("JPEG", size=(100, 100), restart_marker_blocks=1)),
    "JPEG with a comment": ("jpeg", lambda: picture("JPEG", comment=b"x" * 65_000)),
    "JPEG with a profile": ("jpeg", lambda: picture("JPEG", icc_profile=bytes(3_000_000))),
    "JPEG with EXIF": ("jpeg", lambda: picture("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")),
    "padded JPEG": ("jpeg", lambda: b"\xff\xd8" + b"\xff" * 7 + picture("JPEG")[2:]),
    "blank JPEG": ("jpeg", lambda: blank("JPEG", (3000, 2000))),
    "blank progressive JPEG": ("jpeg", lambda: blank("JPEG", (3000, 2000), progressive=True)),
    "PNG": ("png", lambda: picture("PNG")),
    "PNG of 1 bit": ("png", lambda: picture("PNG", "1")),
    "grey PNG": ("png", lambda: picture("PNG", "L")),
    "PNG of 16 bits": ("png", lambda: picture("PNG", "I;16")),
    "PNG with transparency": ("png", lambda: picture("PNG", "RGBA")),
    "grey PNG with transparency": ("png", lambda: picture("PNG", "LA")),
    "PNG with a palette": ("png", lambda: picture("PNG", "P")),
    "PNG of many pieces": ("png", lambda: picture("PNG", size=(400, 300))),
    "PNG with a profile": ("png", lambda: picture("PNG", icc_profile=np.random.default_rng(2).bytes(600_000))),
    "PNG with EXIF": ("png", lambda: picture("PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")),
    "PNG with text": ("png", lambda: png_with_text(100)),
    "blank PNG": ("png", lambda: blank("PNG", (3000, 2000))),
    "interlaced PNG": ("png", lambda: png(header(2, 1, 8, 2, 0, 0, 1), pixels=packed_zeros(16))),
}


def blank(kind: str, size: tuple[int, int], **options: Any) -> bytes:
    stream = io.BytesIO()
    PIL.Image.new("L", size, 200).save(stream, kind, **options)
    return stream.getvalue()


def png_with_text(count: int) -> bytes:
    text = PIL.PngImagePlugin.PngInfo()
    for number in range(count):
        text.add_text(f"key {number}", "value" * number)
    return picture("PNG", pnginfo=text)


@pytest.mark.parametrize("name", GOOD)
def test_good_images_are_let_through_with_their_size(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    kind, build = GOOD[name]
    content = build()
    path = tmp_path / f"file.{kind}"
    path.write_bytes(content)
    with PIL.Image.open(io.BytesIO(content)) as image:
        expected = ImageSize(*image.size)
    with monkeypatch.context() as patch:
        reads = Reads(patch)
        assert check_image(path, kind) == expected
    assert sum(reads.sizes) <= MOST_BYTES_READ
    assert open_smear(path).fields[0].window.area == expected.width * expected.height


def test_damage_in_the_pixels_is_left_to_the_analysis(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = image_bytes()
    path.write_bytes(content[:-30] + bytes(30))
    assert check_image(path, "png") == ImageSize(8, 8)
