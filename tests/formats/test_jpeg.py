from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from hemato_lab.errors import FormatMismatchError, ImageTooLargeError, UnreadableInputError, UnsupportedFormatError
from hemato_lab.formats import open_smear
from hemato_lab.formats.jpeg import read_header
from hemato_lab.formats.stored import file_id_of

if TYPE_CHECKING:
    from pathlib import Path


def pixels_of(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return open_smear(path).fields[0].read()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 95, "subsampling": 0},
        {"subsampling": 1},
        {"progressive": True},
        {"optimize": True},
        {"restart_marker_blocks": 2},
    ],
    ids=str,
)
def test_colour_agrees_with_pillow(options: dict[str, Any], tmp_path: Path, photo: Any, encode: Any) -> None:
    content = encode(photo(45, 61), "JPEG", **options)
    reference = np.asarray(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.jpg", content), reference)


def test_grey(tmp_path: Path, photo: Any, encode: Any) -> None:
    content = encode(Image.fromarray(photo()).convert("L"), "JPEG")
    reference = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.jpeg", content), reference)


def test_cmyk(tmp_path: Path, photo: Any, encode: Any) -> None:
    content = encode(Image.fromarray(photo()).convert("CMYK"), "JPEG")
    reference = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert np.abs(pixels_of(tmp_path / "a.jpg", content) - reference).max() <= 1


@pytest.mark.parametrize("stored_as", ["CMYK", "YCCK"])
def test_cmyk_of_adobe(stored_as: str, tmp_path: Path, photo: Any) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    inks = np.asarray(Image.fromarray(photo()).convert("CMYK"))
    content = imagecodecs.jpeg8_encode(inks, level=95, colorspace="CMYK", outcolorspace=stored_as)
    reference = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert np.abs(pixels_of(tmp_path / "a.jpg", content) - reference).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(orientation: int, tmp_path: Path, photo: Any, encode: Any, exif: Any) -> None:
    content = encode(photo(33, 50), "JPEG", exif=exif({274: orientation}))
    reference = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.jpg", content), reference)


def test_damaged_exif_does_not_cost_the_image(tmp_path: Path, photo: Any, encode: Any, exif: Any) -> None:
    block = exif({274: 6})
    content = encode(photo(33, 50), "JPEG", exif=block)
    for damage in (block[:9], b"Exif\0\0garbage", block[:8] + b"\xff" * (len(block) - 8)):
        spoilt = content.replace(block, damage.ljust(len(block), b"\0"))
        assert pixels_of(tmp_path / "a.jpg", spoilt).shape == (33, 50, 3)


def test_one_pixel(tmp_path: Path, encode: Any) -> None:
    pixels = pixels_of(tmp_path / "a.jpg", encode(np.full((1, 1, 3), 128, np.uint8), "JPEG"))
    assert pixels.shape == (1, 1, 3)
    assert np.abs(pixels.astype(int) - 128).max() <= 2


def test_trailing_bytes_are_no_damage(tmp_path: Path, photo: Any, encode: Any) -> None:
    content = encode(photo(), "JPEG")
    np.testing.assert_array_equal(
        pixels_of(tmp_path / "a.jpg", content + b"\0" * 100), pixels_of(tmp_path / "b.jpg", content)
    )


@pytest.mark.parametrize("kind", ["baseline", "progressive"])
def test_every_truncation_is_noticed(kind: str, tmp_path: Path, photo: Any, encode: Any) -> None:
    content = encode(photo(), "JPEG", progressive=kind == "progressive")
    path = tmp_path / "cut.jpg"
    for length in [1, 2, 3, 4, 20, *range(21, len(content), 37), len(content) - 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises((UnreadableInputError, FormatMismatchError), match=r"cut\.jpg"):
            open_smear(path)


def test_error_names_the_file_and_its_notes_stage_and_hash(tmp_path: Path, photo: Any, encode: Any) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(encode(photo(), "JPEG")[:-200])
    with pytest.raises(UnreadableInputError) as caught:
        open_smear(path)
    assert str(path) in str(caught.value)
    assert "[" not in str(caught.value).replace(str(path), "")
    assert caught.value.__notes__ == ["stage: decode", f"content: {file_id_of(path.read_bytes())}"]


def stated_size(content: bytes, height: int, width: int) -> bytes:
    start = content.index(b"\xff\xc0")
    return content[: start + 5] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + content[start + 9 :]


def test_bomb_is_refused_before_anything_is_decoded(
    tmp_path: Path, photo: Any, encode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.jpg"
    path.write_bytes(stated_size(encode(photo(), "JPEG"), 60000, 60000))
    monkeypatch.setattr("hemato_lab.formats.stored.StoredFile.read_all", lambda _: pytest.fail("was read"))
    with pytest.raises(ImageTooLargeError, match=r"60000 x 60000"):
        open_smear(path)


def test_size_that_cannot_be_in_the_bytes_is_damage(tmp_path: Path, photo: Any, encode: Any) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(stated_size(encode(photo(), "JPEG"), 14000, 14000))
    with pytest.raises(UnreadableInputError, match="cannot hold 14000 x 14000"):
        open_smear(path)


def test_densest_possible_image_is_no_damage(tmp_path: Path, encode: Any) -> None:
    white = np.full((2000, 2000, 3), 255, np.uint8)
    assert pixels_of(tmp_path / "a.jpg", encode(white, "JPEG", optimize=True, quality=1)).min() == 255


@pytest.mark.parametrize(
    ("options", "reason"), [({"bitspersample": 12}, "12 bits"), ({"lossless": True}, "rare kind SOF3")], ids=str
)
def test_rare_kinds_are_refused_with_a_reason(options: Any, reason: str, tmp_path: Path, photo: Any) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    pixels = photo().astype(np.uint16) * 8 if "bitspersample" in options else photo()
    path = tmp_path / "a.jpg"
    path.write_bytes(imagecodecs.jpeg8_encode(pixels, level=95, **options))
    with pytest.raises(UnsupportedFormatError, match=reason):
        open_smear(path)


def test_endless_scans_are_refused(tmp_path: Path, photo: Any, encode: Any) -> None:
    content = encode(photo(), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    path = tmp_path / "a.jpg"
    path.write_bytes(content[:last] + content[last:-2] * 101 + content[-2:])
    with pytest.raises(UnsupportedFormatError, match="more than 100 scans"):
        open_smear(path)


def test_header_of_two_frames_is_damage(photo: Any, encode: Any) -> None:
    content = encode(photo(), "JPEG")
    start = content.index(b"\xff\xc0")
    frame = content[start : start + 19]
    with pytest.raises(UnreadableInputError, match="two frames"):
        read_header(content[:start] + frame + content[start:], "a.jpg")


@pytest.mark.parametrize(
    ("dpi", "expected"), [(96, None), (300, None), (72, None), (60000, 25400 / 60000)], ids=["96", "300", "72", "fine"]
)
def test_print_resolution_is_not_believed(
    dpi: int, expected: float | None, tmp_path: Path, photo: Any, encode: Any
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(photo(), "JPEG", dpi=(dpi, dpi)))
    assert open_smear(path).fields[0].um_per_px == pytest.approx(expected)


def test_exif_resolution_of_a_microscope(tmp_path: Path, photo: Any, encode: Any, exif: Any) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(photo(), "JPEG", exif=exif({282: 100000.0, 283: 100000.0, 296: 3})))
    assert open_smear(path).fields[0].um_per_px == pytest.approx(0.1)
