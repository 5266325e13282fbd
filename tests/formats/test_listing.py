from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.errors import ConfigError
from hemato_lab.formats.listing import images_in_folder, is_folder, listed_files, natural_order


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names_in(folder: Path) -> list[str]:
    return [name for _, name in images_in_folder(folder, "folder")]


def test_natural_order() -> None:
    ordered = ["1.jpg", "02.jpg", "2.jpg", "10.jpg", "img2.png", "IMG10.png", "img10a.png", "img11.png", "\u0661.png"]
    assert sorted(ordered[4:] + ordered[:4], key=natural_order) == ordered


@given(st.lists(st.text(max_size=20)))
def test_any_names_can_be_ordered_and_the_order_is_total(names: list[str]) -> None:
    once = sorted(names, key=natural_order)
    assert sorted(names[1:] + names[:1], key=natural_order) == once


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_numbers_are_ordered_as_numbers(numbers: list[int]) -> None:
    names = [f"img{number}.jpg" for number in numbers]
    assert sorted(names, key=natural_order) == [f"img{number}.jpg" for number in sorted(numbers)]


def test_images_directly_in_the_folder(tmp_path: Path) -> None:
    touch(tmp_path, "b10.jpg", "b9.JPG", "notes.txt", ".hidden.png", "._b9.jpg", "deeper/c.jpg", "archive.zip")
    (tmp_path / "folder.png").mkdir()
    assert names_in(tmp_path) == ["b9.JPG", "b10.jpg"]


def test_data_set_folder(tmp_path: Path) -> None:
    touch(tmp_path, "images/2.jpg", "images/10.jpg", "images/1.jpg", "annotations.json", "preview.png")
    assert images_in_folder(tmp_path, "x")[0] == (tmp_path / "images" / "1.jpg", "images/1.jpg")
    assert names_in(tmp_path) == ["images/1.jpg", "images/2.jpg", "images/10.jpg"]


def test_images_folder_without_annotations(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "readme.md")
    assert names_in(tmp_path) == ["images/a.jpg"]
    touch(tmp_path, "own.jpg")
    assert names_in(tmp_path) == ["own.jpg"]


def test_circular_links_do_no_harm(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "images").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    (tmp_path / "up.jpg").symlink_to(tmp_path, target_is_directory=True)
    assert names_in(tmp_path) == ["a.jpg", "self.jpg"]
    assert not is_folder(tmp_path / "self.jpg")
    assert not is_folder(Path("nul\0"))


def test_listed_files_are_named_and_ordered(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("x/b10.jpg", "y/b9.jpg")]
    assert listed_files(paths) == [(paths[1], "b9.jpg"), (paths[0], "b10.jpg")]
    same = [tmp_path / "y" / "a.jpg", str(tmp_path / "x" / "a.jpg")]
    assert [name for _, name in listed_files(same)] == ["x/a.jpg", "y/a.jpg"]


def test_a_file_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"a\.jpg: is listed twice"):
        listed_files(["a.jpg", tmp_path / "a.jpg", os.fspath(tmp_path / "b.jpg")])


def test_only_paths_are_listed() -> None:
    with pytest.raises(ConfigError, match="holds a int"):
        listed_files(["a.jpg", 3])  # type: ignore[list-item]
