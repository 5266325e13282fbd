"""Widgets that several pages look at: what one page, or Python, changes reaches all the others."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from traitlets import TraitError

from hemato_lab.errors import InputError
from hemato_lab.widgets.pages import synced_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hemato_lab.widgets.base import SmearWidget

_READING: Final = frozenset({"tiles", "crops", "card", "table", "export"})
"""Requests that change no value of a widget, so many of them may be answered at a time."""


@dataclass
class Reply:
    """Messages for a page, with the buffers that they speak of by number.

    Attributes
    ----------
    version : int
        Of the widgets' state; a page that has seen it lacks nothing that came before.
    messages : list of dict
        As ``js/loopback_transport.js`` takes them.
    buffers : list of bytes
        Of all messages.
    """

    version: int
    messages: list[dict[str, Any]] = field(default_factory=list)
    buffers: list[bytes] = field(default_factory=list)

    def add_buffer(self, content: bytes) -> int:
        """Add a buffer and return its number."""
        self.buffers.append(content)
        return len(self.buffers) - 1


@dataclass(frozen=True, slots=True)
class _Change:
    version: int
    page: str | None
    """Which page made it, and so need not be told; None for Python."""


class SharedWidgets:
    """Widgets by key, and who knows which of their values.

    Parameters
    ----------
    widgets : mapping of str to SmearWidget
        By the id of the element that each is shown in.
    """

    def __init__(self, widgets: Mapping[str, SmearWidget]) -> None:
        self._widgets = dict(widgets)
        self._changed = threading.Condition(threading.RLock())
        self._version = 1
        self._changes: dict[tuple[str, str], _Change] = {}
        self._saving: tuple[str, str, frozenset[str]] | None = None
        self._is_closed = False
        self._answering = {key: threading.Lock() for key in self._widgets}
        self._observers = [(widget, partial(self._note, key)) for key, widget in self._widgets.items()]
        for widget, observer in self._observers:
            widget.observe(observer, names=_names_of(widget))

    def states(self) -> Reply:
        """Return the whole state of every widget."""
        with self._changed:
            reply = Reply(self._version)
            for key, widget in self._widgets.items():
                state, buffers = synced_state(widget)
                self._add_state(reply, key, (*state, *buffers))
            return reply

    def ask(self, key: str, content: object, buffers: Sequence[bytes]) -> Reply:
        """Return a widget's answer to a question of its view.

        Raises
        ------
        InputError
            If there is no such widget.
        """
        widget = self._widget(key)
        kind = content.get("kind") if isinstance(content, dict) else None
        if isinstance(kind, str) and kind in _READING:
            answer = widget.answer(content, buffers)
        else:
            # Not the lock of the values: an answer may wait for the disk, or for another process that decides.
            with self._answering[key]:
                answer = widget.answer(content, buffers)
        reply = Reply(0)
        places = [reply.add_buffer(one) for one in answer.buffers]
        reply.messages.append({"widget": key, "kind": "answer", "content": answer.content, "buffers": places})
        return reply

    def save(self, page: str, key: str, changes: Mapping[str, Any]) -> Reply:
        """Set traits of a widget as a page has them; what cannot be so is sent back as it is.

        Raises
        ------
        InputError
            If there is no such widget, or a trait is none that a page may set.
        """
        widget = self._widget(key)
        with self._changed:
            if not changes.keys() <= widget.SET_BY_READERS:
                raise InputError("a page cannot set such a value of this widget")
            with self._saved_by(page, key, changes):
                refused = [name for name, value in changes.items() if not _was_set(widget, name, value)]
            reply = Reply(self._version)
            if refused:
                self._add_state(reply, key, refused)
            return reply

    def wait(self, page: str, seen: int, timeout_s: float) -> Reply:
        """Return what changed since a version, by anybody but this page; wait for it for a while.

        Parameters
        ----------
        page : str
            Who asks.
        seen : int
            The last version that this page knows.
        timeout_s : float
            Seconds after which the reply is empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or bool(self._news(page, seen)), timeout_s)
            reply = Reply(self._version)
            news = self._news(page, seen)
            for key in self._widgets:
                if names := [name for owner, name in news if owner == key]:
                    self._add_state(reply, key, names)
            return reply

    def close(self) -> None:
        """Let everybody go who waits, and the widgets."""
        for widget, observer in self._observers:
            widget.unobserve(observer, names=_names_of(widget))
        self._observers.clear()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _widget(self, key: str) -> SmearWidget:
        widget = self._widgets.get(key)
        if widget is None:
            raise InputError("there is no such widget on this page")
        return widget

    def _news(self, page: str, seen: int) -> list[tuple[str, str]]:
        return [place for place, one in self._changes.items() if one.version > seen and one.page != page]

    @contextmanager
    def _saved_by(self, page: str, key: str, names: Iterable[str]) -> Iterator[None]:
        self._saving = page, key, frozenset(names)
        try:
            yield
        finally:
            self._saving = None

    def _note(self, key: str, change: Mapping[str, Any]) -> None:
        name = change["name"]
        with self._changed:
            self._version += 1
            page = None
            if self._saving is not None and self._saving[1] == key and name in self._saving[2]:
                page = self._saving[0]
            self._changes[key, name] = _Change(self._version, page)
            self._changed.notify_all()

    def _add_state(self, reply: Reply, key: str, names: Iterable[str]) -> None:
        state, buffers = synced_state(self._widgets[key])
        wanted = set(names)
        message = {
            "widget": key,
            "kind": "state",
            "state": {name: value for name, value in state.items() if name in wanted},
            "bytes": {name: reply.add_buffer(value) for name, value in buffers.items() if name in wanted},
            "versions": {name: self._version_of(key, name) for name in wanted},
        }
        reply.messages.append(message)

    def _version_of(self, key: str, name: str) -> int:
        change = self._changes.get((key, name))
        return 0 if change is None else change.version


def _names_of(widget: SmearWidget) -> list[str]:
    state, buffers = synced_state(widget)
    return [*state, *buffers]


def _was_set(widget: SmearWidget, name: str, value: object) -> bool:
    """Set a trait; tell whether it now has this very value."""
    try:
        setattr(widget, name, value)
    except TraitError:
        return False
    state, buffers = synced_state(widget)
    now: object = buffers[name] if name in buffers else state[name]
    return now == value
