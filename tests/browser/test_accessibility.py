"""Widgets without a mouse, without seeing, with little contrast, and with other eyes for colour."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ipywidgets import Widget
from skimage.color import deltaE_ciede2000, rgb2lab

from hemato_lab.comparison import compare
from hemato_lab.vocabulary import TERMS
from hemato_lab.widgets import ComparisonViewer, SmearReview
from hemato_lab.widgets.pages import static_page
from tests.browser.chromium import watched_page
from tests.browser.plain_page import PlainPage
from tests.browser.reading_pages import nameless, spoken, too_faint, walk
from tests.widgets.javascript import run_javascript

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from hemato_lab.analysis import Analysis
    from hemato_lab.widgets.base import SmearWidget

SCHEMES = ("light", "dark")


@pytest.fixture
def widgets(analysis: Analysis, tmp_path) -> Iterator[list[SmearWidget]]:
    review = SmearReview(analysis, decisions=tmp_path / "log.jsonl")
    review.gallery.decide([0], "reject")
    other = replace(analysis, detections=analysis.detections.select(np.arange(4)))
    yield [review.viewer, review.gallery, ComparisonViewer(compare(analysis, other))]
    Widget.close_all()


def opened(page: Page, widgets: list[SmearWidget]) -> PlainPage:
    """Everything open that can be: findings, keys, tables."""
    plain = PlainPage(page, *widgets)
    page.wait_for_timeout(400)
    page.get_by_role("button", name="What the keys do (?)").first.click()
    page.get_by_role("button", name="keys (key ?)").click()
    page.wait_for_timeout(200)
    return plain


def test_every_control_has_a_name_and_what_happens_is_told(page: Page, widgets: list[SmearWidget]) -> None:
    opened(page, widgets)
    assert nameless(page) == []
    roles = [one.role for one in spoken(page)]
    assert {"application", "listbox", "option", "progressbar", "status", "slider", "checkbox", "dialog"} <= set(roles)


def test_everything_is_reached_by_tab_and_shows_that_it_is(page: Page, widgets: list[SmearWidget]) -> None:
    PlainPage(page, *widgets)
    page.wait_for_timeout(400)
    unseen, unreached = walk(page)
    assert unseen == []
    assert unreached == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_texts_stand_out_from_their_ground(chromium: Browser, widgets: list[SmearWidget], scheme: str) -> None:
    with watched_page(chromium, color_scheme=scheme) as page:
        opened(page, widgets)
        assert too_faint(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_by_themselves_are_as_readable(
    chromium: Browser, widgets: list[SmearWidget], tmp_path, scheme: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(static_page(widgets, title="A smear", remarks=["a remark"]), encoding="utf-8")
    with watched_page(chromium, color_scheme=scheme) as page:
        page.goto(path.as_uri())
        page.wait_for_timeout(400)
        assert nameless(page) == []
        assert too_faint(page) == []


# Machado, Oliveira & Fernandes, IEEE TVCG 15 (2009) 1291, severity 1, for linear RGB.
SEEN_BY = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def lab(colours: np.ndarray, eyes: str) -> np.ndarray:
    """CIE L*a*b* of colours (n, 3; 0 to 1) as somebody sees them."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ SEEN_BY[eyes].T, 0, 1)
    return rgb2lab(np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055))


def rgb(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_the_heat_scale_rises_evenly_for_all_eyes(eyes: str) -> None:
    steps = np.array(run_javascript("HEAT_COLOURS from colours", "return [...HEAT_COLOURS];")).reshape(256, 3) / 255
    lightness = lab(steps, eyes)[::16, 0]
    assert np.all(np.diff(lightness) > 1.5)
    assert lightness[-1] - lightness[0] > 60


def family(parent: str | None) -> dict[str, str]:
    return {one.name: one.colour for one in TERMS.values() if one.parent == parent and one.kind == "cell"}


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_colours_that_are_told_apart_differ_for_all_eyes(eyes: str) -> None:
    states = run_javascript("STATE_COLOURS from compared_cells", "return STATE_COLOURS;")
    together = [dict(enumerate(states)), family(None), family("parasitised RBC")]
    for colours in together:
        seen = {name: lab(np.array([rgb(colour)]), eyes) for name, colour in colours.items()}
        for one, other in combinations(seen, 2):
            assert deltaE_ciede2000(seen[one], seen[other])[0] > 8, (one, other)  # 2.3 is just seen
