"""Images, TIFF files and PNG files made here, byte by byte where a library would refuse to write what is needed."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hemato_lab.formats.caching import MEMBERS, TILES, WHOLE_IMAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Array = NDArray[Any]


@pytest.fixture(autouse=True)
def empty_caches() -> Iterator[None]:
    for cache in (WHOLE_IMAGES, TILES, MEMBERS):
        cache.clear()
    yield
    for cache in (WHOLE_IMAGES, TILES, MEMBERS):
        cache.clear()


@pytest.fixture(scope="session")
def photo() -> Callable[..., Array]:
    """Smooth colour gradients, a few discs and noise; no two corners, rows or columns are alike."""

    def make(height: int = 40, width: int = 56, seed: int = 0) -> Array:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:height, :width]
        pixels = np.stack([90 + 140 * x / width, 120 + 110 * y / height, 230 - 90 * (x + y) / (width + height)], -1)
        for _ in range(4):
            centre_y, centre_x = rng.uniform(0, height), rng.uniform(0, width)
            pixels[(y - centre_y) ** 2 + (x - centre_x) ** 2 < (min(height, width) / 6) ** 2] *= 0.7
        return np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Encode an array, or a Pillow image of any mode, with Pillow."""

    def make(pixels: Array | Image.Image, kind: str, **options: Any) -> bytes:
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def exif() -> Callable[..., bytes]:
    """Return an EXIF block with the given tags, as Pillow writes it."""

    def make(tags: dict[int, Any]) -> bytes:
        block = Image.Exif()
        for tag, value in tags.items():
            block[tag] = value
        return block.tobytes()

    return make


@pytest.fixture(scope="session")
def build_png() -> Callable[..., bytes]:
    """Return a PNG of the given chunks, with right lengths and checksums."""

    def make(chunks: list[tuple[bytes, bytes]]) -> bytes:
        parts = [b"\x89PNG\r\n\x1a\n"]
        for name, body in chunks:
            parts += [struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(name + body))]
        return b"".join(parts)

    return make


@pytest.fixture(scope="session")
def build_tiff() -> Callable[..., bytes]:
    """Return a TIFF whose pages have exactly the given tags.

    A page is ({tag: (type, values)}, list of tile or strip bytes); tags 324/325 or 273/279 are filled in from the
    list unless given. Types: 2 text (bytes), 3 SHORT, 4 LONG, 5 RATIONAL (pairs), 7 bytes, 16 LONG8.
    """
    codes = {3: "H", 4: "I", 5: "I", 16: "Q"}

    def pack(order: str, kind: int, values: Any) -> tuple[int, bytes]:
        if isinstance(values, bytes):
            return len(values), values
        flat = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
        return len(values), struct.pack(f"{order}{len(flat)}{codes[kind]}", *flat)

    def make(
        pages: list[tuple[dict[int, tuple[int, Any]], list[bytes]]], *, order: str = "<", big: bool = False
    ) -> bytes:
        pointer, slot, entry_head = ("Q", 8, "HHQ") if big else ("I", 4, "HHI")
        mark = b"II" if order == "<" else b"MM"
        content = bytearray(
            mark + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0))
        )
        link = len(content) - slot
        for given, segments in pages:
            tags = dict(given)
            offsets = []
            for segment in segments:
                offsets.append(len(content))
                content += segment
            where = (324, 325) if 322 in tags else (273, 279)
            tags.setdefault(where[0], (16 if big else 4, offsets))
            tags.setdefault(where[1], (4, [len(segment) for segment in segments]))
            entries = b""
            for tag in sorted(tags):
                kind, values = tags[tag]
                count, body = pack(order, kind, values)
                if len(body) > slot:
                    body, start = struct.pack(order + pointer, len(content)), body
                    content += start
                entries += struct.pack(order + entry_head, tag, kind, count) + body.ljust(slot, b"\0")
            content[link : link + slot] = struct.pack(order + pointer, len(content))
            content += struct.pack(order + ("Q" if big else "H"), len(tags)) + entries
            link = len(content)
            content += bytes(slot)
        return bytes(content)

    return make
