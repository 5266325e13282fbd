"""The dashboard, driven as a user would: press, wait, read the line of messages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import pytest
from IPython.core.formatters import DisplayFormatter
from ipywidgets.embed import dependency_state

import hemato_lab as hl
from hemato_lab.errors import ConfigError, DecisionLogError
from hemato_lab.export import write
from hemato_lab.report import RESEARCH_USE_NOTICE, Report
from hemato_lab.resources import shipped
from hemato_lab.widgets import dashboard as dashboard_module
from hemato_lab.widgets.dashboard_parts import FILE, typed_number
from hemato_lab.widgets.unsaved import UnsavedChoice, UnsavedText, _receive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.analysis import Analysis
    from hemato_lab.widgets.dashboard import Dashboard


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    smears = tmp_path / "smears"
    smears.mkdir()
    shutil.copy(shipped("sample_data") / "malaria" / "images" / "field_01.jpg", smears / "field.jpg")
    return smears


@pytest.fixture
def board(folder: Path, sampled: Analysis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    def analyze(smear: Any, *, detector: str, progress: Any) -> Analysis:
        for done in range(3):
            progress(done, 2)
        return sampled

    monkeypatch.setattr(dashboard_module, "analyze", analyze)
    yield hl.app(folder, reader="AB")
    ipywidgets.Widget.close_all()


def pressed(board: Dashboard, button: Any) -> str:
    assert not button.disabled, "the button cannot be pressed"
    button.click()
    assert board.work.wait(60)
    return board.messages.text


def analysed(board: Dashboard) -> Dashboard:
    pressed(board, board.opening.open)
    pressed(board, board.analysing.analyse)
    return board


def test_it_begins_with_a_list_and_only_what_can_be_done(board: Dashboard) -> None:
    assert [label for label, _ in board.opening.choice.options] == ["this folder (1 image)", "field.jpg"]
    assert board.messages.text == "2 to choose from. Choose a smear and open it."
    assert not board.opening.open.disabled
    off = (board.analysing.analyse, board.analysing.cancel, board.comparing.compare, board.exporting.write)
    assert all(button.disabled for button in off)


def test_open_analyse_and_decide(board: Dashboard, sampled: Analysis) -> None:
    assert pressed(board, board.opening.open) == "Opened smears: 1 field."
    assert type(board.shown.children[0]).__name__ == "SmearViewer"
    message = pressed(board, board.analysing.analyse)
    assert message == f"Analysed field_01.jpg: {len(sampled.detections)} candidate cells."
    assert board.analysis is sampled
    assert board.review is board.shown.children[0]
    assert board.review.review.reader == "AB"
    assert board.analysing.progress.layout.visibility == "hidden"
    assert not board.comparing.compare.disabled
    assert not board.exporting.write.disabled


def test_compare_with_another_detector_and_with_a_report(board: Dashboard, sampled: Analysis, tmp_path: Path) -> None:
    analysed(board)
    board.comparing.kind.value = "classical"
    assert board.comparing.path.layout.display == "none"
    assert pressed(board, board.comparing.compare).startswith("Compared this analysis and the classical detector")
    assert type(board.comparing.place.children[0]).__name__ == "ComparisonViewer"
    board.comparing.kind.value = FILE
    assert pressed(board, board.comparing.compare) == ("Its path: no path was typed (name report.json or a folder)")
    report = tmp_path / "report.json"
    report.write_text(sampled.report.to_json(), encoding="utf-8")
    board.comparing.path.value = str(report)
    assert "differs: nothing" in pressed(board, board.comparing.compare)


def test_export_with_the_decisions(board: Dashboard, sampled: Analysis) -> None:
    analysed(board)
    assert board.review is not None
    board.review.gallery.decide([0, 1], "reject")
    board.exporting.format.value = "json"
    path = board.exporting.path.value
    assert pressed(board, board.exporting.write) == f"Wrote {path}"
    written = Report.from_json(Path(path).read_bytes())
    assert written == board.review.corrected().report != sampled.report
    assert "is there already" in pressed(board, board.exporting.write)
    board.exporting.replace.value = True
    board.exporting.corrected.value = False
    assert pressed(board, board.exporting.write) == f"Wrote {path}"
    assert Report.from_json(Path(path).read_bytes()) == sampled.report


def test_results_open_for_review(board: Dashboard, sampled: Analysis, folder: Path) -> None:
    results = folder / "results"
    results.mkdir()
    for name, file_format in (("report.json", "json"), ("cells.csv", "csv")):
        write(sampled, results / name, file_format)
    board.opening.folder.value = str(results)
    assert [label for label, _ in board.opening.choice.options] == ["this folder (results of an analysis)"]
    assert "They hold no pixels" in pressed(board, board.opening.open)
    assert board.review is not None
    assert len(board.review.viewer.detections) == len(sampled.detections)
    assert not board.exporting.write.disabled


def test_cancel_leaves_the_smear_open(board: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(smear: Any, *, detector: str, progress: Any) -> None:
        board.analysing.cancel.click()
        progress(1, 2)
        raise AssertionError("it should have stopped")

    monkeypatch.setattr(dashboard_module, "analyze", endless)
    pressed(board, board.opening.open)
    assert pressed(board, board.analysing.analyse) == "The analysis did not end: stopped"
    assert board.analysis is None
    assert not board.analysing.analyse.disabled
    assert board.analysing.cancel.disabled


def test_what_goes_wrong_is_one_line(board: Dashboard, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board.opening.um_per_px.value = "zero,1"
    assert pressed(board, board.opening.open).startswith("pixel size: 'zero,1' is no number above zero")
    board.opening.um_per_px.value = "9,5"
    assert "impossible for a smear" in pressed(board, board.opening.open)
    board.opening.um_per_px.value = "0,15"
    pressed(board, board.opening.open)
    assert board.smear is not None
    assert board.smear.scale is not None
    assert board.smear.scale.um_per_px == pytest.approx(0.15)
    (folder / "field.jpg").write_bytes(b"no picture")
    assert "\n" not in pressed(board, board.opening.open)
    monkeypatch.setattr(dashboard_module, "open_smear", lambda *_, **__: 1 / 0)
    assert "fault of hemato_lab (ZeroDivisionError" in pressed(board, board.opening.open)
    board.opening.folder.value = str(folder / "absent")
    assert "cannot be looked into" in board.messages.text


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    board = hl.app(tmp_path)
    assert "holds no image, folder of images or results" in board.messages.text
    assert "name another folder or file" in pressed(board, board.opening.open)
    ipywidgets.Widget.close_all()


def test_controls_are_labelled_and_the_notice_is_there(board: Dashboard) -> None:
    def below(widget: Any) -> Iterator[Any]:
        yield widget
        for child in getattr(widget, "children", ()):
            yield from below(child)

    parts = list(below(board))
    inputs = (
        ipywidgets.Text,
        UnsavedText,
        UnsavedChoice,
        ipywidgets.Dropdown,
        ipywidgets.Button,
        ipywidgets.Checkbox,
        ipywidgets.IntProgress,
    )
    assert all(one.description for one in parts if isinstance(one, inputs))
    assert any(RESEARCH_USE_NOTICE in one.value for one in parts if isinstance(one, ipywidgets.HTML))


def test_a_notebook_keeps_no_names_in_its_text(board: Dashboard, folder: Path) -> None:
    data, _ = DisplayFormatter().format(board)
    assert data["text/plain"] == "Dashboard(empty)"
    assert folder.name not in str(data)


def test_the_saved_state_of_its_widgets_holds_no_name(board: Dashboard, folder: Path) -> None:
    analysed(board)
    board.comparing.path.value = str(folder / "another.json")
    pressed(board, board.comparing.compare)
    saved = json.dumps(dependency_state([board]), default=str)
    assert "Analyse" in saved
    for name in (folder.name, str(folder.parent), "field.jpg", "field_01", "another.json"):
        assert name not in saved, name


def test_fields_take_what_is_entered_and_nothing_else() -> None:
    told: list[Any] = []
    text, choice = UnsavedText(value="a"), UnsavedChoice()
    text.send = choice.send = told.append
    choice.offer([("one", 1), ("two", 2)])
    for content in ({"kind": "enter", "value": "b"}, {"kind": "enter", "value": 3}, {"kind": "hello"}, None, []):
        _receive(text, content, [])
    for index in (1, 2, -1, True, "0", None):
        _receive(choice, {"kind": "enter", "index": index}, [])
    assert (text.value, choice.index, choice.value) == ("b", 1, 2)
    assert told[-1] == {"kind": "content", "options": ["one", "two"], "index": 1}
    text.set_state({"description": "other", "value": "c"})
    assert (text.description, text.value) == ("", "b")


def test_without_a_log_the_analysis_is_shown_and_exported(board: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DecisionLogError("is locked", subject="decisions.jsonl")

    monkeypatch.setattr(dashboard_module, "SmearReview", fail)
    pressed(board, board.opening.open)
    message = pressed(board, board.analysing.analyse)
    assert message.startswith("Analysed field_01.jpg")
    assert "nothing can be decided: decisions.jsonl: is locked" in message
    assert type(board.shown.children[0]).__name__ == "SmearViewer"
    board.exporting.format.value = "json"
    assert pressed(board, board.exporting.write).startswith("Wrote")


def test_a_label_that_cannot_be_kept_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="label"):
        hl.app(tmp_path, reader="x" * 500)


@pytest.mark.parametrize(("text", "value"), [("0,12", 0.12), (" 0.12 ", 0.12), ("", None), ("75", 75.0)])
def test_numbers_are_read_with_point_and_comma(text: str, value: float | None) -> None:
    assert typed_number(text, "size") == value


@pytest.mark.parametrize("text", ["-1", "0", "nan", "inf", "1.000,5", "ten"])
def test_other_texts_are_no_numbers(text: str) -> None:
    with pytest.raises(ConfigError, match="is no number above zero"):
        typed_number(text, "size")
