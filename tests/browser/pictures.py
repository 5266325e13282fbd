"""Makes the pictures of the widgets for README and docs: ``python -m tests.browser.pictures``."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

import hemato_lab as hl
from hemato_lab.resources import shipped
from hemato_lab.widgets.loopback import LoopbackServer
from tests.browser.chromium import launched, watched_page
from tests.browser.plain_page import PlainPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DOCS = Path(__file__).resolve().parents[2] / "docs"
MOST_BYTES = 300_000


def keep(page: Page, name: str) -> None:
    """Write what a page shows, in 256 colours of which none is far from those of the page."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    stream = io.BytesIO()
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE).save(
        stream, "PNG", optimize=True
    )
    assert len(stream.getvalue()) < MOST_BYTES, f"{name} is too large"
    (DOCS / name).write_bytes(stream.getvalue())
    print(f"{name}: {len(stream.getvalue()) // 1000} kB")


def review(browser: Browser, folder: Path) -> None:
    """The viewer with a heat map and a card, and the gallery with decisions."""
    analysis = hl.analyze(hl.open_smear(shipped("sample_data") / "acute_leukaemia"))
    shown = hl.view(analysis, decisions=folder / "viewer.jsonl")
    names = analysis.detections["name"]
    blasts = [row for row, name in enumerate(names) if name == "blast"]
    with watched_page(browser, viewport={"width": 1100, "height": 600}) as page:
        shown.viewer.density = "kernel"
        PlainPage(page, shown.viewer, style="body { margin: 0 }")
        page.wait_for_timeout(800)
        box = page.locator("canvas").first.bounding_box()
        assert box is not None
        field = analysis.smear.fields[0]
        zoom = min(box["width"] / field.width, box["height"] / field.height)
        cell = [float(analysis.detections[key][blasts[0]]) for key in ("x", "y")]
        left = box["x"] + box["width"] / 2 + (cell[0] - field.width / 2) * zoom
        page.mouse.move(left, box["y"] + box["height"] / 2 + (cell[1] - field.height / 2) * zoom)
        page.wait_for_timeout(1200)
        keep(page, "viewer.png")
    shown.gallery.decide(blasts[:5], "accept")
    shown.gallery.decide([row for row, name in enumerate(names) if name == "uncategorised RBC"][:3], "reject")
    shown.gallery.decide(
        [row for row, name in enumerate(names) if name == "ovalocyte"][:2], "reclassify", "elliptocyte"
    )
    shown.gallery.selected = [blasts[5]]
    with watched_page(browser, viewport={"width": 1100, "height": 960}) as page:
        PlainPage(page, shown.gallery, style="body { margin: 8px }")
        page.wait_for_timeout(1500)
        keep(page, "gallery.png")


def comparison(browser: Browser) -> None:
    smear = hl.open_smear(shipped("sample_data") / "malaria")
    compared = hl.compare(hl.analyze(smear), hl.analyze(smear, detector="classical"), labels=("network", "classical"))
    with watched_page(browser, viewport={"width": 1100, "height": 760}) as page:
        PlainPage(page, hl.view(compared), style="body { margin: 0 }")
        page.wait_for_timeout(1500)
        keep(page, "comparison.png")


def view_command(browser: Browser, folder: Path) -> None:
    analysis = hl.analyze(hl.open_smear(shipped("sample_data") / "malaria"))
    shown = hl.view(analysis, decisions=folder / "command.jsonl")
    with (
        LoopbackServer([shown.viewer, shown.gallery], title="malaria", words="Decisions are kept.") as server,
        watched_page(browser, viewport={"width": 1100, "height": 1000}) as page,
    ):
        page.goto(server.address)
        page.wait_for_timeout(2000)
        keep(page, "view_command.png")
        page.goto("about:blank")


def main() -> None:
    """Make all of them."""
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        review(browser, Path(folder))
        comparison(browser)
        view_command(browser, Path(folder))


if __name__ == "__main__":
    main()
