"""The gallery in Chromium on a bare page: a reader with a keyboard, a mouse, and two windows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import hemato_lab as hl
from hemato_lab.resources import shipped
from hemato_lab.review import DecisionLog, Review
from hemato_lab.widgets.cell_gallery import CellGallery
from hemato_lab.widgets.crops import WIDTH_IN_RED_CELLS
from tests.browser.plain_page import PlainPage

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from hemato_lab.analysis import Analysis

WORDS = ".gallery-progress-words"


@pytest.fixture(scope="module")
def analysed() -> Analysis:
    return hl.analyze(shipped("sample_data") / "malaria" / "images" / "field_01.jpg", detector="classical")


@pytest.fixture
def gallery(analysed: Analysis, tmp_path: Path) -> CellGallery:
    return CellGallery(analysed, tmp_path / "d.jsonl", grouped=False)


def opened(page: Page, gallery: CellGallery) -> PlainPage:
    plain = PlainPage(page, gallery)
    page.locator(".gallery-cell img[src]").first.wait_for()
    page.locator(".gallery-choices button").first.wait_for(state="attached")
    page.locator(".gallery-grid").focus()
    return plain


def states(gallery: CellGallery) -> list[int]:
    return np.frombuffer(gallery.decided, np.uint8).tolist()


def test_a_reader_names_twenty_cells_by_keyboard_undoes_three_and_finds_them_again(
    page: Page, gallery: CellGallery, analysed: Analysis
):
    plain = opened(page, gallery)
    order = np.argsort(analysed.detections["score"], kind="stable")[:20].tolist()
    keys = ("t", "1", "a", "r", "z") * 4
    for key in keys:  # as fast as they come: each is about the next cell, whatever is still under way
        page.keyboard.press(key)
    page.wait_for_function(f"document.querySelector('{WORDS}').textContent.startsWith('20 of')")
    expected = {"t": "target cell", "1": "neutrophil", "a": "", "r": "", "z": "schizont"}
    review = Review(analysed, gallery.review.log.path)
    assert [review.names[row] for row in order] == [expected[key] for key in keys]
    assert [review.states[row] for row in order] == [{"a": 1, "r": 2}.get(key, 3) for key in keys]

    for _ in range(3):
        page.keyboard.press("u")
    page.wait_for_function(f"document.querySelector('{WORDS}').textContent.startsWith('17 of')")
    page.keyboard.press("Shift+U")
    page.wait_for_function(f"document.querySelector('{WORDS}').textContent.startsWith('18 of')")
    assert sum(state > 0 for state in states(gallery)) == 18
    assert len(DecisionLog.of_smear(analysed.smear, gallery.review.log.path)) == 20 + 3 + 1
    again = CellGallery(analysed, gallery.review.log.path)
    assert states(again) == states(gallery)

    page.keyboard.down("Control")
    page.keyboard.press("a")
    page.keyboard.up("Control")
    assert len(plain.model_value("selected")) == len(analysed.detections)
    page.keyboard.press("Escape")
    assert len(plain.model_value("selected")) == 1


@pytest.mark.slow
def test_several_cells_are_picked_by_mouse_and_range_and_a_name_is_clicked(page: Page, gallery: CellGallery):
    plain = opened(page, gallery)
    cells = page.locator(".gallery-cell")
    cells.nth(2).click()
    cells.nth(5).click(modifiers=["Shift"])
    cells.nth(8).click(modifiers=["Control"])
    picked = plain.model_value("selected")
    assert len(picked) == 5
    page.get_by_role("button", name="rename to target cell (key t)").click()
    page.wait_for_function(f"document.querySelector('{WORDS}').textContent.startsWith('5 of')")
    assert [row for row, state in enumerate(states(gallery)) if state == 3] == sorted(picked)
    page.get_by_label("another name").select_option("plasma cell")
    page.wait_for_function(f"document.querySelector('{WORDS}').textContent.startsWith('6 of')")
    assert "plasma cell" in gallery.review.names
    page.get_by_label("only undecided").check()
    page.wait_for_function("document.querySelectorAll('.gallery-cell:not([data-state=open])').length === 0")


def test_boxes_are_ticked_by_key_and_decided_cells_leave_a_list_of_undecided_ones(page: Page, gallery: CellGallery):
    plain = opened(page, gallery)
    box = page.get_by_label("only undecided")
    box.focus()
    page.keyboard.press("r")
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelector('input:focus')?.checked")
    assert not any(states(gallery)), "a letter on a box decides nothing"
    assert plain.model_value("selected") == []
    page.locator(".gallery-grid").focus()
    page.keyboard.press("r")
    page.keyboard.press("r")
    page.wait_for_function(f"document.querySelector('{WORDS}').textContent.startsWith('2 of')")
    page.wait_for_function(f"document.querySelector('.gallery-cell')?.ariaSetSize === '{len(states(gallery)) - 2}'")
    assert page.locator(".gallery-cell:not([data-state=open])").count() == 0
    page.keyboard.press("u")
    page.wait_for_function(f"document.querySelector('.gallery-cell')?.ariaSetSize === '{len(states(gallery)) - 1}'")
    page.get_by_text("by name").click()
    page.keyboard.press("Home")
    page.keyboard.press("Shift+X")
    picked = [str(gallery.detections["name"][row]) for row in plain.model_value("selected")]
    open_cells = [name for name, state in zip(gallery.detections["name"], states(gallery), strict=True) if not state]
    assert set(picked) == {picked[0]}
    assert len(picked) == open_cells.count(picked[0]), "after a click on a box the keys are about cells"


def test_the_close_up_rings_the_cell_and_tells_what_was_just_decided(page: Page, gallery: CellGallery):
    opened(page, gallery)
    ring = page.locator(".gallery-ring")
    ring.wait_for()
    plain_width = page.locator(".gallery-closeup img").bounding_box()["width"]
    row = int(np.argmin(gallery.detections["score"]))
    scale = gallery.smear.known_scale
    expected = 1.2 * 2 * gallery.detections["radius"][row] / (WIDTH_IN_RED_CELLS * scale.rbc_diameter_px)
    assert ring.bounding_box()["width"] / plain_width == pytest.approx(expected, abs=0.02)
    for _ in range(2):
        page.keyboard.press("End")
        page.keyboard.press("r")
        page.locator(".gallery-card").filter(has_text="decision").wait_for()
        page.keyboard.press("u")
        page.wait_for_function("!document.querySelector('.gallery-card').textContent.includes('decision')")


def test_what_is_decided_is_said_and_what_cannot_be_kept_too(page: Page, gallery: CellGallery, monkeypatch):
    opened(page, gallery)
    said = page.get_by_role("status")
    page.keyboard.press("r")
    said.filter(has_text="1 cell rejected").wait_for()
    first = page.locator(".gallery-cell").nth(0)
    assert first.get_attribute("aria-label").endswith("not a cell")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hemato_lab.review.log.os.open", fail)
    page.keyboard.press("a")
    said.filter(has_text="Not kept").wait_for()
    assert sum(state > 0 for state in states(gallery)) == 1
    page.wait_for_function("document.querySelectorAll('.gallery-cell[data-state=accepted]').length === 0")
    assert "…" not in page.locator(".gallery-mark").all_text_contents()


@pytest.mark.slow
def test_a_key_that_is_held_down_and_one_that_is_typed_elsewhere_decide_nothing(page: Page, gallery: CellGallery):
    opened(page, gallery)
    page.evaluate(
        "document.querySelector('.gallery-grid').dispatchEvent("
        "new KeyboardEvent('keydown', { key: 'a', repeat: true, bubbles: true }))"
    )
    page.get_by_label("file to save").focus()
    page.keyboard.press("r")
    page.locator(".gallery-grid").focus()
    page.keyboard.press("Alt+r")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(100)
    assert not any(states(gallery))


def test_a_blind_page_holds_no_name_no_score_and_no_first_decision(
    page: Page, gallery: CellGallery, analysed: Analysis
):
    gallery.decide([0, 1, 2], "reject")
    blind = CellGallery(analysed, gallery.review.log.path, reader="second", blind=True)
    plain = opened(page, blind)
    page.wait_for_timeout(300)
    shown = page.locator(".gallery-grid").inner_text() + page.locator(".gallery-closeup").inner_text()
    for word in ("RBC", "platelet", "WBC", "score", "not a cell"):
        assert word not in shown
    assert not page.locator(".gallery-names").is_visible()
    told = json.dumps(plain.traffic().answered)
    assert '"candidate"' not in told
    page.keyboard.press("a")
    page.get_by_role("status").filter(has_text="names are hidden").wait_for()
    page.keyboard.press("l")
    page.wait_for_function(f"document.querySelector('{WORDS}').textContent.includes('1 named')")


@pytest.mark.slow
def test_a_second_window_shows_what_the_first_decides_and_thousands_scroll(
    page: Page, analysed: Analysis, tmp_path: Path
):
    cells = analysed.detections
    many = type(analysed)(analysed.smear, cells.select(np.arange(3000) % len(cells)), analysed.report)
    gallery = CellGallery(many, tmp_path / "d.jsonl")
    plain = opened(page, gallery)
    plain.show(0)
    gallery.decide([0], "reject")
    plain.deliver()
    for number in range(2):
        page.locator(WORDS).nth(number).filter(has_text="1 of 3000").wait_for()
    page.locator(".gallery-grid").first.focus()
    for key in ("End", "Home", *["PageDown"] * 6):
        page.keyboard.press(key)
    page.wait_for_function("document.querySelector('.gallery-cell.is-here img[src]')")
    assert page.locator(".gallery-grid").first.locator(".gallery-cell").count() < 200, "only what is in view exists"
    plain.remove_view(1)
    gallery.decide([1], "reject")
    plain.deliver()
    page.wait_for_function(f"document.querySelector('{WORDS}').textContent.startsWith('2 of')")
