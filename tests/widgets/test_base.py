"""What all widgets share: dispatch of requests, frames, what a notebook keeps."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.formatters import DisplayFormatter

from hemato_lab.errors import ConfigError, UnreadableInputError
from hemato_lab.widgets import base
from hemato_lab.widgets.base import Answer, Embedded, SmearWidget

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hemato_lab.widgets.base import Answerer


class Plainest(SmearWidget):
    ENTRY = "plainest.js"

    def hello(self) -> dict[str, Any]:
        return {"title": "plain", "kind": "something else"}

    def answerers(self) -> Mapping[str, Answerer]:
        return {**super().answerers(), "card": self._card, "table": self._table}

    def _card(self, fields: Any) -> Answer:
        if fields.row == 7:
            raise UnreadableInputError("is gone", subject="a.tif", hint="copy it again")
        return Answer({"lines": [["row", str(fields.row)]]}, [b"one", b"two"])

    def _table(self, fields: Any) -> Answer:
        raise ZeroDivisionError(str(fields))

    def to_png(self) -> bytes:
        return b"picture"


@pytest.fixture
def widget(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plainest]:
    monkeypatch.setattr(base, "bundle", lambda entry: f"// {entry}")
    monkeypatch.setattr(base, "stylesheet", lambda: ".hemato-lab {}")
    made = Plainest()
    yield made
    made.close()


def test_module_and_stylesheet_are_synced(widget: Plainest) -> None:
    assert widget._esm == "// plainest.js"
    assert widget._css == ".hemato-lab {}"
    assert {"_esm", "_css"} <= set(widget.keys)


def test_an_answer_repeats_kind_and_request_whatever_it_holds(widget: Plainest) -> None:
    assert widget.answer({"kind": "hello", "request": "v1"}) == Answer(
        {"title": "plain", "kind": "hello", "request": "v1"}
    )
    answer = widget.answer({"kind": "card", "request": "v2", "row": 3})
    assert answer.content == {"lines": [["row", "3"]], "kind": "card", "request": "v2"}
    assert answer.buffers == [b"one", b"two"]


def test_known_failures_are_told_and_unknown_ones_are_not_hidden(widget: Plainest) -> None:
    told = widget.answer({"kind": "card", "request": "v3", "row": 7})
    assert told.content == {"kind": "problem", "request": "v3", "text": "a.tif: is gone (copy it again)"}
    assert "does not answer" in widget.answer({"kind": "undo", "request": "v4"}).content["text"]
    with pytest.raises(ZeroDivisionError):
        widget.answer({"kind": "table", "request": "v5"})


def test_a_message_is_answered_once_to_every_view(widget: Plainest, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append((content, buffers)))
    widget._handle_custom_msg({"kind": "card", "request": "v6", "row": 1}, [memoryview(b"ignored")])
    assert sent == [({"lines": [["row", "1"]], "kind": "card", "request": "v6"}, [b"one", b"two"])]


def test_a_notebook_keeps_no_picture_unless_asked(widget: Plainest) -> None:
    data, _ = DisplayFormatter().format(widget)
    assert set(data) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    keeping = Plainest(keep_picture=True)
    kept, _ = DisplayFormatter().format(keeping)
    assert kept["image/png"] in {b"picture", "cGljdHVyZQ=="}
    keeping.close()


def test_what_a_widget_has_to_say_itself(widget: Plainest) -> None:
    for name in ("smear", "detections"):
        with pytest.raises(NotImplementedError):
            getattr(widget, name)
    for method in (SmearWidget.hello, SmearWidget.to_png):
        with pytest.raises(NotImplementedError):
            method(widget)


def test_a_page_in_a_frame_can_leave_it_nowhere() -> None:
    page = '<!doctype html><p title="\'&quot;">&lt;</p><script>if (1 < 2) {}</script></iframe>'
    frames: list[dict[str, str | None]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            frames.append({"tag": tag, **dict(attributes)})

    Reader().feed(Embedded(page, 480)._repr_html_())
    (frame,) = frames
    assert frame["srcdoc"] == page
    assert frame["sandbox"] == "allow-scripts allow-downloads"
    assert "height: 480px" in str(frame["style"])


def test_a_widget_without_its_module_says_which_file_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"plainest\.js: cannot be read"):
        Plainest()
