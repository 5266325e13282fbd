from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import Watch, watched_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("setTimeout(() => { throw new Error('broken'); })", "uncaught: broken"),
        ("console.error('bad')", "error: bad"),
        ("alert(1)", "dialog: 1"),
        ("new Image().src = 'http://192.0.2.1/pixel.png'", "asked for http://192.0.2.1/pixel.png"),
    ],
)
def test_a_page_that_breaks_asks_or_leaves_this_machine_fails_its_test(chromium: Browser, script: str, complaint: str):
    page = chromium.new_page()
    watch = Watch(page)
    page.evaluate(f"() => {{ {script} }}")
    page.wait_for_timeout(50)
    page.close()
    assert watch.complaints[:1] == [complaint]


def test_a_quiet_page_passes(chromium: Browser):
    with watched_page(chromium) as page:
        page.set_content("<p>quiet</p>")
