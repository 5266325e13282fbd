"""Viewer and gallery as one: what is selected or decided in one is in the other, and nothing private is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from IPython.core.formatters import DisplayFormatter
from ipywidgets import Widget

from hemato_lab.widgets.smear_review import SmearReview

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hemato_lab.analysis import Analysis


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


@pytest.fixture
def review(sampled: Analysis, log: Path) -> Iterator[SmearReview]:
    yield SmearReview(sampled, decisions=log, reader="AB")
    Widget.close_all()


def test_selection_goes_both_ways(review: SmearReview) -> None:
    review.viewer.selected = [3, 4]
    assert review.gallery.selected == [3, 4]
    review.gallery.selected = [7]
    assert review.viewer.selected == [7]


def test_decisions_show_in_the_viewer(review: SmearReview) -> None:
    review.gallery.decide([2], "reclassify", "ring trophozoite")
    assert review.viewer.decided == review.gallery.decided
    assert review.viewer.decided[2] == 3
    named = review.viewer.decided_names[4:6]
    assert review.viewer.names[int.from_bytes(named, "little", signed=True)] == "ring trophozoite"
    assert len(review.viewer.colours) == len(review.viewer.names)
    review.gallery.undo()
    assert review.viewer.decided[2] == 0


def test_decisions_survive_and_correct(review: SmearReview, sampled: Analysis, log: Path) -> None:
    review.gallery.decide([0, 1, 2], "reject")
    again = SmearReview(sampled, decisions=log)
    assert again.viewer.decided[:3] == b"\x02\x02\x02"
    assert repr(again) == f"SmearReview({len(sampled.detections)} cells, 3 decided)"
    assert again.decisions.decisions[0].reader == "AB"
    assert len(again.corrected().detections) == len(sampled.detections) - 3
    assert again.analysis is sampled


def test_a_blind_review_shows_no_names_in_either(sampled: Analysis, log: Path, review: SmearReview) -> None:
    review.gallery.decide([0], "reject")
    blind = SmearReview(sampled, decisions=log, reader="CD", blind=True)
    assert blind.review.blind
    assert blind.viewer.cells == blind.gallery.cells
    assert "RBC" not in set(blind.viewer.detections["name"].tolist())
    assert not any(blind.viewer.decided)


def test_a_notebook_keeps_neither_names_nor_pixels(review: SmearReview, sampled: Analysis, log: Path) -> None:
    data, _ = DisplayFormatter().format(review)
    assert set(data) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert sampled.smear.name not in str(data)
    kept = SmearReview(sampled, decisions=log, keep_picture=True)
    assert "image/png" in DisplayFormatter().format(kept)[0]


def test_it_can_be_embedded(review: SmearReview) -> None:
    embedded = review.embed(title="A title")
    framed = embedded._repr_html_()
    assert framed.startswith("<iframe srcdoc=")
    assert "A title" in embedded.page
