from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hemato_lab.errors import FormatMismatchError, InputError, UnsupportedFormatError
from hemato_lab.formats import open_smear
from hemato_lab.formats.opening import READERS
from hemato_lab.formats.sniffing import MAGIC, SUFFIXES, checked_format, format_of, is_image_name

if TYPE_CHECKING:
    from pathlib import Path

HEADS = {
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
    "TIFF": b"II*\0\x08\0\0\0",
    "ZIP": b"PK\x03\x04\x14\0",
}
FOREIGN = {
    "plain text": b"this is no image\n",
    "GIF image": b"GIF89a",
    "Windows bitmap": b"BM\x36\0",
    "PDF document": b"%PDF-1.7",
    "text or markup file": b"<!DOCTYPE html>",
    "JSON file": b'{"error": "not found"}',
    "WebP image": b"RIFF\x10\0\0\0WEBPVP8 ",
    "HEIF image or film": b"\0\0\0\x18ftypheic",
    "Windows program": b"MZ\x90\0",
    "program": b"\x7fELF\2",
    "gzip file": b"\x1f\x8b\x08",
    "RAR archive": b"Rar!\x1a\x07",
    "JPEG 2000 image": b"\0\0\0\x0cjP  \r\n",
    "no known format": b"\0\1\2\3\4\5",
}


def test_every_format_has_a_reader() -> None:
    assert set(MAGIC.values()) - {"ZIP"} == set(READERS)
    assert set(SUFFIXES.values()) == set(READERS)


@pytest.mark.parametrize("magic", MAGIC)
def test_magic(magic: bytes) -> None:
    assert format_of(magic + b"rest") == MAGIC[magic]
    assert format_of(magic[:-1]) is None


@pytest.mark.parametrize("found", HEADS)
@pytest.mark.parametrize("claimed", [*HEADS, None])
def test_name_and_content_must_agree(found: str, claimed: str | None) -> None:
    endings = {"JPEG": ".JPG", "PNG": ".png", "TIFF": ".Tif", "ZIP": ".zip", None: ".bin"}
    if claimed in {found, None}:
        assert checked_format(HEADS[found], f"a{endings[claimed]}") == found
    else:
        with pytest.raises(FormatMismatchError, match=f"named like a {claimed} file but its content is a {found} file"):
            checked_format(HEADS[found], f"a{endings[claimed]}")


@pytest.mark.parametrize("content", FOREIGN)
def test_foreign_content(content: str, tmp_path: Path) -> None:
    for ending in SUFFIXES:
        path = tmp_path / f"a{ending}"
        path.write_bytes(FOREIGN[content])
        with pytest.raises(FormatMismatchError, match=content):
            open_smear(path)
    path = tmp_path / "a.dat"
    path.write_bytes(FOREIGN[content])
    with pytest.raises(UnsupportedFormatError, match=content):
        open_smear(path)


def test_nothing_is_decoded_to_find_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"text" * 1_000_000)
    monkeypatch.setattr("hemato_lab.formats.stored.StoredFile.read_all", lambda _: pytest.fail("was read"))
    with pytest.raises(InputError):
        open_smear(path)


def test_image_names() -> None:
    assert all(is_image_name(name) for name in ("a.jpg", "A.JPEG", "b/c.TIF", "x..png", "./y.png"))
    assert not any(
        is_image_name(name)
        for name in ("a.txt", "a", ".a.jpg", "._a.jpg", "__MACOSX/a.jpg", "b/.hidden/c.jpg", "jpg", ".jpg", "", "a.zip")
    )
