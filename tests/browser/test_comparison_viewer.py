"""The comparison viewer in a browser: switches, steps, synchronised pictures, keyboard, tables, views, no pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ipywidgets import Widget

from hemato_lab.comparison import compare
from hemato_lab.detections import Detections
from hemato_lab.widgets.comparison_viewer import ComparisonViewer
from tests.analysed import cells
from tests.browser.plain_page import PlainPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from hemato_lab.analysis import Analysis

RINGS = """() => [...document.querySelectorAll(".comparison-pane canvas")].map((canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const found = { orange: 0, blue: 0, magenta: 0 };
  const near = (at, [r, g, b]) => Math.hypot(data[at] - r, data[at + 1] - g, data[at + 2] - b) < 12;
  for (let at = 0; at < data.length; at += 4) {
    if (near(at, [0xee, 0x77, 0x33])) found.orange += 1;
    if (near(at, [0x00, 0x77, 0xbb])) found.blue += 1;
    if (near(at, [0xee, 0x33, 0x77])) found.magenta += 1;
  }
  return found;
})"""


@pytest.fixture
def viewer(analysis: Analysis) -> Iterator[ComparisonViewer]:
    """In the second image: two cells agree, a WBC is an RBC for the other, and each side has one for itself."""
    other = cells(
        [
            (0, "RBC", 100, 100, 40),
            (0, "platelet", 300, 300, 12),
            (1, "RBC", 200, 200, 40),
            (1, "RBC", 400, 250, 78),
            (1, "RBC", 60, 440, 40),
        ]
    )
    one = with_own_files(analysis)
    yield ComparisonViewer(compare(one, replace(one, detections=other), labels=("here <b>", "there")))
    Widget.close_all()


def with_own_files(analysis: Analysis) -> Analysis:
    fields = tuple(replace(one, file_id=f"file-{number}") for number, one in enumerate(analysis.smear.fields))
    report = replace(analysis.report, file_ids=("file-0", "file-1"))
    return replace(analysis, smear=replace(analysis.smear, fields=fields), report=report)


def frames(page: Page) -> None:
    page.wait_for_timeout(120)


def heading(page: Page) -> str:
    return page.locator(".list-head").inner_text()


def test_what_differs_is_drawn_switched_and_stepped_through(page: Page, viewer: ComparisonViewer) -> None:
    PlainPage(page, viewer)
    page.get_by_text("here <b> and there compared").wait_for()
    assert page.get_by_role("region", name="Comparison of two readings of a smear").count() == 1
    assert page.locator(".state-switch").all_inner_texts() == [
        "in both\n3",
        "called differently\n1",
        "only in here <b>\n1",
        "only in there\n1",
    ]
    frames(page)
    here, there = page.evaluate(RINGS)
    assert here["orange"] > 50 < there["blue"]
    assert here["blue"] == there["orange"] == 0
    assert here["magenta"] > 50 < there["magenta"]

    page.locator("canvas").first.focus()
    page.keyboard.press("n")
    assert heading(page) == "1 of 3"
    assert viewer.selected == [viewer.differing()[0]]
    page.keyboard.press("p")
    assert heading(page) == "3 of 3"
    page.get_by_role("button", name="only in there: 1 place").click()
    assert viewer.hidden_states == ["second only"]
    assert heading(page) == "2 places differ"
    page.get_by_role("button", name="only in there: 1 place").click()
    page.get_by_role("button", name="WBC → RBC").click()
    page.get_by_text("here <b>: WBC, score 1.00, radius 80 px · there: RBC").wait_for()
    page.wait_for_timeout(800)  # the way there, and the rest after it
    assert viewer.viewport[0] == 1
    assert viewer.viewport[1:3] == pytest.approx([400, 250], abs=1)


def test_both_readings_on_one_picture_by_key(page: Page, viewer: ComparisonViewer) -> None:
    plain = PlainPage(page, viewer)
    page.locator("canvas").first.focus()
    page.keyboard.press("t")
    assert viewer.arrangement == "together"
    frames(page)
    (rings,) = page.evaluate(RINGS)
    assert min(rings.values()) > 50
    page.get_by_label("Image", exact=True).select_option("0")
    frames(page)
    (rings,) = page.evaluate(RINGS)
    assert max(rings.values()) == 0
    viewer.arrangement = "side by side"
    viewer.minimum_score = 1.0
    plain.deliver()
    assert page.locator("canvas").count() == 2
    page.get_by_role("textbox", name="least score").fill("0,5")
    page.keyboard.press("Enter")
    assert viewer.minimum_score == 0.5


def test_pictures_move_together_and_views_do(page: Page, viewer: ComparisonViewer) -> None:
    plain = PlainPage(page, viewer)
    plain.show()
    first = page.locator("section").nth(0)
    box = first.locator("canvas").nth(1).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.wheel(0, -400)
    page.wait_for_function("() => document.querySelector('.status').textContent.includes('zoom')")
    assert viewer.viewport[3] > 0
    texts = [one.split("·")[-1] for one in page.locator(".scale-bar").all_inner_texts()]
    assert texts[0] == texts[1]
    plain.remove_view(1)
    page.locator("canvas").first.focus()
    page.keyboard.press("n")
    assert heading(page) == "1 of 3"


def test_tables_open_as_text(page: Page, viewer: ComparisonViewer) -> None:
    PlainPage(page, viewer)
    page.get_by_text("Tables of agreement").click()
    page.get_by_role("table", name="Cells").wait_for()
    assert page.get_by_role("table").count() == len([one for one in viewer.comparison.tables() if one.rows])
    assert page.locator("b").count() == 0


def test_nothing_in_common_and_no_pixels_are_shown_too(page: Page, analysis: Analysis) -> None:
    one = with_own_files(analysis)
    other = replace(one, detections=Detections.empty())
    empty = replace(one, detections=Detections.empty(), smear=replace(one.smear, fields=one.smear.fields[:1]))
    of_reports = compare(one.report, one.report, labels=("a", "b"), rbc_diameter_px=100)
    shown: list[Any] = [compare(one, other, labels=("a", "b")), compare(empty, empty, labels=("a", "b")), of_reports]
    PlainPage(page, *(ComparisonViewer(each) for each in shown))
    frames(page)
    assert page.locator(".list-head").all_inner_texts() == ["5 places differ", "0 places differ", "0 places differ"]
    assert np.all([count == 0 for rings in page.evaluate(RINGS)[2:] for count in rings.values()])
    Widget.close_all()
