"""How much of a large slide travels to a browser that zooms into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import hemato_lab as hl
from hemato_lab.widgets import SmearViewer
from tests.benchmarks.viewer import rendered_patch, write_repeated
from tests.browser.plain_page import PlainPage

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

SIDE = 12_000


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> SmearViewer:
    path: Path = tmp_path_factory.mktemp("slide") / "slide.tif"
    return SmearViewer(hl.open_smear(write_repeated(path, rendered_patch(512), SIDE)))


def test_twelve_turns_of_the_wheel_are_less_than_a_megabyte_in_few_messages(page: Page, viewer: SmearViewer) -> None:
    plain = PlainPage(page, viewer)
    canvas = page.locator("canvas").first
    canvas.hover()
    page.wait_for_timeout(500)
    first = plain.traffic().bytes_sent
    plain.traffic().clear()
    for _ in range(12):
        page.mouse.wheel(0, -300)
        page.wait_for_timeout(60)
    page.wait_for_timeout(600)
    traffic = plain.traffic()
    wanted = [one["wanted"] for one in traffic.asked if one["kind"] == "tiles"]
    assert wanted
    assert max(map(len, wanted)) <= 12
    assert len({tuple(tile) for one in wanted for tile in one}) == sum(map(len, wanted)), "nothing is asked for twice"
    assert {tile[1] for one in wanted for tile in one} >= {0, 1, 2}, "down to the pixels"
    assert first < 1_000_000
    assert traffic.bytes_sent < 1_000_000
