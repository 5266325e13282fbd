"""A viewer on a page, with places of its picture: what the tests of the viewer share."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from hemato_lab.detections import Detections
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.smear import ArraySource, Field, Scale, Smear
from hemato_lab.widgets.smear_viewer import SmearViewer
from tests.browser.plain_page import PlainPage

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SIZE = (800, 500)
UM_PER_PX = 0.1
CELLS = [
    (0, 100.0, 100.0, 20.0, "normal RBC", 0.9),
    (0, 300.0, 100.0, 20.0, "normal RBC", 0.4),
    (0, 500.0, 120.0, 20.0, "ring trophozoite", 0.8),
    (0, 300.0, 400.0, 45.0, "neutrophil", 0.95),
    (0, 600.0, 420.0, 8.0, "platelet", 0.6),
    (1, 200.0, 200.0, 20.0, "normal RBC", 0.9),
    (1, 420.0, 300.0, 20.0, "macrocyte", 0.7),
]


def field(name: str, seed: int) -> Field:
    pixels = np.full((SIZE[1], SIZE[0], 3), (236, 232, 240), np.uint8)
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    for index, x, y, radius, *_ in CELLS:
        if index == seed:
            pixels[np.hypot(columns - x, rows - y) < radius] = (205, 140, 160)
    return Field(name, ArraySource(pixels), f"sha224-i-{seed:056d}")


def made(**settings: Any) -> SmearViewer:
    smear = Smear("a smear", (field("first.png", 0), field("second.png", 1)), {}, Scale.from_um_per_px(UM_PER_PX))
    index, x, y, radius, name, score = zip(*CELLS, strict=True)
    columns = {"field": index, "x": x, "y": y, "radius": radius, "name": name, "score": score}
    return SmearViewer(smear, Detections({key: np.array(values) for key, values in columns.items()}), **settings)


RESET = ("hidden", "minimum_score", "selected", "density", "density_of", "marks", "arrangement")


class Opened:
    """A viewer on a page, with places of its picture."""

    def __init__(self, page: Page, viewer: SmearViewer) -> None:
        self.page, self.viewer = page, viewer
        self.before = {name: getattr(viewer, name) for name in RESET}
        self.plain = PlainPage(page, viewer)
        self.canvas: Locator = page.locator(".stage canvas").first
        page.get_by_text(RESEARCH_USE_NOTICE).first.wait_for()

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A pixel of the field in view on the page, while all of the field is seen."""
        box = self.canvas.bounding_box()
        assert box is not None
        zoom = min(box["width"] / SIZE[0], box["height"] / SIZE[1])
        left = box["x"] + box["width"] / 2 + (x + 0.5 - SIZE[0] / 2) * zoom
        return left, box["y"] + box["height"] / 2 + (y + 0.5 - SIZE[1] / 2) * zoom

    def until(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def wait_for(self, name: str, value: Any) -> None:
        """Wait until Python has a trait's value."""
        for _ in range(100):
            if getattr(self.viewer, name) == value:
                return
            self.page.wait_for_timeout(20)
        assert getattr(self.viewer, name) == value

    def status(self) -> str:
        return self.page.locator(".viewer-foot .status > span").first.text_content() or ""

    def pixel(self, x: float, y: float) -> tuple[int, int, int]:
        """Colour on the screen at a pixel of the field."""
        left, top = self.place(x, y)
        clip = {"x": round(left), "y": round(top), "width": 1, "height": 1}
        return Image.open(io.BytesIO(self.page.screenshot(clip=clip))).convert("RGB").getpixel((0, 0))  # type: ignore[return-value]

    def reset(self) -> None:
        """As it was opened."""
        for name, value in self.before.items():
            setattr(self.viewer, name, value)
        self.plain.deliver()
        self.page.get_by_label("Field", exact=True).select_option("0")
        self.canvas.press("0")
        self.page.mouse.move(2, 2)
        self.page.wait_for_timeout(60)
