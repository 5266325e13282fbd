"""Pages by themselves, opened from a file as from a mail: all of them works, and nothing else is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ipywidgets import Widget

import hemato_lab as hl
from hemato_lab.resources import shipped
from hemato_lab.widgets.smear_review import SmearReview

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmearReview]:
    image = shipped("sample_data") / "malaria" / "images" / "field_01.jpg"
    analysis = hl.analyze(image, detector="classical")
    made = SmearReview(analysis, decisions=tmp_path_factory.mktemp("log") / "log.jsonl")
    made.gallery.decide([0], "reject")
    yield made
    Widget.close_all()


def opened(page: Page, folder: Path, content: str) -> None:
    path = folder / "page.html"
    path.write_text(content, encoding="utf-8")
    page.goto(path.as_uri())


COLOURS = """() => {
  const canvas = document.querySelector("canvas");
  const [width, height] = [canvas.width || 1, canvas.height || 1];
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4000) colours.add(`${data[at]} ${data[at + 1]} ${data[at + 2]}`);
  return colours.size;
}"""


def test_a_review_works_without_python(page: Page, review: SmearReview, tmp_path: Path) -> None:
    opened(page, tmp_path, review.to_html())
    page.wait_for_function(f"() => ({COLOURS})() > 50")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.gallery-picture img')].some((one) => one.naturalWidth)"
    )
    page.get_by_text("1 not a cell").first.wait_for()
    page.locator("canvas").first.focus()
    page.keyboard.press("n")
    page.get_by_text("selected: RBC").wait_for()
    page.locator("[aria-selected=true]").first.wait_for()


def test_a_page_in_a_frame_works_too(page: Page, review: SmearReview, tmp_path: Path) -> None:
    framed = review.viewer.embed(600)._repr_html_()
    opened(page, tmp_path, f"<!doctype html><html lang='en'><title>t</title><body>{framed}</body></html>")
    frame = page.frame_locator("iframe")
    frame.get_by_text("87 cells shown").wait_for()
