"""Readers whose computers write a comma in numbers: what they type is understood, and what is shown is the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from ipywidgets import Widget

from hemato_lab.widgets import SmearReview
from hemato_lab.widgets.esm import FOLDER
from tests.browser.chromium import launched, watched_page
from tests.browser.plain_page import PlainPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from hemato_lab.analysis import Analysis


@pytest.fixture
def review(analysis: Analysis, tmp_path) -> Iterator[SmearReview]:
    yield SmearReview(analysis, decisions=tmp_path / "log.jsonl")
    Widget.close_all()


@pytest.fixture(scope="module")
def german() -> Iterator[Browser]:
    with launched("--lang=de-DE", LANG="de_DE.UTF-8", LC_ALL="de_DE.UTF-8", LANGUAGE="de") as browser:
        yield browser


def texts(page: Page, review: SmearReview) -> str:
    """Everything that is written on the page once the heat map, a card and a length are there."""
    PlainPage(page, review.viewer, review.gallery)
    page.wait_for_timeout(300)
    canvas = page.locator(".smear-viewer canvas").first
    page.get_by_label("smooth").check()
    canvas.press("n")
    page.get_by_text("1 selected").or_(page.get_by_text("selected:")).first.wait_for()
    typed = page.get_by_label("Least score, typed")
    typed.fill("0,5")
    typed.press("Enter")
    page.wait_for_timeout(600)
    assert review.viewer.minimum_score == 0.5
    assert typed.input_value() == "0.50"
    return page.locator("main").inner_text()


def test_german_numbers_are_understood_and_nothing_looks_different(german: Browser, review: SmearReview) -> None:
    shown = {}
    for language in ("de-DE", "en-US"):
        review.viewer.set_trait("density", "none")
        review.viewer.set_trait("minimum_score", 0.0)
        review.viewer.selected = []
        with watched_page(german, locale=language) as page:
            assert page.evaluate("() => (0.5).toLocaleString()") == ("0,5" if language == "de-DE" else "0.5")
            shown[language] = texts(page, review)
    assert shown["de-DE"] == shown["en-US"]
    assert re.search(r"\d\.\d", shown["de-DE"])
    assert not re.search(r"\d,\d", shown["de-DE"])


def test_no_module_asks_for_the_locale() -> None:
    asked = [
        one.name for one in FOLDER.glob("*.js") if re.search(r"toLocale|\bIntl\b|navigator\.language", one.read_text())
    ]
    assert asked == []
