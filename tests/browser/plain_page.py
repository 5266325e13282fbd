"""Any anywidget on a bare page: its own module in Chromium, its state and messages joined to the Python object.

The Python half runs unchanged over ipywidgets' own protocol; only the comm between kernel and browser is replaced. The
JavaScript half sees what anywidget gives it: ``render({ model, el })``.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ipywidgets.widgets.widget import _put_buffers, _remove_buffers

from tests.browser.plain_model import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anywidget import AnyWidget
    from playwright.sync_api import Page, Route

ADDRESS: Final = "http://localhost/plain-page"
FRAME: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Widgets</title></head><body><main></main></body></html>"""
UNSEEN: Final = ("_esm", "_css", "layout", "tooltip")


@dataclass
class Traffic:
    """The messages of one widget since it was opened or `clear` was called."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    answered: list[dict[str, Any]] = field(default_factory=list)
    bytes_sent: int = 0
    """Bytes from Python to the browser: contents, traits and buffers."""

    def clear(self) -> None:
        self.asked.clear()
        self.answered.clear()
        self.bytes_sent = 0


class _Joined:
    """One widget whose comm ends in the page."""

    def __init__(self, widget: AnyWidget) -> None:
        self.widget = widget
        self.traffic = Traffic()
        self.waiting: list[dict[str, Any]] = []
        widget.comm.publish_msg = self._publish

    def state(self) -> dict[str, Any]:
        state = {name: value for name, value in self.widget.get_state().items() if name not in UNSEEN}
        return self._packed("update", state)

    def take(self, method: str, content: dict[str, Any], paths: list[Any], buffers: list[str]) -> None:
        """Give the widget a message as the kernel would, but let exceptions, which that logs, fail the test."""
        received = [memoryview(b64decode(one)) for one in buffers]
        if method == "update":
            _put_buffers(content, paths, received)
            self.widget.set_state(content)
        else:
            self.traffic.asked.append(content)
            self.widget._handle_custom_msg(content, received)

    def drain(self) -> list[dict[str, Any]]:
        waiting, self.waiting = self.waiting, []
        return waiting

    def _publish(self, kind: str, data: Any = None, buffers: Any = None, **_: Any) -> None:
        if kind != "comm_msg" or data["method"] == "echo_update":
            return
        if data["method"] == "custom":
            self.traffic.answered.append(data["content"])
            self.waiting.append(self._message("custom", data["content"], [], buffers or []))
        else:
            self.waiting.append(self._message("update", data["state"], data["buffer_paths"], buffers or []))

    def _packed(self, method: str, state: dict[str, Any]) -> dict[str, Any]:
        plain, paths, buffers = _remove_buffers(state)
        return self._message(method, plain, paths, buffers)

    def _message(self, method: str, content: Any, paths: list[Any], buffers: Iterable[Any]) -> dict[str, Any]:
        raw = [bytes(one) for one in buffers]
        self.traffic.bytes_sent += len(json.dumps(content)) + sum(map(len, raw))
        return {
            "method": method,
            "content": content,
            "paths": paths,
            "buffers": [b64encode(one).decode() for one in raw],
        }


class PlainPage:
    """Widgets on a bare page, each in a ``section`` of its own in the given order."""

    def __init__(self, page: Page, *widgets: AnyWidget, style: str = "") -> None:
        self.page = page
        self._joined = [_Joined(widget) for widget in widgets]
        page.route(ADDRESS, _serve_frame)
        page.expose_binding("hematoLabTellPython", self._told)
        page.goto(ADDRESS)
        page.add_style_tag(content=style + "\n".join(str(getattr(one, "_css", "")) for one in widgets))
        page.add_script_tag(content=MODEL)
        for index, one in enumerate(self._joined):
            page.evaluate("([index, state]) => hematoLabPlainPage.open(index, state)", [index, one.state()])
            self.show(index)

    def show(self, index: int = 0) -> None:
        """Add one more view of a widget."""
        code = str(self._joined[index].widget._esm)
        self.page.evaluate("([index, code]) => hematoLabPlainPage.show(index, code)", [index, code])
        self.deliver()

    def remove_view(self, number: int) -> None:
        """Take away a view, counted over all in the order of their opening, as a closed output would."""
        self.page.evaluate("number => hematoLabPlainPage.remove(number)", number)

    def deliver(self) -> None:
        """Hand the page what Python changed by itself; what follows from a message of the page comes without this."""
        messages = self._drain()
        if messages:
            self.page.evaluate("messages => hematoLabPlainPage.deliver(messages)", messages)

    def traffic(self, index: int = 0) -> Traffic:
        """The messages of a widget."""
        return self._joined[index].traffic

    def model_value(self, name: str, index: int = 0) -> Any:
        """A trait as the page has it; bytes come as a list of numbers."""
        return self.page.evaluate("([index, name]) => hematoLabPlainPage.value(index, name)", [index, name])

    def _told(self, _source: Any, index: int, message: dict[str, Any]) -> list[Any]:
        self._joined[index].take(message["method"], message["content"], message["paths"], message["buffers"])
        return self._drain()

    def _drain(self) -> list[Any]:
        return [[index, message] for index, one in enumerate(self._joined) for message in one.drain()]


def _serve_frame(route: Route) -> None:
    route.fulfill(body=FRAME, content_type="text/html; charset=utf-8")
