"""What a folder offers is what can be opened, in natural order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hemato_lab.errors import UnreadableInputError
from hemato_lab.resources import shipped
from hemato_lab.widgets import openable
from hemato_lab.widgets.openable import openable_in

if TYPE_CHECKING:
    from pathlib import Path


def offered(place: Path) -> list[tuple[str, str]]:
    return [(one.kind, one.label) for one in openable_in(place)]


def test_sample_data_are_offered() -> None:
    assert ("images", "malaria (3 images)") in offered(shipped("sample_data"))
    assert offered(shipped("sample_data") / "malaria") == [
        ("images", "this folder (3 images)"),
        ("images", "images (3 images)"),
    ]


def test_all_kinds_in_natural_order(tmp_path: Path) -> None:
    for name in ("b10.png", "b2.png", "notes.txt", ".hidden.png", "slides.zip"):
        (tmp_path / name).write_bytes(b"")
    results = tmp_path / "results"
    results.mkdir()
    for name in ("report.json", "cells.csv", "picture.png"):
        (results / name).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert offered(tmp_path) == [
        ("images", "this folder (2 images)"),
        ("images", "b2.png"),
        ("images", "b10.png"),
        ("results", "results (results of an analysis)"),
        ("images", "slides.zip (archive)"),
    ]
    assert offered(results)[0] == ("results", "this folder (results of an analysis)")
    assert offered(tmp_path / "b2.png") == [("images", "b2.png")]


def test_a_full_folder_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openable, "MOST_LISTED", 3)
    for number in range(9):
        (tmp_path / f"{number}.png").write_bytes(b"")
    assert len(openable_in(tmp_path)) == 3


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError, match="No such file"):
        openable_in(tmp_path / "absent")
