from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from hemato_lab.errors import (
    ConfigError,
    FormatMismatchError,
    HematoError,
    ImageTooLargeError,
    NoImagesError,
    ScaleNotCredibleError,
    UnreadableInputError,
)
from hemato_lab.formats import open_smear
from hemato_lab.formats.caching import WHOLE_IMAGES
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, photo: Any, encode: Any) -> Path:
    path = tmp_path / "smear 7"
    path.mkdir()
    for number in (1, 2, 10):
        (path / f"img{number}.png").write_bytes(encode(photo(seed=number), "PNG"))
    return path


def test_folder(folder: Path, photo: Any) -> None:
    smear = open_smear(folder)
    assert smear.name == "smear 7"
    assert [field.name for field in smear.fields] == ["img1.png", "img2.png", "img10.png"]
    assert smear.skipped == ()
    assert smear.scale is None
    for field, seed in zip(smear.fields, (1, 2, 10), strict=True):
        np.testing.assert_array_equal(field.read(), photo(seed=seed))


def test_folder_opened_from_within(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(folder)
    smear = open_smear(".")
    assert smear.name == "smear 7"
    monkeypatch.chdir(tmp_path)
    assert smear.fields[0].read().shape == (40, 56, 3)


def test_single_file(folder: Path) -> None:
    smear = open_smear(str(folder / "img1.png"), name="patient-free name", tags={"stain": "MGG"})
    assert (smear.name, smear.fields[0].name, smear.tags) == ("patient-free name", "img1.png", {"stain": "MGG"})


def test_list_in_any_order_is_the_same_smear(folder: Path) -> None:
    paths = [folder / f"img{number}.png" for number in (10, 1, 2)]
    one, other = open_smear(paths), open_smear(tuple(str(path) for path in paths[::-1]))
    assert [field.file_id for field in one.fields] == [field.file_id for field in other.fields]
    assert [field.name for field in one.fields] == ["img1.png", "img2.png", "img10.png"]
    assert one.name == "smear 7"


def test_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(NoImagesError, match="the folder holds no image") as caught:
        open_smear(tmp_path)
    assert caught.value.subject == str(tmp_path)
    with pytest.raises(NoImagesError):
        open_smear([])


BAD: dict[str, tuple[str, bytes | None, type[HematoError]]] = {
    "missing": ("missing.png", None, UnreadableInputError),
    "empty": ("empty.png", b"", UnreadableInputError),
    "text": ("text.jpg", b"this is text, not a picture", FormatMismatchError),
    "PNG named JPEG": ("other.jpg", b"\x89PNG\r\n\x1a\n" + bytes(100), FormatMismatchError),
    "cut PNG": ("cut.png", b"\x89PNG\r\n\x1a\n", UnreadableInputError),
    "bomb": (
        "bomb.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x75\x30\0\0\x75\x30\x08\2\0\0\0" + bytes(20),
        ImageTooLargeError,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_single_bad_file_raises_its_own_error(kind: str, tmp_path: Path) -> None:
    name, content, error = BAD[kind]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    for source in (path, [path]):
        with pytest.raises(error) as caught:
            open_smear(source)
        assert type(caught.value) is error
        assert caught.value.subject == str(path)
        assert "\n" not in str(caught.value)
        assert caught.value.hint


def test_bad_files_do_not_cost_the_good_ones(folder: Path) -> None:
    for name, content, _ in BAD.values():
        if content is not None:
            (folder / name).write_bytes(content)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "gone.png").symlink_to(folder / "never was")
    smear = open_smear(folder)
    assert [field.name for field in smear.fields] == ["img1.png", "img2.png", "img10.png"]
    assert {one.name: one.code for one in smear.skipped} == {
        "bomb.png": "image-too-large",
        "cut.png": "unreadable",
        "empty.png": "unreadable",
        "gone.png": "unreadable",
        "loop.png": "unreadable",
        "other.jpg": "format-mismatch",
        "text.jpg": "format-mismatch",
    }
    assert all(one.reason.startswith(f"{one.name}: ") for one in smear.skipped)


def test_missing_file_in_a_list(folder: Path) -> None:
    smear = open_smear([folder / "img1.png", folder / "missing.png"])
    assert [one.reason for one in smear.skipped] == ["missing.png: does not exist (check the path)"]


def test_only_bad_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"text")
    with pytest.raises(NoImagesError, match=r"none of 2 images can be read; the first: a\.png: is empty") as caught:
        open_smear(tmp_path)
    assert str(caught.value).count("(copy it again from its source)") == 1
    assert str(caught.value).endswith("(copy it again from its source)")


def test_the_only_image_of_a_folder_or_archive_has_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UnreadableInputError, match="is empty") as caught:
        open_smear(tmp_path)
    assert caught.value.subject == str(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b.png", b"text")
    with pytest.raises(FormatMismatchError, match=r"^b\.png: is named like a PNG file"):
        open_smear(tmp_path / "a.zip")


def test_a_copy_is_set_aside(folder: Path, photo: Any) -> None:
    (folder / "img3.png").write_bytes((folder / "img2.png").read_bytes())
    (folder / "other name.png").write_bytes((folder / "img2.png").read_bytes())
    smear = open_smear(folder)
    assert [field.name for field in smear.fields] == ["img1.png", "img2.png", "img10.png"]
    assert [(one.name, one.code, one.reason) for one in smear.skipped] == [
        ("img3.png", "copy", "img3.png: same image as img2.png"),
        ("other name.png", "copy", "other name.png: same image as img2.png"),
    ]
    np.testing.assert_array_equal(smear.fields[1].read(), photo(seed=2))


def test_the_pages_of_one_file_are_no_copies_of_each_other(tmp_path: Path, photo: Any) -> None:
    pages = np.stack([photo(seed=1), photo(seed=1), photo(seed=2)])
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb")
    (tmp_path / "b.tif").write_bytes((tmp_path / "a.tif").read_bytes())
    smear = open_smear(tmp_path)
    assert len(smear) == 3
    assert [one.reason for one in smear.skipped] == ["b.tif: same image as a.tif"]


def test_copies_are_found_in_an_archive_beside_files(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(folder / "img1.png", "packed.png")
        archive.write(folder / "img10.png", "another.png")
    smear = open_smear([folder / "img1.png", tmp_path / "z.zip"])
    assert [field.name for field in smear.fields] == ["img1.png", "another.png"]
    assert [one.reason for one in smear.skipped] == ["packed.png: same image as img1.png"]


def test_a_folder_comes_alone(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for paths in ([folder, other], [folder / "img1.png", folder]):
        with pytest.raises(ConfigError, match="a folder must come alone") as caught:
            open_smear(paths)
        assert caught.value.subject == str(folder)
    assert len(open_smear([folder])) == 3


def test_an_empty_path_is_not_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for source in ("", [""]):
        with pytest.raises(UnreadableInputError, match="the path is empty"):
            open_smear(source)


def test_a_bad_archive_is_to_be_packed_again(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"this is text, not an archive")
    with pytest.raises(FormatMismatchError, match="plain text") as caught:
        open_smear(tmp_path / "bad.zip")
    assert caught.value.hint == "pack the images again, or give their folder"


@pytest.mark.parametrize("path", ["no/such/folder", "nul\0byte", "x" * 5000, "/dev/null"])
def test_impossible_paths(path: str) -> None:
    with pytest.raises(UnreadableInputError):
        open_smear(path)


@pytest.mark.parametrize("source", [None, 3, b"bytes.png", 1.5, {"a": 1}, object()])
def test_impossible_sources(source: Any) -> None:
    with pytest.raises(ConfigError):
        open_smear(source)


def test_array(photo: Any) -> None:
    pixels = photo()
    smear = open_smear(pixels)
    (field,) = smear.fields
    assert (smear.name, field.name, field.um_per_px) == ("array", "array", None)
    expected = hashlib.sha224(b"40 x 56 x 3 uint8\n" + pixels.tobytes()).hexdigest()
    assert field.file_id == f"sha224-i-{expected}"
    original = pixels.copy()
    pixels[:] = 0
    np.testing.assert_array_equal(field.read(), original)
    np.testing.assert_array_equal(field.read(Window(3, 4, 20, 30)), original[4:30, 3:20])


def test_arrays_keep_their_order_and_shape_counts(photo: Any) -> None:
    pixels = photo()
    smear = open_smear([pixels, pixels[::-1], pixels.reshape(56, 40, 3), pixels])
    assert [field.name for field in smear.fields] == ["array 1", "array 2", "array 3", "array 4"]
    ids = [field.file_id for field in smear.fields]
    assert ids[0] == ids[3]
    assert len(set(ids)) == 3
    np.testing.assert_array_equal(smear.fields[1].read(), pixels[::-1])


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
    ids=["grey", "four channels", "float", "empty"],
)
def test_wrong_arrays(wrong: np.ndarray) -> None:
    with pytest.raises(ConfigError):
        open_smear(wrong)


def test_arrays_and_paths_are_not_mixed(photo: Any) -> None:
    with pytest.raises(ConfigError, match="holds a ndarray"):
        open_smear(["a.png", photo()])


def test_stated_scale(photo: Any) -> None:
    by_pixel = open_smear(photo(), um_per_px=0.1).scale
    by_cell = open_smear(photo(), rbc_diameter_px=75).scale
    assert by_pixel is not None
    assert by_cell is not None
    assert (by_pixel.um_per_px, by_pixel.rbc_diameter_px, by_pixel.origin) == (0.1, pytest.approx(75), "stated um/px")
    assert by_cell.um_per_px == pytest.approx(0.1)
    assert by_cell.origin == "stated red-cell diameter"


@pytest.mark.parametrize("diameter", [66, 75, 88])
def test_of_two_stated_scales_the_pixel_size_counts(diameter: float, photo: Any) -> None:
    scale = open_smear(photo(), um_per_px=0.1, rbc_diameter_px=diameter).scale
    assert scale is not None
    assert scale.origin == "stated um/px"
    assert scale.um_per_px == 0.1


@pytest.mark.parametrize("diameter", [65, 89])
def test_two_stated_scales_must_agree_within_15_percent(diameter: float, photo: Any) -> None:
    """DOMAIN.md 2.3; 7.5 um / 0.1 um = 75 pixels."""
    with pytest.raises(ScaleNotCredibleError, match=f"75 pixels wide, but rbc_diameter_px {diameter} is stated"):
        open_smear(photo(), um_per_px=0.1, rbc_diameter_px=diameter)


@pytest.mark.parametrize("value", [0, -1, 0.001, 3, float("nan"), float("inf")])
def test_impossible_scales(value: float, photo: Any) -> None:
    with pytest.raises(ScaleNotCredibleError, match=f"um_per_px {value:g} is impossible .*state 0.02 to 0.5"):
        open_smear(photo(), um_per_px=value)
    with pytest.raises(ScaleNotCredibleError, match=f"rbc_diameter_px {value:g} is impossible .*state 15 to 375"):
        open_smear(photo(), rbc_diameter_px=value)


@pytest.mark.parametrize(("um_per_px", "diameter"), [(0.02, 375), (0.5, 15)])
def test_scales_on_the_limits_are_possible(um_per_px: float, diameter: float, photo: Any) -> None:
    for scale in (
        open_smear(photo(), um_per_px=um_per_px).scale,
        open_smear(photo(), rbc_diameter_px=diameter).scale,
    ):
        assert scale is not None
        assert scale.um_per_px == pytest.approx(um_per_px)


def test_scale_and_tags_of_the_wrong_kind(photo: Any) -> None:
    with pytest.raises(ConfigError, match="um_per_px is a number"):
        open_smear(photo(), um_per_px="0.1")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="pairs of text"):
        open_smear(photo(), tags={"slide": 7})  # type: ignore[dict-item]


def test_many_images_do_not_stay_in_memory(
    tmp_path: Path, photo: Any, encode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WHOLE_IMAGES, "capacity_bytes", 3 * 40 * 56 * 3)
    for seed in range(12):
        (tmp_path / f"{seed}.jpg").write_bytes(encode(photo(seed=seed), "JPEG"))
    smear = open_smear(tmp_path)
    assert WHOLE_IMAGES.held_bytes == 3 * 40 * 56 * 3
    first = [field.read().tobytes() for field in smear.fields]
    assert WHOLE_IMAGES.held_bytes == 3 * 40 * 56 * 3
    assert [field.read().tobytes() for field in smear.fields] == first
    assert len(set(first)) == 12


def test_a_folder_of_folders_with_images_names_some(tmp_path: Path) -> None:
    for name in ("film10", "film2", "film3", "film4", "empty", ".hidden"):
        (tmp_path / name / "images").mkdir(parents=True)
        if name != "empty":
            (tmp_path / name / "images" / "a.png").write_bytes(b"")
    with pytest.raises(NoImagesError) as caught:
        open_smear(tmp_path)
    named = ", ".join(str(tmp_path / name) for name in ("film2", "film3", "film4"))
    assert str(caught.value.hint).endswith(f"such as {named}")
