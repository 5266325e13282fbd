"""What a file is, told by its first bytes, and what its name says it is."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from hemato_lab.errors import FormatMismatchError, UnsupportedFormatError

HEAD_BYTES: Final = 64

MAGIC: Final = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"PK\x03\x04": "ZIP",
    b"PK\x05\x06": "ZIP",
}
"""First bytes of every format that is read."""
SUFFIXES: Final = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".btf": "TIFF",
    ".svs": "TIFF",
}
"""Endings of the names of images; in folders and archives other files are passed over."""
ARCHIVE_SUFFIXES: Final = {".zip": "ZIP"}
_OTHERS: Final = {
    b"GIF8": "GIF image",
    b"BM": "Windows bitmap",
    b"%PDF": "PDF document",
    b"<": "text or markup file",
    b"{": "JSON file",
    b"\x1f\x8b": "gzip file",
    b"7z\xbc\xaf": "7-Zip archive",
    b"Rar!": "RAR archive",
    b"MZ": "Windows program",
    b"\x7fELF": "program",
    b"\0\0\0\x0cjP": "JPEG 2000 image",
    b"\xff\x4f\xff\x51": "JPEG 2000 image",
}
"""First bytes of what people give by mistake, to name it in the error."""


def format_of(head: bytes) -> str | None:
    """Return the format that the first bytes belong to, None when it is not one that is read."""
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)


def format_of_name(name: str) -> str | None:
    """Return the format that a file name claims, None when it claims none."""
    suffix = PurePath(name).suffix.lower()
    return SUFFIXES.get(suffix) or ARCHIVE_SUFFIXES.get(suffix)


def is_image_name(name: str) -> bool:
    """Tell whether a file in a folder or archive is meant to be an image: known ending, not hidden.

    Hidden files include the "._" companions and the ``__MACOSX`` folder that macOS adds, which hold no pixels.
    """
    parts = PurePath(name).parts
    return (
        bool(parts)
        and not any(part.startswith(".") or part == "__MACOSX" for part in parts)
        and PurePath(name).suffix.lower() in SUFFIXES
    )


def checked_format(head: bytes, label: str) -> str:
    """Return the format of a file, a key of the registry of readers.

    Content and name must agree. A name that says another format than the bytes is a sign that files were mixed up, and
    the remote service refuses such uploads too (api/DECISIONS.md row 12).

    Raises
    ------
    FormatMismatchError
        If the name says an image or archive and the bytes are something else.
    UnsupportedFormatError
        If the name claims nothing and the bytes are no format that is read.
    """
    found, claimed = format_of(head), format_of_name(label)
    if found is not None and claimed in {None, found}:
        return found
    content = f"a {found} file" if found else _describe(head)
    if claimed is not None:
        again = "pack the images again, or give their folder" if claimed == "ZIP" else "export the image again"
        raise FormatMismatchError(
            f"is named like a {claimed} file but its content is {content}",
            subject=label,
            hint=f"give it the right ending, for example {_ending(found)}" if found else again,
        )
    raise UnsupportedFormatError(
        f"is {content}, which is not read",
        subject=label,
        hint="JPEG, PNG, TIFF and ZIP archives of them are; convert it to PNG",
    )


def _ending(found: str) -> str:
    return next(suffix for suffix, name in (SUFFIXES | ARCHIVE_SUFFIXES).items() if name == found)


def _describe(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return "a HEIF image or film"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP image"
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            return f"a {name}"
    if head and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return "plain text"
    return "of no known format"
