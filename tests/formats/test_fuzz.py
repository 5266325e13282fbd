"""Thousands of damaged files: whatever comes out is right or a typed error, and nothing hangs.

Each damage is drawn from a fixed seed, so that a failure can be repeated.
"""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from hemato_lab.errors import HematoError
from hemato_lab.formats import open_smear

if TYPE_CHECKING:
    from pathlib import Path

EXTREMES = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1")


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **{"photometric": "rgb", **options})
    return buffer.getvalue()


@pytest.fixture(scope="module")
def originals(photo: Any, encode: Any, exif: Any) -> dict[str, list[bytes]]:
    pixels = photo(24, 32)
    image = Image.fromarray(pixels)
    jpegs = [
        encode(pixels, "JPEG"),
        encode(pixels, "JPEG", progressive=True, exif=exif({274: 6, 282: 1e5, 283: 1e5, 296: 3})),
        encode(image.convert("CMYK"), "JPEG"),
        encode(image.convert("L"), "JPEG"),
    ]
    pngs = [encode(image.convert(mode), "PNG") for mode in ("RGB", "P", "LA", "RGBA", "1")]
    tiffs = [
        tiff(pixels),
        tiff(pixels, compression="deflate", predictor=True),
        tiff(pixels, compression="jpeg", tile=(16, 16)),
        tiff(pixels, compression="lzw", rowsperstrip=7),
        tiff((pixels / 255).astype(np.float32), compression="deflate", predictor=3),
        tiff(np.moveaxis(pixels, -1, 0), compression="packbits", planarconfig="separate"),
        tiff(np.stack([pixels, pixels]), compression="jpeg2000", tile=(16, 16)),
        tiff(pixels, bigtiff=True, byteorder=">", compression="zstd"),
        encode(image.convert("P"), "TIFF"),
    ]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in (("a/1.jpg", jpegs[0]), ("2.png", pngs[0]), ("3.tif", tiffs[1]), ("notes.txt", b"hi")):
            file.writestr(name, content)
    return {"jpg": jpegs, "png": pngs, "tif": tiffs, "zip": [buffer.getvalue()]}


def damaged(content: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.2:
        return content[: chance.randrange(1, len(content))]
    spoilt = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        position = chance.randrange(min(len(spoilt), chance.choice((40, 200, 700, 10**9))))
        kind = chance.random()
        if kind < 0.5:
            spoilt[position] = chance.randrange(256)
        elif kind < 0.7:
            extreme = chance.choice(EXTREMES)
            spoilt[position : position + 4] = extreme
        elif kind < 0.85 and len(spoilt) > 40:
            del spoilt[position : position + chance.randrange(1, 20)]
        else:
            spoilt[position:position] = chance.randbytes(chance.randrange(1, 20))
    return bytes(spoilt)


def with_right_checksums(content: bytes) -> bytes:
    """Repair the checksums of a damaged PNG, so that the damage reaches what lies behind them."""
    repaired, position = bytearray(content), 8
    while position + 12 <= len(repaired):
        end = position + 8 + int.from_bytes(repaired[position : position + 4], "big")
        if end + 4 > len(repaired):
            break
        repaired[end : end + 4] = struct.pack(">I", zlib.crc32(repaired[position + 4 : end]))
        position = end + 4
    return bytes(repaired)


def campaign(folder: Path, originals: dict[str, list[bytes]], count: int, seed: int) -> Counter[str]:
    chance = random.Random(seed)  # noqa: S311
    outcomes = Counter[str]()
    for _ in range(count):
        kind = chance.choice(("jpg", "png", "tif", "tif", "zip"))
        content = damaged(chance.choice(originals[kind]), chance)
        if kind == "png" and chance.random() < 0.5:
            content = with_right_checksums(content)
        path = folder / f"damaged.{kind}"
        path.write_bytes(content)
        try:
            for field in open_smear(path).fields:
                assert field.read().shape == (field.height, field.width, 3)
            outcomes["read"] += 1
        except HematoError as error:
            outcomes[error.code] += 1
    return outcomes


def test_damaged_files_give_typed_errors(tmp_path: Path, originals: dict[str, list[bytes]]) -> None:
    outcomes = campaign(tmp_path, originals, 5000, seed=1)
    assert outcomes["unreadable"] > 1000
    assert outcomes["archive"] > 100
    assert outcomes["format-mismatch"] > 50
    assert outcomes["read"] > 100


@pytest.mark.slow
def test_many_damaged_files_give_typed_errors(tmp_path: Path, originals: dict[str, list[bytes]]) -> None:
    assert campaign(tmp_path, originals, 1_000_000, seed=2).total() == 1_000_000
