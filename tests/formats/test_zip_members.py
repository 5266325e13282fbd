from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from hemato_lab.errors import IntegrityError, UnreadableInputError
from hemato_lab.formats import open_smear
from hemato_lab.formats.stored import file_id_of
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from pathlib import Path


def pack(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


@pytest.fixture
def three(tmp_path: Path, photo: Any, encode: Any) -> tuple[dict[str, bytes], np.ndarray]:
    pixels = photo()
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb", tile=(16, 16))
    return {"1.jpg": encode(pixels, "JPEG"), "2.png": encode(pixels, "PNG"), "3.tif": buffer.getvalue()}, pixels


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_read_like_files(method: int, tmp_path: Path, three: Any) -> None:
    files, pixels = three
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    smear = open_smear(pack(tmp_path / "a.zip", files, method))
    assert [field.name for field in smear.fields] == list(files)
    for field, (name, content) in zip(smear.fields, files.items(), strict=True):
        assert field.file_id == file_id_of(content)
        np.testing.assert_array_equal(field.read(), open_smear(tmp_path / name).fields[0].read())
    window = Window(10, 3, 40, 33)
    np.testing.assert_array_equal(smear.fields[2].read(window), pixels[window.slices()])


def test_one_damaged_member_is_skipped(tmp_path: Path, three: Any) -> None:
    files, _ = three
    files = {**files, "4.png": files["2.png"][:-20], "5.jpg": b"just text", "6.png": b"", "7.txt": b"text"}
    smear = open_smear(pack(tmp_path / "a.zip", files))
    assert len(smear.fields) == 3
    assert [(one.name, one.code) for one in smear.skipped] == [
        ("4.png", "unreadable"),
        ("5.jpg", "format-mismatch"),
        ("6.png", "unreadable"),
    ]


def test_wrong_checksum_is_noticed(tmp_path: Path, three: Any) -> None:
    files, _ = three
    path = pack(tmp_path / "a.zip", {"1.jpg": files["1.jpg"]}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableInputError, match=r"^1\.jpg: damaged or cut short: the checksum"):
        open_smear(path)


def test_unknown_packing_is_skipped_with_a_reason(tmp_path: Path, three: Any) -> None:
    files, _ = three
    path = pack(tmp_path / "a.zip", {"2.png": files["2.png"]})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as file:
        file.writestr("1.png", files["2.png"])
    (skipped,) = open_smear(path).skipped
    assert (skipped.name, skipped.code) == ("1.png", "unsupported-format")
    assert "method 14" in skipped.reason


@pytest.mark.parametrize("name", ["1.jpg", "2.png", "3.tif"])
def test_archive_that_changed_is_refused(name: str, tmp_path: Path, three: Any, photo: Any, encode: Any) -> None:
    files, _ = three
    path = pack(tmp_path / "a.zip", files)
    field = next(field for field in open_smear(path).fields if field.name == name)
    pack(path, {key: encode(photo(seed=9), "PNG") for key in files})
    with pytest.raises(IntegrityError, match=name):
        field.read()


def test_archive_packed_again_with_the_same_members_is_fine(tmp_path: Path, three: Any) -> None:
    files, _ = three
    path = pack(tmp_path / "a.zip", files)
    field = open_smear(path).fields[1]
    before = field.read()
    pack(path, files)
    np.testing.assert_array_equal(field.read(), before)
