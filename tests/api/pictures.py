"""Pictures that any service takes: tiny, real, and each of its own."""

from __future__ import annotations

import io
from functools import cache

import PIL.Image


@cache
def jpeg(number: int = 0, comment: str = "") -> bytes:
    """Return a JPEG file of 8 by 8 pixels, whose number and comment are in it; a larger number is a longer file."""
    stream = io.BytesIO()
    words = f"picture {number} {comment}".encode() * (number % 32 + 1)
    PIL.Image.new("L", (8, 8), 128).save(stream, "JPEG", comment=words)
    return stream.getvalue()


@cache
def png(number: int = 0) -> bytes:
    """Return a PNG file of 8 by 8 pixels, whose number is in them."""
    stream = io.BytesIO()
    PIL.Image.frombytes("RGB", (8, 8), (number + 1).to_bytes(192, "big")).save(stream, "PNG")
    return stream.getvalue()
