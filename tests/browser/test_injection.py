"""A hundred payloads in every place where a text from outside is shown: in widgets, on pages, in reports. None runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.analysis import Analysis
from hemato_lab.comparison import compare
from hemato_lab.comparison.page import render_page
from hemato_lab.detections import Detections
from hemato_lab.export import render
from hemato_lab.report import Diagnosis, DiagnosticReport, FeatureStatistic, MorphologicalFinding, Report
from hemato_lab.smear import ArraySource, Field, Scale, SkippedFile, Smear
from hemato_lab.widgets import CellGallery, ComparisonViewer, SmearReview, SmearViewer
from hemato_lab.widgets.loopback import LoopbackServer
from tests.browser.chromium import watched_page
from tests.browser.hostile import Spoiler
from tests.browser.payloads import ALARM, PAYLOADS
from tests.browser.plain_page import PlainPage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from hemato_lab.widgets.base import SmearWidget

SIDE = 48


def hostile_smear() -> Smear:
    pixels = np.full((SIDE, SIDE, 3), 230, np.uint8)
    fields = tuple(Field(name, ArraySource(pixels), f"sha224-i-{number:056d}") for number, name in enumerate(PAYLOADS))
    skipped = tuple(SkippedFile(one, one, one) for one in PAYLOADS)
    tags = dict(zip(PAYLOADS, reversed(PAYLOADS), strict=True))
    return Smear("; ".join(PAYLOADS[:3]), fields, tags, Scale.from_um_per_px(0.1), skipped)


def hostile_report(smear: Smear) -> Report:
    number = len(PAYLOADS)
    return Report(
        PAYLOADS[0],
        tuple(one.file_id for one in smear.fields),
        {one: FeatureStatistic(PAYLOADS[-at], PAYLOADS[at - 1]) for at, one in enumerate(PAYLOADS)},
        {one: MorphologicalFinding(one) for one in PAYLOADS},
        DiagnosticReport(tuple(Diagnosis(1, one, one, one, one, one) for one in PAYLOADS)),
        "\n".join(PAYLOADS),
        {
            "feature_statistics": {one: {"reason": one, "method": one, "assumption": one} for one in PAYLOADS},
            "findings": {one: {"reason": one} for one in PAYLOADS[:number]},
        },
    )


def hostile_cells() -> Detections:
    """One cell in each field."""
    count = len(PAYLOADS)
    names = ["normal RBC", "neutrophil", "platelet", "ring trophozoite"]
    return Detections(
        {
            "field": np.arange(count),
            "x": np.full(count, 20.0),
            "y": np.full(count, 24.0),
            "radius": np.full(count, 8.0),
            "name": np.array([names[at % 4] for at in range(count)]),
            "score": np.linspace(0.4, 1.0, count),
        }
    )


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """Payloads in the name of the smear and of files, in tags, findings, statistics, diagnoses, text and provenance."""
    smear = hostile_smear()
    quality = {one.name: {"focus": one.name, one.name: one.name} for one in smear.fields}
    provenance: dict[str, Any] = {one: one for one in PAYLOADS} | {
        "models": {one: {"sha256": "0" * 64, "version": one} for one in PAYLOADS}
    }
    return Analysis(smear, hostile_cells(), hostile_report(smear), provenance, quality)


@pytest.fixture(scope="module")
def review(analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> SmearReview:
    made = SmearReview(analysis, decisions=tmp_path_factory.mktemp("log") / "log.jsonl", reader=PAYLOADS[28])
    made.gallery.decide([0], "reject")
    return made


@pytest.fixture
def guarded(chromium: Browser) -> Iterator[Page]:
    """A page that counts what ran, and whose own policy for content is switched off: that alone must not protect it.

    Without the policy Chromium asks servers for an icon that none has.
    """
    with watched_page(chromium, bypass_csp=True, tolerated="error: Failed to load resource.*404") as page:
        page.add_init_script(ALARM)
        yield page
        assert executed(page) == []


def executed(page: Page) -> list[int]:
    page.wait_for_timeout(300)
    return sorted({one for frame in page.frames for one in frame.evaluate("() => hematoLabExecuted ?? []")})


def opened(page: Page, folder: Path, content: str | bytes) -> None:
    path = folder / "page.html"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    page.goto(path.as_uri())


def test_the_payloads_run_where_a_text_is_taken_for_markup(chromium: Browser, tmp_path: Path) -> None:
    page = chromium.new_page()
    page.add_init_script(ALARM)
    page.goto("about:blank")
    page.evaluate(
        "texts => { for (const text of texts) document.body.append(document.createElement('div')); "
        "[...document.body.children].forEach((one, at) => { one.innerHTML = texts[at]; }); }",
        list(PAYLOADS),
    )
    inserted = executed(page)
    parsed: set[int] = set()
    for payload in PAYLOADS:
        page.set_content(f"<p>{payload}</p><p>{payload}</p>")
        page.wait_for_timeout(5)
        parsed |= set(page.evaluate("() => hematoLabExecuted"))
    page.close()
    assert len(inserted) >= 25
    assert len(parsed) > 45
    assert len(set(inserted) | parsed) > 50


def spoilt_widgets(review: SmearReview, spoiler: Spoiler) -> list[SmearWidget]:
    analysis = review.analysis
    other = replace(analysis, detections=analysis.detections.select(np.arange(50)))
    widgets = [
        SmearViewer(analysis.smear, analysis.detections),
        CellGallery(review.review),
        ComparisonViewer(compare(analysis, other, labels=(PAYLOADS[28], PAYLOADS[66]))),
    ]
    for name, widget in zip(("viewer", "gallery", "comparison"), widgets, strict=True):
        spoiler.take_over(widget, name)
        widget.names = list(PAYLOADS)
        widget.colours = list(PAYLOADS)
    widgets[1].choices = [[chr(97 + at % 26), one] for at, one in enumerate(PAYLOADS)]
    return widgets


@pytest.mark.parametrize("rounds", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_no_text_that_python_sends_runs(guarded: Page, review: SmearReview, rounds: int) -> None:
    """Each round opens one more view of everything, points at cells, decides, and closes the views."""
    spoiler = Spoiler()
    widgets = spoilt_widgets(review, spoiler)
    plain = PlainPage(guarded, *widgets)
    for number in range(1, rounds + 1):
        for index in range(3):
            plain.show(index)
        for widget in widgets:
            widget.selected = [number % 40]
        plain.deliver()
        views = guarded.locator("main > section")
        views.nth(4).locator(".gallery-grid").press("a")
        views.nth(4).get_by_role("button", name="save").click()
        for view in (3, 5):
            views.nth(view).locator("canvas").first.hover()
            guarded.wait_for_timeout(200)
        for index in range(3):
            plain.remove_view(3 * number + index)
    assert executed(guarded) == []
    places = spoiler.given
    assert len(places) >= 20
    reached = set.union(*places.values())
    assert len(reached) == len(PAYLOADS)
    if rounds >= len(PAYLOADS):
        assert sum(len(one) == len(PAYLOADS) for one in places.values()) >= 20


PAGES = ("review", "comparison", "report", "comparison of reports", "embedded", "notebook")


@pytest.mark.parametrize("kind", PAGES)
def test_no_text_of_a_smear_or_report_runs_on_a_page(
    guarded: Page, review: SmearReview, tmp_path: Path, kind: str
) -> None:
    analysis = review.analysis
    compared = compare(analysis, replace(analysis), labels=(PAYLOADS[28], PAYLOADS[66]))
    if kind == "review":
        content: str | bytes = review.to_html(title=PAYLOADS[0], remarks=PAYLOADS)
    elif kind == "comparison":
        content = ComparisonViewer(compared).to_html(title=PAYLOADS[5], remarks=PAYLOADS)
    elif kind == "report":
        content = render(analysis, "html")
    elif kind == "comparison of reports":
        content = render_page(compared)
    elif kind == "embedded":
        content = f"<!doctype html><title>t</title>{review.embed()._repr_html_()}"
    else:
        content = f"<!doctype html><title>t</title>{analysis._repr_html_()}{compared._repr_html_()}"
    opened(guarded, tmp_path, content)
    guarded.wait_for_timeout(500)
    assert executed(guarded) == []
    assert guarded.get_by_text(PAYLOADS[28]).count() or kind == "embedded", "shown as it is"


def test_no_text_runs_on_the_page_of_the_command(guarded: Page, review: SmearReview) -> None:
    with LoopbackServer([review.viewer, review.gallery], title=PAYLOADS[0], words=PAYLOADS[28]) as server:
        guarded.goto(server.address)
        guarded.get_by_role("button", name="save").wait_for()
        before = len(review.decisions)
        guarded.locator(".gallery-grid").press("7")
        guarded.wait_for_timeout(500)
        assert len(review.decisions) == before + 1
        assert executed(guarded) == []
        guarded.goto("about:blank")
