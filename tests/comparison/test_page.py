from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from hemato_lab.comparison import page
from hemato_lab.comparison.page import render_page
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.comparison import Comparison

pytestmark = pytest.mark.usefixtures("quick_pictures")
VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Collects tags and text, and sees that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(comparison: Comparison) -> Reader:
    reader = Reader()
    reader.feed(render_page(comparison).decode("utf-8"))
    assert reader.open == []
    return reader


def test_the_page_shows_every_level_and_the_notice_twice(different: Comparison) -> None:
    shown = read(different).text
    for words in (
        "one and other compared",
        "places, estimates, findings, candidates, text",
        "called differently",
        "stated by the second report only",
        "same category",
        "Those that differ follow",
        "Where second.png differs",
        "Places that differ",
    ):
        assert words in shown, words
    assert shown.count(RESEARCH_USE_NOTICE) == 2


def test_the_page_needs_nothing_else(different: Comparison) -> None:
    tags = read(different).tags
    assert not any(tag in {"script", "link", "iframe", "object"} for tag, _ in tags)
    pictures = [attributes["src"] or "" for tag, attributes in tags if tag == "img"]
    assert len(pictures) == 4  # both images, names, radii
    for source in pictures:
        assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == b"\x89PNG"


def test_images_that_differ_most_are_drawn(different: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_PICTURES", 1)
    captions = re.findall(r'alt="Where (\S+) differs"', render_page(different).decode())
    assert captions == ["second.png"]


def test_what_is_the_same_has_no_map_and_no_differing_sentence(same: Comparison) -> None:
    shown = read(same).text
    assert "Where" not in shown
    assert "Those that differ" not in shown
    assert "Places that differ" not in shown


def test_markup_from_outside_is_text(hostile: Comparison) -> None:
    reader = read(hostile)
    assert not any(tag in {"script", "b"} for tag, _ in reader.tags)
    assert "<script>alert('x')</script>" in reader.text
