"""The gallery's Python half: what a browser is told, what it may ask, and that decisions are kept."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import traitlets
from PIL import Image

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE, Report
from hemato_lab.review import DecisionLog, Review
from hemato_lab.smear import ArraySource, Field, Smear
from hemato_lab.vocabulary import TERMS
from hemato_lab.widgets.cell_gallery import CellGallery
from hemato_lab.widgets.choices import DEFAULT_CHOICES, RESERVED, checked_choices
from hemato_lab.widgets.gallery_files import FORMATS
from tests.analysed import HOSTILE, hostile_analysis  # noqa: F401 (a fixture)

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.analysis import Analysis


@pytest.fixture
def gallery(sampled: Analysis, tmp_path: Path) -> CellGallery:
    return CellGallery(sampled, tmp_path / "d.jsonl", reader="AB")


def ask(gallery: CellGallery, kind: str, **fields: Any) -> dict[str, Any]:
    answer = gallery.answer({"kind": kind, "request": "r1", **fields})
    assert answer.content["request"] == "r1"
    return answer.content


def decided_names(gallery: CellGallery) -> list[int]:
    return np.frombuffer(gallery.decided_names, "<i2").tolist()


def test_a_browsers_decisions_are_on_the_disk_when_it_is_told_so(gallery: CellGallery):
    said = ask(gallery, "decide", action="reclassify", rows=[2, 5], name="target cell")
    assert (said["kind"], said["done"], said["said"]) == ("decide", 2, "2 cells renamed as target cell")
    assert len(DecisionLog.of_smear(gallery.smear, gallery.review.log.path)) == 2
    assert np.frombuffer(gallery.decided, np.uint8)[[1, 2, 5]].tolist() == [0, 3, 3]
    assert gallery.names[decided_names(gallery)[2]] == "target cell"
    assert decided_names(gallery)[1] == -1
    assert ask(gallery, "decide", action="accept", rows=[1])["said"] == "1 cell accepted"
    assert ask(gallery, "decide", action="accept", rows=[1])["done"] == 0
    assert ask(gallery, "undo")["rows"] == [1]
    assert ask(gallery, "undo")["said"] == "decisions on 2 cells taken back"
    assert ask(gallery, "undo")["done"] == 0
    assert ask(gallery, "redo")["done"] == 2
    assert gallery.progress == {
        "cells": len(gallery.detections),
        "decided": 2,
        "accepted": 0,
        "rejected": 0,
        "renamed": 2,
        "unattached": 0,
    }
    assert {one.reader for one in gallery.review.log.decisions} == {"AB"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "accept", "rows": [10_000_000]},
        {"action": "accept", "rows": [99_999]},
        {"action": "accept", "rows": "all"},
        {"action": "accept", "rows": [1.5]},
        {"action": "execute", "rows": [1]},
        {"action": "reclassify", "rows": [1], "name": "<img src=x onerror=alert(1)>"},
        {"action": "reclassify", "rows": [1]},
    ],
)
def test_impossible_decisions_are_answered_with_a_problem(gallery: CellGallery, wrong: dict[str, Any]):
    assert ask(gallery, "decide", **wrong)["kind"] == "problem"
    assert len(gallery.review.log) == 0
    assert not any(gallery.decided)


def test_a_log_that_cannot_be_written_is_told_and_nothing_is_shown_as_decided(gallery: CellGallery):
    gallery.review.log.path.mkdir()
    answer = ask(gallery, "decide", action="reject", rows=[1])
    assert answer["kind"] == "problem"
    assert "decisions=" in answer["text"]
    assert not any(gallery.decided)


def test_decisions_of_another_window_come_with_the_next_hello(gallery: CellGallery, sampled: Analysis):
    other = CellGallery(sampled, gallery.review.log.path)
    other.decide([3], "reject")
    assert gallery.progress["decided"] == 0
    hello = ask(gallery, "hello")
    assert gallery.progress["decided"] == 1
    assert (hello["can_decide"], hello["reader"], hello["notice"]) == (True, "AB", RESEARCH_USE_NOTICE)
    chosen = {name for _, name in gallery.choices}
    assert set(hello["other_names"]) | chosen == {name for name, term in TERMS.items() if term.kind == "cell"}
    assert not set(hello["other_names"]) & chosen


def test_the_names_of_the_table_keep_their_places_when_others_are_given(gallery: CellGallery, sampled: Analysis):
    before = list(gallery.names)
    own = np.unique(sampled.detections["name"])
    assert set(before[: len(own)]) == set(own)
    gallery.decide([0], "reclassify", "plasma cell")
    assert gallery.names[: len(before)] == before
    assert gallery.names[decided_names(gallery)[0]] == "plasma cell"
    assert len(gallery.colours) == len(gallery.names)


def test_saved_state_holds_neither_names_of_files_nor_pixels_nor_readers(sampled: Analysis, tmp_path: Path):
    gallery = CellGallery(sampled, tmp_path / "d.jsonl", reader="Secret Reader", title="Secret Title")
    gallery.decide([0], "reject")
    state = {name: value for name, value in gallery.get_state().items() if name not in {"_esm", "_css"}}
    told = json.dumps(state, default=lambda value: bytes(value).hex() if isinstance(value, bytes) else str(value))
    for secret in ("Secret", "field_01", sampled.smear.name, str(tmp_path), sampled.smear.fields[0].file_id):
        assert secret not in told
    assert "image/png" not in gallery._repr_mimebundle_()[0]


@pytest.mark.parametrize("file_format", [one for one in FORMATS if one != "pdf"])
def test_every_file_can_be_saved(gallery: CellGallery, file_format: str):
    gallery.decide([0, 1], "reject")
    gallery.decide([2], "reclassify", "target cell")
    answer = gallery.answer({"kind": "export", "request": "r", "format": file_format})
    assert answer.content["done"] == 1
    assert "malaria" not in answer.content["name"]
    (content,) = answer.buffers
    cells = len(gallery.detections)
    if file_format == "json":
        assert Report.from_json(content).extension["review"]["decisions"]["counts"]["rejected"] == 2
    elif file_format == "csv":
        assert content.count(b"\n") == cells - 2 + 1
    elif file_format == "decisions":
        assert DecisionLog.of_smear(gallery.smear, gallery.review.log.path.with_name("copy")).take_in(content) == 3
    elif file_format == "training":
        assert len(json.loads(content)["negatives"]) == 2
    else:
        assert content


def test_a_file_that_does_not_exist_is_a_problem(gallery: CellGallery):
    assert ask(gallery, "export", format="../../etc/passwd")["kind"] == "problem"
    assert ask(gallery, "tiles", wanted=[])["kind"] == "problem"


def test_a_blind_reading_tells_no_browser_what_was_found(sampled: Analysis, tmp_path: Path):
    CellGallery(sampled, tmp_path / "d.jsonl", reader="first").decide([1], "reject")
    blind = CellGallery(sampled, tmp_path / "d.jsonl", reader="second", blind=True)
    assert blind.blind
    table = np.frombuffer(blind.cells, "<f4").reshape(-1, 9)
    assert (table[:, 5] == 0).all()
    assert blind.names[0] == "cell"
    assert np.isnan(table[:, 3]).all()
    assert np.isnan(np.frombuffer(blind.confidence, "<f4")).all()
    assert not any(blind.decided)
    labels = [label for label, _ in ask(blind, "card", row=1)["lines"]]
    assert not {"candidate", "score", "decision", "circularity"} & set(labels)
    assert ask(blind, "decide", action="accept", rows=[1])["kind"] == "problem"
    assert ask(blind, "decide", action="reclassify", rows=[1], name="RBC")["done"] == 1
    assert [
        line if label != "decision" else line.partition(",")[0]
        for label, line in ask(blind, "card", row=1)["lines"]
        if label == "decision"
        for line in (label, line)
    ] == ["decision", "renamed as RBC by second"]


def test_a_blind_reader_gets_no_file_that_says_what_others_found(sampled: Analysis, tmp_path: Path):
    CellGallery(sampled, tmp_path / "d.jsonl", reader="first").decide([1, 2], "reclassify", "target cell")
    blind = CellGallery(sampled, tmp_path / "d.jsonl", reader="second", blind=True)
    blind.decide([3], "reclassify", "blast")
    blind.decide([4], "reject")
    blind.undo()
    assert [key for key, _ in ask(blind, "hello")["formats"]] == ["decisions"]
    for file_format in FORMATS.keys() - {"decisions"}:
        refused = ask(blind, "export", format=file_format)
        assert (refused["kind"], "blind" in refused["text"]) == ("problem", True)
    (content,) = blind.answer({"kind": "export", "request": "r", "format": "decisions"}).buffers
    lines = [json.loads(line) for line in content.splitlines()[1:]]
    assert [(one["reader"], one["action"]) for one in lines] == [
        ("second", "reclassify"),
        ("second", "reject"),
        ("second", "withdraw"),
    ]
    assert {(one["name"], one["score"]) for one in lines} == {("cell", None)}
    copy = DecisionLog.of_smear(sampled.smear, tmp_path / "copy")
    assert copy.take_in(content) == 3
    again = Review(sampled, copy, reader="second", blind=True)
    assert again.states.tolist() == blind.review.states.tolist()


@pytest.mark.parametrize("file_format", ["csv", "training", "decisions"])
def test_what_others_decided_is_shown_as_soon_as_a_file_holds_it(
    gallery: CellGallery, sampled: Analysis, file_format: str
):
    CellGallery(sampled, gallery.review.log.path).decide([0, 1, 2], "reject")
    assert ask(gallery, "export", format=file_format)["done"] == 1
    assert np.frombuffer(gallery.decided, np.uint8)[:4].tolist() == [2, 2, 2, 0]
    assert gallery.progress["decided"] == 3


def test_a_review_that_was_refreshed_elsewhere_is_shown_with_the_next_refresh(gallery: CellGallery, sampled: Analysis):
    CellGallery(sampled, gallery.review.log.path).decide([0], "reject")
    assert gallery.review.refresh()
    gallery.refresh()
    assert gallery.progress["decided"] == 1


def test_cards_tell_what_was_decided(gallery: CellGallery):
    assert not [line for line in ask(gallery, "card", row=4)["lines"] if line[0] == "decision"]
    gallery.decide([4], "reject")
    (line,) = (line for line in ask(gallery, "card", row=4)["lines"] if line[0] == "decision")
    assert line[1].startswith("rejected by AB, ")


def test_pictures_are_of_one_scale_and_centred(gallery: CellGallery):
    answer = gallery.answer({"kind": "crops", "request": "r", "wanted": [0, 1, 10**6], "side_px": 96})
    assert answer.content["crops"] == [0, 1]
    assert answer.content["failed"][0][0] == 10**6
    assert all(Image.open(io.BytesIO(one)).size == (96, 96) for one in answer.buffers)
    # An even ground with one dark pixel block at the cell's centre.
    pixels = np.full((200, 200, 3), 220, np.uint8)
    pixels[98:103, 58:63] = 20
    smear = Smear("one", (Field("f", ArraySource(pixels), "sha224-i-" + "0" * 56),), scale=gallery.smear.scale)
    cell = {"field": [0], "x": [60.0], "y": [100.0], "radius": [20.0], "name": ["RBC"], "score": [0.9]}
    one = type(gallery.review.analysis)(smear, Detections({k: np.array(v) for k, v in cell.items()}), Report("id"))
    single = CellGallery(one, gallery.review.log.path.with_name("other"))
    picture = single.answer({"kind": "crops", "request": "r", "wanted": [0], "side_px": 97}).buffers[0]
    grey = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), float)
    dark = np.argwhere(grey < 80)
    assert dark.mean(axis=0) == pytest.approx([48, 48], abs=1)


def test_settings_are_checked(sampled: Analysis, tmp_path: Path, gallery: CellGallery):
    with pytest.raises(ConfigError, match="does not fit"):
        CellGallery(sampled, tmp_path / "d.jsonl", disagreement=[1.0])
    with pytest.raises(traitlets.TraitError):
        CellGallery(sampled, tmp_path / "d.jsonl", order="colour")
    with pytest.raises(traitlets.TraitError):
        gallery.selected = [len(sampled.detections)]
    disputed = np.arange(len(sampled.detections), dtype=float)
    shown = CellGallery(Review(sampled, tmp_path / "d.jsonl"), disagreement=disputed, order="disagreement")
    assert np.frombuffer(shown.disagreement, "<f4").tolist() == disputed.tolist()


def test_keys_mean_one_thing_each():
    keys = [key for key, _ in DEFAULT_CHOICES]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set(RESERVED)
    assert set("nphmof") <= set(RESERVED), "the viewer's keys"
    assert len({name for _, name in DEFAULT_CHOICES}) == len(keys)
    assert checked_choices(None) == [list(pair) for pair in DEFAULT_CHOICES]
    assert checked_choices(["blast", ("1", "lymphocyte"), "monocyte"]) == [
        ["2", "blast"],
        ["1", "lymphocyte"],
        ["3", "monocyte"],
    ]
    for wrong in (
        [("a", "blast")],
        [("n", "blast")],
        [("1", "blast"), ("1", "monocyte")],
        [("12", "blast")],
        ["rouleaux"],
        [("A", "blast")],
    ):
        with pytest.raises(ConfigError):
            checked_choices(wrong)


def test_the_sheet_of_pictures_shows_every_name(gallery: CellGallery, hostile_analysis: Analysis, tmp_path: Path):  # noqa: F811
    names = len(np.unique(gallery.detections["name"]))
    sheet = Image.open(io.BytesIO(gallery.to_png()))
    assert sheet.height > names * 72
    assert Image.open(io.BytesIO(CellGallery(hostile_analysis, tmp_path / "none").to_png())).size[0] > 0
    assert HOSTILE in CellGallery(hostile_analysis, tmp_path / "none").hello()["title"]


def test_who_decides_hears_what_another_had_decided_since_the_page_showed_it(sampled, tmp_path):
    log = tmp_path / "decisions.jsonl"
    mine, other = (CellGallery(sampled, log, reader=reader) for reader in ("A", "B"))

    def said(*rows: int) -> str:
        request = {"kind": "decide", "request": "r", "action": "accept", "rows": list(rows), "name": ""}
        return str(mine.answer(request).content["said"])

    other.decide([3], "reject")
    assert said(3) == "1 cell accepted; meanwhile B had it rejected"
    assert (mine.decided[3], mine.progress["decided"]) == (1, 1)
    other.decide([4, 5, 9], "reclassify", "ring trophozoite")
    assert said(4, 5, 6) == "3 cells accepted; meanwhile B had decided about 2 of them"
    assert said(9) == "1 cell accepted", "the page has shown that one since"
