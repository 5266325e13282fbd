"""The viewer of smears as a reader uses it: mouse, keys, touch; and its traits in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.errors import UnreadableInputError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.smear import Field, Smear
from hemato_lab.widgets.smear_viewer import SmearViewer
from tests.browser.chromium import watched_page
from tests.browser.viewer_page import SIZE, UM_PER_PX, Opened, field, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from hemato_lab.smear import RGB, Window


@pytest.fixture(scope="module")
def kept(chromium: Browser) -> Iterator[Opened]:
    with watched_page(chromium) as page:
        yield Opened(page, made())


@pytest.fixture
def opened(kept: Opened) -> Opened:
    """The same viewer for all tests, which opening anew would make slow."""
    kept.reset()
    return kept


def test_it_shows_title_fields_findings_with_counts_scale_bar_and_notice(opened: Opened):
    page = opened.page
    assert page.locator(".title").text_content() == "a smear"
    assert page.locator("select").first.locator("option").all_text_contents() == [
        "1 of 2: first.png",
        "2 of 2: second.png",
    ]
    listed = page.locator(".finding").all_text_contents()
    assert [one.replace("only", " ") for one in listed] == [
        "Red cells2 / 4",
        "normal RBC 2 / 3",
        "macrocyte 0 / 1",
        "Parasites1 / 1",
        "ring trophozoite 1 / 1",
        "White cells1 / 1",
        "neutrophil 1 / 1",
        "Platelets1 / 1",
        "platelet 1 / 1",
    ]
    opened.until("document.querySelector('.status > span').textContent.includes('5 cells shown')")
    assert page.locator(".scale-bar").text_content() == "10 µm"
    zoom = page.evaluate("document.querySelector('.scale-bar .bar').getBoundingClientRect().width") / (10 / UM_PER_PX)
    box = opened.canvas.bounding_box()
    assert box is not None
    assert zoom == pytest.approx(min(box["width"] / SIZE[0], box["height"] / SIZE[1]), rel=0.02)
    opened.until("document.querySelector('.stage canvas').getAttribute('aria-label').includes('800 by 500 pixels')")
    assert opened.pixel(100, 100) == pytest.approx((205, 140, 160), abs=6)
    assert opened.pixel(20, 20) == pytest.approx((236, 232, 240), abs=4)


def test_findings_are_shown_and_hidden_from_both_sides(opened: Opened):
    page, viewer = opened.page, opened.viewer
    rim = opened.pixel(100, 80)
    page.get_by_label("normal RBC", exact=True).uncheck()
    opened.wait_for("hidden", ["normal RBC"])
    page.wait_for_timeout(50)
    assert opened.pixel(100, 80) != rim
    opened.until("document.querySelector('.status > span').textContent.includes('3 cells shown')")
    page.get_by_role("button", name="Show only platelet").focus()
    page.keyboard.press("Enter")
    opened.wait_for("hidden", ["normal RBC", "macrocyte", "ring trophozoite", "neutrophil"])
    viewer.hidden = []
    opened.plain.deliver()
    assert page.get_by_label("normal RBC", exact=True).is_checked()
    page.get_by_label("Red cells").uncheck()
    opened.wait_for("hidden", ["normal RBC", "macrocyte"])
    page.get_by_role("button", name="Hide all findings").click()
    opened.wait_for("hidden", list(viewer.names))
    page.get_by_role("button", name="Show all findings").click()
    opened.wait_for("hidden", [])


def test_the_score_is_slid_or_typed_with_comma_or_point(opened: Opened):
    page = opened.page
    typed = page.get_by_label("Least score, typed")
    for text, value in (("0,5", 0.5), ("0.85", 0.85)):
        typed.fill(text)
        typed.press("Enter")
        opened.wait_for("minimum_score", value)
    assert typed.input_value() == "0.85"
    opened.until("document.querySelector('.status > span').textContent.includes('2 cells shown')")
    typed.fill("many")
    typed.press("Enter")
    assert typed.get_attribute("aria-invalid") == "true"
    assert opened.viewer.minimum_score == 0.85
    page.get_by_role("slider", name="Least score").press("ArrowLeft")
    opened.wait_for("minimum_score", 0.84)
    assert typed.get_attribute("aria-invalid") is None


def test_the_wheel_zooms_at_the_pointer_and_python_learns_what_is_seen(opened: Opened):
    x, y = opened.place(500, 120)
    opened.page.mouse.move(x, y)
    for _ in range(4):
        opened.page.mouse.wheel(0, -300)
    opened.until("!document.querySelector('.status > span').textContent.includes('zoom 1')")
    opened.page.wait_for_timeout(400)
    index, at_x, at_y, zoom = opened.viewer.viewport
    assert index == 0
    box = opened.canvas.bounding_box()
    assert box is not None
    assert zoom > 4
    off = (x - box["x"] - box["width"] / 2) / zoom, (y - box["y"] - box["height"] / 2) / zoom
    assert (at_x + off[0], at_y + off[1]) == pytest.approx((500, 120), abs=1.5)
    opened.viewer.viewport = [1.0, 420.0, 300.0, 3.0]
    opened.plain.deliver()
    opened.until("document.querySelector('.status > span').textContent.startsWith('field 2 of 2 · zoom 300 %')")


def test_cells_are_selected_one_by_one_in_boxes_and_dropped(opened: Opened):
    page, mouse = opened.page, opened.page.mouse
    mouse.click(*opened.place(500, 120))
    opened.wait_for("selected", [2])
    opened.until(
        "document.querySelector('.status > span').textContent.includes('selected: ring trophozoite, score 0.80')"
    )
    page.keyboard.down("Shift")
    mouse.click(*opened.place(605, 423))
    opened.wait_for("selected", [2, 4])
    mouse.move(*opened.place(50, 50))
    mouse.down()
    mouse.move(*opened.place(350, 150), steps=3)
    mouse.up()
    opened.wait_for("selected", [2, 4, 0, 1])
    mouse.click(*opened.place(500, 120))
    opened.wait_for("selected", [4, 0, 1])
    page.keyboard.up("Shift")
    page.keyboard.press("Escape")
    opened.wait_for("selected", [])
    mouse.click(*opened.place(100, 100))
    opened.wait_for("selected", [0])
    mouse.click(*opened.place(700, 250))
    opened.wait_for("selected", [])


def test_what_python_selects_comes_into_view(opened: Opened):
    opened.viewer.selected = [6]
    opened.plain.deliver()
    opened.until("document.querySelector('.status > span').textContent.startsWith('field 2 of 2')")
    opened.until("document.querySelector('.status > span').textContent.includes('selected: macrocyte')")


def test_dragging_moves_the_picture_and_selects_nothing(opened: Opened):
    mouse = opened.page.mouse
    mouse.move(*opened.place(300, 400))
    mouse.down()
    mouse.move(*opened.place(380, 400), steps=4)
    mouse.up()
    opened.page.wait_for_timeout(400)
    index, x, y, _ = opened.viewer.viewport
    assert (index, x, y) == pytest.approx((0, SIZE[0] / 2 - 0.5 - 80, SIZE[1] / 2 - 0.5), abs=1.5)
    assert opened.viewer.selected == []


def test_the_card_says_what_python_knows_of_the_cell_and_what_a_reader_said(page: Page):
    decided = np.array([1, 0, 3, 2, 0, 0, 0], np.uint8)
    viewer = made()
    renamed = np.full(7, -1, "<i2")
    renamed[2] = viewer.names.index("platelet")
    viewer.decided, viewer.decided_names = decided.tobytes(), renamed.tobytes()
    opened = Opened(page, viewer)
    page.mouse.move(*opened.place(500, 120))
    card = page.locator(".card")
    card.get_by_text("first.png").wait_for()
    text = card.inner_text()
    assert text.startswith("platelet")
    assert "0.80" in text
    assert "reclassified" in text
    assert "ring trophozoite" in text
    assert [one["kind"] for one in opened.plain.traffic().asked].count("card") == 1
    page.mouse.move(*opened.place(700, 250))
    assert card.is_hidden()
    # A rejected cell is crossed and not counted.
    assert opened.pixel(290, 390) != opened.pixel(290, 400)
    assert "1 rejected cell not counted" in page.locator(".counted").inner_text()
    assert page.locator(".finding", has_text="White cells").is_hidden() is False
    assert "0 / 0" in page.locator(".finding", has_text="neutrophil").inner_text()


def test_the_whole_work_goes_by_keys(opened: Opened):
    page, viewer = opened.page, opened.viewer
    opened.canvas.focus()
    # There and back: the first band of cells is an odd one.
    for key, row in (("n", 2), ("n", 1), ("n", 0), ("p", 1)):
        page.keyboard.press(key)
        opened.wait_for("selected", [row])
    page.keyboard.press("Escape")
    opened.wait_for("selected", [])
    page.keyboard.press("PageDown")
    opened.until("document.querySelector('.status > span').textContent.startsWith('field 2 of 2')")
    page.keyboard.press("n")
    opened.wait_for("selected", [5])
    page.keyboard.press("[")
    opened.until("document.querySelector('.status > span').textContent.startsWith('field 1 of 2')")
    for density in ("kernel", "grid", "none"):
        page.keyboard.press("h")
        opened.wait_for("density", density)
    for marks in ("outline", "none", "circle"):
        page.keyboard.press("o")
        opened.wait_for("marks", marks)
    page.keyboard.press("m")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    box = opened.canvas.bounding_box()
    assert box is not None
    length = 0.15 * box["width"] / min(box["width"] / SIZE[0], box["height"] / SIZE[1])
    opened.until("document.querySelector('.status > span').textContent.includes('length')")
    said = opened.status().split("length ")[1].split(" µm")[0]
    assert float(said) == pytest.approx(length * UM_PER_PX, rel=0.01)
    page.keyboard.press("Escape")
    opened.until("!document.querySelector('.status > span').textContent.includes('length')")
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog", name="Keys").is_hidden()
    assert viewer.selected == [5]


def test_the_heat_map_has_a_legend_in_cells_per_mm2_and_follows_the_score(opened: Opened):
    page = opened.page
    page.get_by_label("smooth").check(force=True)
    legend = page.locator(".legend")
    legend.wait_for()
    assert "red cells per mm²" in legend.inner_text()
    assert "smoothed over 15 µm" in legend.inner_text()
    page.wait_for_timeout(100)
    top = page.locator(".legend-ticks span").nth(2).inner_text()
    opened.viewer.minimum_score = 0.85
    opened.plain.deliver()
    page.wait_for_timeout(200)
    assert page.locator(".legend-ticks span").nth(2).inner_text() != top
    page.get_by_label("Cells that the heat map counts").select_option("platelet")
    opened.wait_for("density_of", ["platelet"])
    page.get_by_label("squares").check(force=True)
    opened.until("document.querySelector('.legend').innerText.includes('in squares of 30 µm')")
    assert "platelet per mm²" in legend.inner_text()


def test_two_views_of_one_viewer_show_the_same(page: Page):
    opened = Opened(page, made())
    opened.plain.show()
    page.get_by_text(RESEARCH_USE_NOTICE).nth(1).wait_for()
    opened.canvas.focus()
    page.keyboard.press("n")
    page.locator(".status > span").nth(2).get_by_text("selected: ring trophozoite").wait_for()
    page.keyboard.press("]")
    opened.until("document.querySelectorAll('.status > span')[2].textContent.startsWith('field 2 of 2')")
    opened.plain.remove_view(0)
    opened.viewer.hidden = ["platelet"]
    opened.plain.deliver()
    assert not page.get_by_label("platelet", exact=True).is_checked()


def test_all_fields_as_a_strip_and_back_to_the_one_in_view(opened: Opened):
    page = opened.page
    page.get_by_label("all fields").check(force=True)
    opened.wait_for("arrangement", "strip")
    page.get_by_label("Field", exact=True).select_option("1")
    opened.until("document.querySelector('.status > span').textContent.startsWith('field 2 of 2')")
    page.wait_for_timeout(300)
    page.get_by_label("one field").check(force=True)
    opened.wait_for("arrangement", "pages")
    opened.until("document.querySelector('.status > span').textContent.startsWith('field 2 of 2')")


def test_it_fits_a_phone_and_fingers_select_and_pinch(chromium: Browser):
    phone = {"viewport": {"width": 400, "height": 800}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    with watched_page(chromium, **phone) as page:
        opened = Opened(page, made())
        assert page.evaluate("document.documentElement.scrollWidth <= 400")
        assert page.locator(".side-panel").is_hidden()
        page.touchscreen.tap(*opened.place(500, 120))
        opened.wait_for("selected", [2])
        page.get_by_role("button", name="Show or hide the list of findings (f)").tap()
        assert page.get_by_label("platelet", exact=True).is_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= 400")
        assert page.evaluate("document.querySelector('.stage canvas').width") == pytest.approx(
            2 * page.evaluate("document.querySelector('.stage').getBoundingClientRect().width"), abs=1
        )
        pinch(page, opened)
        opened.page.wait_for_timeout(400)
        assert opened.viewer.viewport[3] == pytest.approx(3 * 366 / SIZE[0], rel=0.2)


def pinch(page: Page, opened: Opened) -> None:
    """Two fingers that part to three times their distance around the middle of the picture."""
    middle = opened.place(SIZE[0] / 2, SIZE[1] / 2)
    page.evaluate(
        """([x, y]) => {
          const canvas = document.querySelector(".stage canvas");
          canvas.setPointerCapture = () => {};
          const tell = (type, pointerId, off) => canvas.dispatchEvent(new PointerEvent(type, {
            pointerId, pointerType: "touch", clientX: x + off, clientY: y, bubbles: true, button: 0 }));
          tell("pointerdown", 11, -20); tell("pointerdown", 12, 20);
          for (let off = 25; off <= 60; off += 5) { tell("pointermove", 11, -off); tell("pointermove", 12, off); }
          tell("pointerup", 11, -60); tell("pointerup", 12, 60);
        }""",
        list(middle),
    )


def test_a_smear_without_scale_or_cells_is_shown_and_says_what_is_missing(page: Page):
    opened = Opened(page, SmearViewer(Smear("bare", (field("only.png", 0),))))
    assert "No cells are listed." in page.locator(".findings").inner_text()
    assert "the scale of the picture is not known" in page.locator(".settings").inner_text()
    assert page.locator(".scale-bar").inner_text().endswith("px, scale unknown")
    opened.canvas.focus()
    for key in ("n", "p", "h", "]", "Escape", "0", "1", "+", "-"):
        page.keyboard.press(key)
    assert opened.viewer.density == "none"
    page.keyboard.press("0")
    assert opened.pixel(20, 20) == pytest.approx((236, 232, 240), abs=4)


class Gone:
    """A picture whose file was taken away."""

    width, height = SIZE

    def read(self, window: Window) -> RGB:
        assert window.width
        raise UnreadableInputError("its file is gone", subject="only.png")


def test_pixels_that_cannot_be_read_are_said(page: Page):
    opened = Opened(page, SmearViewer(Smear("bare", (Field("only.png", Gone(), "sha224-i-" + "0" * 56),))))
    opened.until("document.querySelector('.status > span').textContent.includes('its file is gone')")
