"""Debian's Chromium, driven by playwright and kept on this machine; where it is absent tests are skipped and say so."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

SWITCHES: Final = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)
LOCAL: Final = re.compile(r"(localhost|127\.0\.0\.1|)(:\d+)?")
"""Hosts that pages of tests may ask; pages from files, blobs and data have an empty one."""


def chromium_path() -> str:
    """Where Chromium is; without it or playwright the test is skipped."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium", path="/usr/bin") or shutil.which("chromium")
    if path is None:
        pytest.skip("Debian's chromium is not installed (apt-get install chromium fonts-dejavu-core)")
    return path


@contextmanager
def launched(*switches: str, **environment: str) -> Iterator[Browser]:
    """A browser of its own, with more switches or environment variables."""
    path = chromium_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[*SWITCHES, *switches], env={**os.environ, **environment}
        )
        try:
            yield browser
        finally:
            browser.close()


class Watch:
    """What a page did that it must not: errors, refused content, and requests that leave this machine."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("console", self._hear)
        page.on("request", self._see)
        page.on("dialog", self._close)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _see(self, request: Request) -> None:
        if not LOCAL.fullmatch(urlsplit(request.url).netloc):
            self.complaints.append(f"asked for {request.url}")

    def _close(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def watched_page(browser: Browser, *, tolerated: str = "(?!)", **options: Any) -> Iterator[Page]:
    """A page in a context of its own, which must not complain; options are those of `Browser.new_context`.

    What matches ``tolerated`` from its beginning is no complaint.
    """
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **options})
    context.set_default_timeout(20_000)
    try:
        page = context.new_page()
        watch = Watch(page)
        yield page
        complaints = [one for one in watch.complaints if not re.match(tolerated, one)]
        assert not complaints, "\n".join(complaints)
    finally:
        context.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a module: while playwright runs, no other test of the process could run an event loop."""
    with launched() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of 1200 x 800 that fails its test if it complains: errors, requests that leave this machine, dialogs."""
    with watched_page(chromium) as opened:
        yield opened
