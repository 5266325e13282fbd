"""Viewer and gallery as one: what is selected or decided in one is in the other, and nothing private is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from IPython.core.formatters import DisplayFormatter
from ipywidgets import Widget

from hemato_lab.export.reading import AbsentSource
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


def test_what_python_decides_in_the_review_shows_everywhere(review: SmearReview) -> None:
    blank = review.to_html()
    review.review.decide([2], "reject")
    assert review.gallery.progress["decided"] == 1
    assert review.viewer.decided[2] == review.gallery.decided[2] == 2
    assert review.to_html() != blank
    review.review.undo()
    assert (review.viewer.decided[2], review.gallery.progress["decided"]) == (0, 0)
    review.review.redo()
    assert review.viewer.decided[2] == 2


def test_what_others_decide_shows_once_it_is_read(review: SmearReview, sampled: Analysis, log: Path) -> None:
    SmearReview(sampled, decisions=log, reader="CD").review.decide([5], "accept")
    assert review.viewer.decided[5] == 0
    review.review.refresh()
    assert review.viewer.decided[5] == 1


def test_a_review_without_images_says_so(review: SmearReview, sampled: Analysis, log: Path) -> None:
    assert review.viewer.hello()["remarks"] == []
    fields = tuple(replace(one, source=AbsentSource(one.width, one.height, one.name)) for one in sampled.smear.fields)
    bare = SmearReview(replace(sampled, smear=replace(sampled.smear, fields=fields)), decisions=log)
    (remark,) = bare.viewer.hello()["remarks"]
    assert remark.startswith("no image is at hand")
    crops = bare.gallery.answer({"kind": "crops", "request": "r", "wanted": [0, 1], "side_px": 96})
    assert (crops.content["crops"], [row for row, _ in crops.content["failed"]]) == ([], [0, 1])
