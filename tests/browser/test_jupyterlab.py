"""A pathologist's morning in JupyterLab: look, decide by keyboard, restart, find all decisions again, export."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.resources import shipped
from tests.browser.chromium import watched_page
from tests.browser.jupyterlab import TOLERATED, running_lab
from tests.browser.reading_pages import too_faint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.browser.jupyterlab import Lab, Notebook

PATIENT = "Erika-Mustermann-1957"
READER = "DrSeltsamerName"
TAG = "Ward7Bed3"
ANALYSE = f"""import hemato_lab as hl
smear = hl.open_smear({PATIENT!r}, tags={{"ward": {TAG!r}}})
analysis = hl.analyze(smear, detector="classical")
review = hl.view(analysis, reader={READER!r})
review"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        images = shipped("sample_data") / "acute_leukaemia" / "images"
        shutil.copytree(images, running.folder / PATIENT)
        yield running


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    with watched_page(chromium, tolerated=TOLERATED, viewport={"width": 1400, "height": 1000}) as page:
        yield page


def open_review(page: Page) -> None:
    page.locator(".jp-OutputArea .smear-viewer").get_by_text(RESEARCH_USE_NOTICE).wait_for()
    page.get_by_text(re.compile(r"\d+ of \d+ cells decided")).first.wait_for()


def decided(page: Page, count: int) -> None:
    page.get_by_text(re.compile(rf"\b{count} of \d+ cells decided")).first.wait_for()


def look(page: Page, notebook: Notebook) -> None:
    """Zoom in, hide a finding, ask for surer cells, show the heat map; Python has all of it."""
    canvas = page.locator(".smear-viewer .stage canvas").first
    canvas.scroll_into_view_if_needed()
    canvas.hover()
    page.wait_for_timeout(300)  # the wheel belongs to the page while that scrolls
    for _ in range(3):
        page.mouse.wheel(0, -200)
    page.get_by_label("WBC", exact=True).first.uncheck()
    typed = page.get_by_label("Least score, typed")
    typed.fill("0,25")
    typed.press("Enter")
    canvas.press("h")
    page.wait_for_timeout(500)
    said = json.loads(
        notebook.ask(
            "import json; v = review.viewer; print(json.dumps([v.viewport, v.hidden, v.minimum_score, v.density]))"
        )
    )
    assert len(said[0]) == 4
    assert said[1:] == [["WBC"], 0.25, "kernel"]


def decide(page: Page, notebook: Notebook) -> None:
    """Reclassify twenty cells by keyboard, and take three back."""
    grid = page.locator(".jp-OutputArea .gallery-grid").first
    grid.scroll_into_view_if_needed()
    grid.focus()
    for _ in range(20):
        page.keyboard.press("7")
    decided(page, 20)
    for _ in range(3):
        page.keyboard.press("u")
    decided(page, 17)
    assert notebook.ask("print(sum(one == 3 for one in review.gallery.decided))") == "17"
    kinds = "() => [...document.querySelectorAll('.jp-Notebook-cell')].map((one) => one.className)"
    (only,) = page.evaluate(kinds)
    assert "jp-CodeCell" in only, "keys of the gallery are none of the notebook, which would add or change cells"


def assert_nothing_private(document: dict[str, Any]) -> None:
    """Neither names, labels, tags nor pixels are saved; what was looked at is."""
    saved = json.dumps([[one.get("outputs", []) for one in document["cells"]], document["metadata"]])
    assert "application/vnd.jupyter.widget-view+json" in saved
    assert "minimum_score" in json.dumps(document["metadata"]), "the state of widgets is saved at all"
    for private in (PATIENT, READER, TAG, "field_01", "/9j/", "iVBOR", "data:image", "token"):
        assert private not in saved, private


def test_a_pathologists_decisions_outlive_the_kernel_and_leave_as_a_report(lab: Lab, tab: Page) -> None:
    notebook = lab.open(tab, ANALYSE)
    notebook.run_all(timeout_s=120)
    open_review(tab)
    look(tab, notebook)
    decide(tab, notebook)
    assert_nothing_private(notebook.save())

    notebook.restart_kernel()
    notebook.run_all(timeout_s=120)
    decided(tab, 17)
    notebook.ask("from hemato_lab.export import write; write(review.corrected(), 'corrected.json')")
    report = json.loads((lab.folder / "corrected.json").read_text(encoding="utf-8"))
    counted = report.get("results", report)["hemato_lab"]["review"]["decisions"]
    assert counted["counts"]["renamed"] == 17
    with tab.expect_download() as download:
        tab.locator(".jp-OutputArea").get_by_role("button", name="save").click()
    saved = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert saved.get("results", saved)["hemato_lab"]["review"]["decisions"] == counted


TWICE = f"""import hemato_lab as hl
review = hl.view(hl.analyze({PATIENT!r}, detector="classical"), decisions="log.jsonl")
review.viewer"""


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_widget_that_is_shown_twice_is_one_and_readable_in_every_theme(lab: Lab, tab: Page, theme: str) -> None:
    notebook = lab.open(tab, TWICE, "review.viewer", "review.gallery", name="twice.ipynb")
    tab.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    notebook.run_all(timeout_s=120)
    tab.get_by_text(re.compile(r"\d+ of \d+ cells decided")).first.wait_for()
    notebook.ask("review.viewer.selected = [3]")
    for cell in (0, 1):
        notebook.output(cell).get_by_text("selected:").wait_for(state="attached")
        assert too_faint(tab, f".jp-Notebook-cell:nth-of-type({cell + 1}) .hemato-lab") == []
    assert too_faint(tab, ".hemato-lab.gallery") == []
    tab.screenshot(path=str(lab.folder / f"{theme}.png"))
