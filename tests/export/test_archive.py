from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab import export
from hemato_lab.export.archive import stems, zipped
from hemato_lab.report import RESEARCH_USE_NOTICE
from tests.export.conftest import HOSTILE_NAMES

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis

ARCHIVES = ("geojson", "yolo", "voc", "dicom")
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}


@given(st.lists(st.text(max_size=30) | st.sampled_from(HOSTILE_NAMES), max_size=8))
def test_every_name_becomes_a_file_of_its_own_in_any_file_system(names: list[str]):
    made = stems(names)
    assert len(made) == len(names) == len({stem.casefold() for stem in made})
    for stem in made:
        assert stem
        assert len(stem.encode("utf-8")) < 250
        assert PurePosixPath(stem).name == PureWindowsPath(stem).name == stem
        assert stem.partition(".")[0].rstrip(" ").upper() not in DEVICES
        assert stem not in {".", ".."}
        assert not stem.startswith(("-", " ", "."))
        assert stem.isprintable()


def test_usual_names_pair_with_their_images():
    assert stems(["images/field_01.jpg", "images/field_02.jpg"]) == ("field_01", "field_02")
    assert stems(["IMG 0001 (2).JPG", "a.b.tiff"]) == ("IMG 0001 (2)", "a.b")
    assert stems(["case 1.5", "case 1.6.TIF", "a.ome.tif"]) == ("case 1.5", "case 1.6", "a.ome")
    assert stems(["a/x.png", "b/x.png"]) == ("a_x", "b_x")
    assert stems(["x.png", "x.jpg", "X.tif"]) == ("x", "x-2", "X-3")


def test_the_notice_comes_first_and_no_time_is_told():
    content = zipped([("a/b.txt", b"1"), ("c.png", b"2" * 100)])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["NOTICE.txt", "a/b.txt", "c.png"]
        assert archive.read("NOTICE.txt").decode() == f"{RESEARCH_USE_NOTICE}\n"
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.getinfo("c.png").compress_type == zipfile.ZIP_STORED
    assert content == zipped([("a/b.txt", b"1"), ("c.png", b"2" * 100)])


@pytest.mark.parametrize("file_format", ARCHIVES)
def test_no_file_leaves_its_folder(tmp_path: Path, hostile_names: Analysis, file_format: str):
    content = export.render(hostile_names, file_format)
    inside = tmp_path / "inside"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        for name in names:
            assert ".." not in PurePosixPath(name).parts
            assert not PurePosixPath(name).is_absolute()
            assert "\\" not in name
            assert len(PurePosixPath(name).parts) <= 2
        archive.extractall(inside)
        index = json.loads(archive.read("fields.json"))
    assert len(set(names)) == len(names) >= len(HOSTILE_NAMES)
    assert {path.name for path in tmp_path.iterdir()} == {"inside"}
    assert [one["cells"] for one in index["fields"]] == [1, 0] * 6
    named = {} if file_format == "dicom" else {"field": HOSTILE_NAMES[3]}
    assert {key: value for key, value in index["fields"][3].items() if key == "field"} == named
    assert len({one["file"] for one in index["fields"]}) == len(HOSTILE_NAMES)
