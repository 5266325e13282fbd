from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets
from anywidget import AnyWidget

from tests.browser.plain_page import PlainPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

ECHO = """
function render({ model, el }) {
  const text = document.createElement("p");
  const add = document.createElement("button");
  add.textContent = "more";
  const show = () => {
    text.textContent = `${model.get("count")} ${new Uint8Array(model.get("cells").buffer).join("-")}`;
  };
  const answered = (content, buffers) => { el.dataset.answer = `${content.kind} ${buffers[0].getUint8(1)}`; };
  add.addEventListener("click", () => {
    model.set("count", model.get("count") + 1);
    model.save_changes();
    model.send({ kind: "hello" }, undefined, [new Uint8Array([1, 250])]);
  });
  model.on("change:count", show);
  model.on("msg:custom", answered);
  show();
  el.append(text, add);
  return () => { model.off("change:count", show); model.off("msg:custom", answered); };
}
export default { render };
"""


class Echo(AnyWidget):
    _esm = ECHO
    _css = "p { color: red; }"
    count = traitlets.Int(1).tag(sync=True)
    cells = traitlets.Bytes(b"\x01\x02").tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.on_msg(self._answer)

    def _answer(self, _: object, content: dict[str, object], buffers: list[memoryview]) -> None:
        self.send({"kind": f"{content['kind']} too"}, [bytes(buffers[0])[::-1] * 2])


def test_a_widgets_traits_messages_and_buffers_go_both_ways_between_python_and_every_view(page: Page):
    widget = Echo()
    plain = PlainPage(page, widget)
    plain.show()
    assert page.locator("p").all_text_contents() == ["1 1-2"] * 2
    page.get_by_role("button", name="more").first.click()
    page.wait_for_selector("section[data-answer]")
    assert page.locator("section").nth(1).get_attribute("data-answer") == "hello too 1"
    assert widget.count == 2
    assert [one["kind"] for one in plain.traffic().asked] == ["hello"]
    assert plain.traffic().bytes_sent > 4

    widget.count = 40
    widget.cells = b"\xff"
    widget.count = 41
    plain.deliver()
    assert page.locator("p").all_text_contents() == ["41 255"] * 2
    plain.remove_view(0)
    widget.count = 42
    plain.deliver()
    assert page.locator("p").all_text_contents() == ["42 255"]
    assert plain.model_value("cells") == [255]
