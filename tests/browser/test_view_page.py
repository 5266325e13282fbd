"""The page of ``hemato-lab view`` in a browser: two tabs, decisions on the disk, and a server that goes away."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hemato_lab.widgets.loopback import LoopbackServer
from hemato_lab.widgets.smear_review import SmearReview
from tests.analysed import analysis
from tests.browser.chromium import watched_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["analysis"]

REFUSED = r"error: Failed to load resource: net::ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|EMPTY_RESPONSE)"


@pytest.fixture
def review(analysis, tmp_path) -> SmearReview:
    return SmearReview(analysis, decisions=tmp_path / "decisions.jsonl")


def decided(page: Page, text: str) -> None:
    page.get_by_text(re.compile(text)).first.wait_for()


def accept_first(page: Page) -> None:
    page.get_by_role("listbox", name="cells").focus()
    page.keyboard.press("a")


def test_a_reader_decides_in_one_tab_and_sees_it_in_another_and_after_a_reload(page: Page, review: SmearReview):
    with LoopbackServer([review.viewer, review.gallery], title="sample", words="Kept.") as server:
        page.goto(server.address)
        decided(page, "0 of 5 cells decided")
        assert "token" not in page.url
        other = page.context.new_page()
        other.goto(page.url)
        decided(other, "0 of 5 cells decided")
        page.bring_to_front()
        accept_first(page)
        decided(page, "1 of 5 cells decided")
        decided(other, "1 of 5 cells decided")
        assert len(review.decisions) == 1
        selected = review.gallery.selected
        assert review.viewer.selected == selected
        assert page.get_by_role("alert").count() == 0, "nothing is in the way"
        assert page.evaluate("document.cookie") == "", "scripts cannot read the cookie"
        page.reload()
        decided(page, "1 of 5 cells decided")
        review.gallery.undo()
        decided(page, "0 of 5 cells decided")
        page.locator("select").filter(has_text="decisions (log)").select_option("decisions")
        with page.expect_download() as download:
            page.get_by_role("button", name="save").click()
        assert Path(download.value.path()).read_bytes() == review.decisions.path.read_bytes()


def test_a_page_says_that_its_server_is_gone_and_when_another_came(chromium: Browser, review: SmearReview):
    with watched_page(chromium, tolerated=f"{REFUSED}|error: Failed to load resource.*404") as page:
        with LoopbackServer([review.viewer, review.gallery], title="sample") as server:
            page.goto(server.address)
            decided(page, "0 of 5 cells decided")
        port = int(server.address.split(":")[2].split("/")[0])
        page.get_by_role("alert").get_by_text("does not answer").wait_for()
        with LoopbackServer([review.viewer, review.gallery], title="sample", port=port) as again:
            page.get_by_role("alert").get_by_text("Open the whole address").wait_for()
            page.goto(again.address)
            decided(page, "0 of 5 cells decided")


def test_a_browser_without_the_token_sees_a_line_of_help(chromium: Browser, review: SmearReview):
    with (
        LoopbackServer([review.viewer], title="sample") as server,
        watched_page(chromium, tolerated="error: Failed to load resource.*40[34]") as page,
    ):
        page.goto(server.address.partition("?")[0])
        assert "Open the whole address" in page.content()
        page.goto("http://127.0.0.1:" + server.address.split(":")[2].split("/")[0])
        assert "Open the whole address" in page.content()
