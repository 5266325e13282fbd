"""`view` finds the widget that fits, and says what is missing where none does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from ipywidgets import Widget

import hemato_lab as hl
from hemato_lab.comparison import compare
from hemato_lab.errors import ConfigError, HematoError
from hemato_lab.evaluation.dataset import read_dataset
from hemato_lab.export import write
from hemato_lab.report import HeatMapEntry, MorphologicalFinding
from hemato_lab.resources import shipped
from tests.comparison.conftest import analysis, with_file_ids  # noqa: F401 (a fixture)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hemato_lab.analysis import Analysis


@pytest.fixture(autouse=True)
def closed_afterwards() -> Iterator[None]:
    yield
    Widget.close_all()


@pytest.fixture
def one(analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Analysis:  # noqa: F811
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return with_file_ids(analysis)


def kind(shown: Any) -> str:
    return type(shown).__name__


def test_a_smear_is_shown_in_a_viewer(one: Analysis) -> None:
    shown = hl.view(one.smear)
    assert kind(shown) == "SmearViewer"
    assert len(shown.detections) == 0


def test_an_analysis_is_shown_for_review(one: Analysis, tmp_path: Path) -> None:
    shown = hl.view(one, decisions=tmp_path / "decisions.jsonl", reader="A")
    assert kind(shown) == "SmearReview"
    shown.gallery.decide([0], "accept")
    assert (tmp_path / "decisions.jsonl").stat().st_size
    assert shown.decisions.decisions[0].reader == "A"


def test_a_comparison_is_shown_side_by_side(one: Analysis) -> None:
    assert kind(hl.view(compare(one, one, labels=("a", "b")))) == "ComparisonViewer"


def test_a_report_needs_its_images(one: Analysis, tmp_path: Path) -> None:
    entries = (HeatMapEntry.at(70, 80, 20, file_id="file-1"),)
    report = replace(one.report, morphological_findings={"blast": MorphologicalFinding.of(entries)})
    with pytest.raises(ConfigError, match="holds no pixels"):
        hl.view(report)
    shown = hl.view(report, smear=one.smear)
    assert kind(shown) == "SmearViewer"
    assert shown.detections["x"].tolist() == [70]
    path = tmp_path / "remote.json"
    path.write_text(report.to_json(), encoding="utf-8")
    assert hl.view(path, smear=one.smear).detections == shown.detections


def test_annotations_are_drawn_on_their_images() -> None:
    folder = shipped("sample_data") / "malaria"
    dataset = read_dataset(folder)
    marked = sum(len(image.truth) for image in dataset.images)
    for shown in (hl.view(folder), hl.view(folder / "annotations.json"), hl.view(dataset)):
        assert kind(shown) == "SmearViewer"
        assert len(shown.smear) == len(dataset.images)
        assert 0 < len(shown.detections) <= marked


def test_a_path_of_images_is_opened() -> None:
    shown = hl.view(shipped("sample_data") / "malaria" / "images" / "field_01.jpg")
    assert kind(shown) == "SmearViewer"
    assert len(shown.smear) == 1


def test_results_are_opened_for_review(sampled: Analysis, tmp_path: Path) -> None:
    for name, file_format in (("report.json", "json"), ("cells.csv", "csv")):
        write(sampled, tmp_path / name, file_format)
    shown = hl.view(tmp_path, smear=sampled.smear, decisions=tmp_path / "log.jsonl")
    assert kind(shown) == "SmearReview"
    assert len(shown.viewer.detections) == len(sampled.detections)


@pytest.mark.parametrize(
    ("given", "problem"), [(3, "a int cannot be shown"), (None, "a NoneType cannot be shown"), ([], "a list cannot be")]
)
def test_what_cannot_be_shown_is_said(given: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        hl.view(given)


def test_decisions_need_an_analysis(one: Analysis, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="decisions cannot be made on a Smear"):
        hl.view(one.smear, reader="A")
    with pytest.raises(ConfigError, match="decisions are made on the cells of an analysis"):
        hl.view(tmp_path, decisions=tmp_path / "log.jsonl")
    with pytest.raises(HematoError, match="holds no image"):
        hl.view(tmp_path)


def test_a_second_reading_can_be_asked_for(one: Analysis, tmp_path: Path) -> None:
    shown: Any = hl.view(one, decisions=tmp_path / "decisions.jsonl", reader="B", blind=True)
    assert shown.review.blind
    assert set(shown.viewer.detections["name"].tolist()) == {"cell"}
    with pytest.raises(ConfigError, match="decisions cannot be made on a Smear"):
        hl.view(one.smear, blind=True)
