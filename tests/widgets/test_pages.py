"""Pages by themselves: what they hold, what they may not do, how large they are, what they say is missing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ipywidgets import Widget

from hemato_lab.comparison import compare
from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.smear import Smear
from hemato_lab.widgets import pages
from hemato_lab.widgets.comparison_viewer import ComparisonViewer
from hemato_lab.widgets.pages import static_page
from hemato_lab.widgets.smear_review import SmearReview
from hemato_lab.widgets.smear_viewer import SmearViewer
from tests.analysed import HOSTILE, cells, plain_field
from tests.comparison.conftest import analysis, different, hostile, hostile_analysis  # noqa: F401 (fixtures)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hemato_lab.analysis import Analysis
    from hemato_lab.comparison import Comparison


@pytest.fixture(autouse=True)
def closed_afterwards() -> Iterator[None]:
    yield
    Widget.close_all()


@pytest.fixture
def review(sampled: Analysis, tmp_path: Path) -> SmearReview:
    return SmearReview(sampled, decisions=tmp_path / "log.jsonl")


def document_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="hemato-lab-page">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    document: dict[str, Any] = json.loads(found[1])
    return document


def test_one_field_for_review_is_less_than_a_megabyte(review: SmearReview) -> None:
    page = review.to_html()
    assert len(page.encode()) < 1_000_000
    assert RESEARCH_USE_NOTICE in page
    assert "What this page leaves out" not in page
    document = document_of(page)
    assert [one["module"] for one in document["widgets"]] == ["smear_viewer.js", "cell_gallery.js"]
    (picture,) = document["pictures"].values()
    assert {key.split("/")[1] for key in picture["tiles"]} == {"0", "1", "2"}


def test_state_goes_in_whole_and_once(review: SmearReview) -> None:
    review.gallery.decide([3], "reject")
    document = document_of(review.to_html())
    viewer, gallery = document["widgets"]
    held = {name: base64.b64decode(document["bytes"][at]) for name, at in viewer["buffers"].items()}
    assert held["cells"] == review.viewer.cells
    assert held["decided"][3] == 2
    assert viewer["buffers"]["cells"] == gallery["buffers"]["cells"]
    shared = [one == other for one, other in zip(viewer["cards"], gallery["cards"], strict=True)]
    assert shared.count(False) <= 1
    assert viewer["state"]["names"] == review.viewer.names
    assert not {"_esm", "layout", "tooltip"} & set(viewer["state"])
    assert (gallery["hello"]["can_decide"], gallery["hello"]["formats"]) == (False, [])
    links = [(one["first"], one["second"], one["is_one_way"]) for one in document["links"]]
    assert (["widget-2", "selected"], ["widget-1", "selected"], False) in links
    assert (["widget-2", "decided"], ["widget-1", "decided"], True) in links


def test_cards_are_those_of_the_widget(review: SmearReview) -> None:
    review.gallery.decide([3], "reject")
    document = document_of(review.to_html())
    labels, rows = document["cards"]["labels"], document["cards"]["rows"]
    for widget, stored in zip((review.viewer, review.gallery), document["widgets"], strict=True):
        for row in (3, 7):
            asked = widget.answer({"kind": "card", "request": "r", "row": row}).content["lines"]
            which, *values = rows[stored["cards"][row]]
            assert list(zip(labels[which], values, strict=True)) == [tuple(line) for line in asked]


def test_only_its_own_script_and_style_may_run(review: SmearReview) -> None:
    page = review.to_html()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in html.unescape(policy[1]).split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "img-src", "base-uri", "form-action", "script-src", "style-src"}
    for tag, name in (('script type="module"', "script-src"), ("style", "style-src")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag.split()[0]}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
    assert not re.search(r"(src|href)\s*=", page.split("<script")[0])


def test_texts_from_outside_are_inert(hostile: Comparison) -> None:  # noqa: F811
    payload = "</script><script>alert(1)</script>"
    smear = Smear(payload, (plain_field(f"{HOSTILE}{payload}.png", 300, 200),), {payload: payload})
    viewer = SmearViewer(smear, cells([(0, "RBC", 50, 50, 20)]))
    for page in (static_page([viewer], remarks=[payload]), ComparisonViewer(hostile).to_html()):
        assert payload not in page
        assert HOSTILE not in page
        assert page.count("<script") == 2
        assert page.count("</script") == 2
    assert document_of(viewer.to_html())["widgets"][0]["hello"]["title"] == payload


def test_names_that_are_no_utf_8_can_be_written() -> None:
    smear = Smear("Gro\udcdf", (plain_field("\udcff.png", 300, 200),))
    page = static_page([SmearViewer(smear)], remarks=["about \udcff"])
    assert "Gro\N{REPLACEMENT CHARACTER}" in page.encode("utf-8").decode("utf-8")


def test_a_comparison_holds_its_tables(different: Comparison) -> None:  # noqa: F811
    document = document_of(ComparisonViewer(different).to_html())
    (widget,) = document["widgets"]
    assert [table["caption"] for table in widget["table"]["tables"]] == [
        table.caption for table in different.tables() if table.rows
    ]


def test_a_small_page_says_what_it_leaves_out() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2000, 2000, 3), np.uint8)
    smear = Smear("noise", (replace(plain_field("one.png", 9, 9), source=_array(noise)),))
    page = static_page([SmearViewer(smear)], most_bytes=500_000)
    assert len(page.encode()) <= 500_000
    assert "one.png: in this page all of it at 1/" in page


def _array(pixels: Any) -> Any:
    from hemato_lab.smear import ArraySource

    return ArraySource(pixels)


def test_impossible_sizes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    smear = Smear("s", (plain_field("one.png", 300, 200),))
    with pytest.raises(ConfigError, match="a page of 1000 bytes is too small"):
        static_page([SmearViewer(smear)], most_bytes=1000)
    count = 20_000
    columns = {
        "field": np.zeros(count, np.int32),
        "x": np.linspace(0, 299, count),
        "y": np.linspace(0, 199, count),
        "radius": np.ones(count),
        "name": np.full(count, "RBC"),
        "score": np.ones(count),
    }
    monkeypatch.setattr(pages, "MOST_CARDS", 20)
    viewer = SmearViewer(smear, Detections(columns))
    with pytest.raises(ConfigError, match="without any picture and may have 900000"):
        static_page([viewer], most_bytes=900_000)
    # Unless a size is asked for, the page grows with the cells and still has pictures.
    page = static_page([viewer])
    assert "details of 19980 of 20000 cells" in page
    (picture,) = document_of(page)["pictures"].values()
    assert picture["tiles"]


def test_several_fields_may_take_more(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    asked: list[int] = []
    monkeypatch.setattr(pages._Page, "add_pictures", lambda _self, _widgets, most: asked.append(most))
    static_page([SmearViewer(analysis.smear)])
    one = replace(analysis.smear, fields=analysis.smear.fields[:1])
    static_page([SmearViewer(one)])
    assert asked[0] - asked[1] == pytest.approx(pages.MORE_FOR_A_FIELD, abs=1000)


def test_a_comparison_of_nothing_in_common_is_a_page(analysis: Analysis) -> None:  # noqa: F811
    other = replace(analysis, smear=Smear("other", (replace(plain_field("else.png", 50, 40), file_id="x"),)))
    other = replace(other, detections=Detections.empty(), report=replace(analysis.report, file_ids=("x",)))
    viewer = ComparisonViewer(compare(analysis, other, labels=("a", "b")))
    assert len(viewer.detections) == 0
    assert "no image in common" in viewer.to_html()
