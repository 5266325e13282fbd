"""What is uploaded of each kind of source, and the archives that are made of many."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.api import archives
from hemato_lab.api.archives import packed
from hemato_lab.api.files import UploadFile, files_of, suffix_of
from hemato_lab.errors import (
    ArchiveError,
    ConfigError,
    ImageTooLargeError,
    IntegrityError,
    UnreadableInputError,
    UnsupportedFormatError,
)
from hemato_lab.formats import open_smear
from hemato_lab.smear import Field, Smear

JPEG = b"\xff\xd8\xff\xe0 made up"
PIXELS = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)


def picture(file_format: str) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(stream, file_format)
    return stream.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def hash_of(content: bytes) -> str:
    return "sha224-i-" + hashlib.sha224(content).hexdigest()


def pixels_of(file: UploadFile) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(file.load())))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, file_format in {"a.jpg": "JPEG", "b.png": "PNG", "c.tif": "TIFF"}.items():
        (tmp_path / name).write_bytes(picture(file_format))
    return tmp_path


@pytest.mark.parametrize(
    ("content", "suffix", "content_type"),
    [
        (JPEG, ".jpg", "image/jpeg"),
        (picture("PNG"), ".png", "image/png"),
        (zipped({"a.jpg": JPEG}), ".zip", "application/zip"),
    ],
)
def test_bytes_go_as_they_are(content: bytes, suffix: str, content_type: str) -> None:
    (file,) = files_of(content)
    assert (file.suffix, file.content_type) == (suffix, content_type)
    assert (file.file_id, file.size, file.load()) == (hash_of(content), len(content), content)


def test_other_bytes_are_refused() -> None:
    assert suffix_of(b"II*\x00") == ""
    with pytest.raises(UnsupportedFormatError, match="neither JPEG nor PNG nor ZIP"):
        files_of(b"II*\x00 a TIFF")


def test_jpeg_and_png_files_go_byte_for_byte_and_others_as_png(folder: Path) -> None:
    jpeg, png, tiff = files_of([folder / "a.jpg", str(folder / "b.png"), folder / "c.tif"])
    assert [jpeg.load(), png.load()] == [(folder / "a.jpg").read_bytes(), (folder / "b.png").read_bytes()]
    assert jpeg.file_id == hash_of((folder / "a.jpg").read_bytes())
    assert tiff.suffix == ".png"
    np.testing.assert_array_equal(pixels_of(tiff), PIXELS)
    assert tiff.file_id == hash_of(tiff.load())
    assert [one.known_as for one in (jpeg, png, tiff)] == [one.file_id for one in open_smear(folder).fields]


def test_a_smear_a_folder_and_its_fields_are_the_same_files(folder: Path) -> None:
    smear = open_smear(folder)
    expected = files_of(smear)
    assert len(expected) == 3
    assert files_of(folder) == expected
    assert files_of(list(smear.fields)) == expected
    assert expected[0].file_id == smear.fields[0].file_id, "the hash of a report's file ids"


def test_pictures_and_arrays_go_as_png_without_loss() -> None:
    for source in (PIXELS, PIL.Image.fromarray(PIXELS), [PIXELS]):
        (file,) = files_of(source)
        assert file.suffix == ".png"
        np.testing.assert_array_equal(pixels_of(file), PIXELS)
        assert file.file_id == hash_of(file.load())


def test_an_archive_is_known_by_its_images(tmp_path: Path) -> None:
    content = zipped({"notes.txt": b"no image", "a.jpg": JPEG, "deep/b.png": picture("PNG")})
    (tmp_path / "smear.zip").write_bytes(content)
    for source in (content, tmp_path / "smear.zip"):
        (file,) = files_of(source)
        assert (file.load(), file.file_id) == (content, hash_of(content))
        assert [one.file_id for one in file.images] == [hash_of(JPEG), hash_of(picture("PNG"))]
        assert [one.load() for one in file.members] == [JPEG, picture("PNG")]


def test_a_hostile_archive_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ArchiveError):
        files_of(zipped({"../a.jpg": JPEG}))


def test_each_content_goes_once_in_order() -> None:
    other = JPEG + b"!"
    assert [file.load() for file in files_of([JPEG, other, JPEG])] == [JPEG, other]
    assert files_of(files_of([JPEG, other])) == files_of([JPEG, other])


@pytest.mark.parametrize("source", [[], ()])
def test_nothing_is_refused(source: object) -> None:
    with pytest.raises(ConfigError, match="nothing to upload"):
        files_of(source)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it is a float"):
        files_of(3.5)
    with pytest.raises(UnreadableInputError, match="does not exist"):
        files_of(tmp_path / "missing.jpg")


def test_a_file_that_changed_since_it_was_hashed_is_not_sent(folder: Path) -> None:
    (file,) = files_of(folder / "a.jpg")
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff" + bytes(file.size - 3))
    with pytest.raises(IntegrityError, match=r"a\.jpg.*no longer those of sha224"):
        file.load()


def test_a_slide_is_too_large_for_one_upload() -> None:
    class Slide:
        width, height = 100_000, 100_000

    smear = Smear("slide", (Field("slide.tif", Slide(), "sha224-i-0"),))  # type: ignore[arg-type]
    with pytest.raises(ImageTooLargeError, match=r"10000 megapixels.*regions"):
        files_of(smear)


def jpegs(*sizes: int) -> tuple[UploadFile, ...]:
    return files_of([JPEG + bytes([number]) * size for number, size in enumerate(sizes)])


def test_files_below_the_size_stay_as_they_are() -> None:
    files = jpegs(10, 20)
    assert packed(files, sum(file.size for file in files)) == files
    assert packed(files[:1], 0) == files[:1]


def test_an_archive_holds_the_files_byte_for_byte_under_their_hashes() -> None:
    files = jpegs(10, 20, 30)
    (archive,) = packed(files, 5)
    assert (archive.suffix, archive.members) == (".zip", files)
    assert archive.file_id == hash_of(archive.load())
    with zipfile.ZipFile(io.BytesIO(archive.load())) as opened:
        assert opened.testzip() is None
        ids = [file.file_id for file in files]
        assert [hash_of(opened.read(name)) for name in opened.namelist()] == ids
        assert [f"sha224-i-{Path(name).stem}" for name in opened.namelist()] == ids


def test_archives_are_made_alike_each_time() -> None:
    assert packed(jpegs(10, 20), 0)[0].file_id == packed(jpegs(10, 20), 0)[0].file_id


def test_an_archive_is_not_packed_again() -> None:
    given_archive = files_of(zipped({"a.jpg": JPEG}))
    made = packed((*jpegs(10, 20), *given_archive), 0)
    assert [file.suffix for file in made] == [".zip", ".zip"]
    assert made[1] == given_archive[0]


@given(st.lists(st.integers(0, 70), min_size=2, max_size=12))
def test_no_archive_is_larger_than_it_may_be_and_no_file_is_left_out(sizes: list[int]) -> None:
    files = jpegs(*sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "LARGEST_ARCHIVE", 100)
        made = packed(files, 0)
    assert [one for file in made for one in (file.members or (file,))] == list(files)
    for file in made:
        assert sum(one.size for one in file.members) <= 100
