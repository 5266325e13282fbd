"""Fields of a dashboard whose content no notebook saves: it travels in messages and is no synchronised trait.

What a notebook or a page saves of a widget are its synchronised traits. Those of ipywidgets hold what was typed, listed
or said, and so names of files and people; these hold a label and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets

from hemato_lab.widgets.esm import bundle

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_TEXT: Final = 10_000


class UnsavedField(anywidget.AnyWidget):
    """What the fields of this module share.

    Attributes
    ----------
    description, placeholder : str
        The label, and what stands in an empty field; a saved notebook holds both.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    shape = traitlets.Unicode().tag(sync=True)
    description = traitlets.Unicode().tag(sync=True)
    placeholder = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(_esm=bundle("unsaved_field.js"), **traits)
        self.on_msg(_receive)
        self.observe(lambda _: self.tell(), names=list(self.content()))

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take nothing over: what a reader enters comes as a message."""
        if known := [name for name in self.keys if name in sync_data]:
            self.send_state(known)

    def content(self) -> dict[str, Any]:
        """Return what every view shows and no notebook saves."""
        raise NotImplementedError

    def enter(self, content: dict[str, Any]) -> None:
        """Take over what a reader entered, as far as it is possible."""
        raise NotImplementedError

    def tell(self) -> None:
        """Show every view what the field holds."""
        self.send({"kind": "content", **self.content()})


class UnsavedText(UnsavedField):
    """A line to type in.

    Attributes
    ----------
    value : str
        What stands in it.
    """

    shape = traitlets.Unicode("text").tag(sync=True)
    value = traitlets.Unicode()

    def content(self) -> dict[str, Any]:
        """Return the text."""
        return {"value": self.value}

    def enter(self, content: dict[str, Any]) -> None:
        """Take over a text."""
        value = content.get("value")
        if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
            self.value = value


class UnsavedChoice(UnsavedField):
    """A list to choose from.

    Attributes
    ----------
    options : list of (str, object)
        Labels and what they stand for.
    index : int or None
        Which is chosen.
    """

    shape = traitlets.Unicode("choice").tag(sync=True)
    options: traitlets.List[tuple[str, Any]] = traitlets.List()
    index = traitlets.Int(None, allow_none=True)

    @property
    def value(self) -> Any:
        """What the chosen label stands for, None for nothing."""
        return None if self.index is None else self.options[self.index][1]

    def offer(self, options: Sequence[tuple[str, Any]]) -> None:
        """Offer other things; the first is chosen."""
        self.index = None
        self.options = list(options)
        self.index = 0 if options else None

    def content(self) -> dict[str, Any]:
        """Return the labels and which is chosen."""
        return {"options": [label for label, _ in self.options], "index": self.index}

    def enter(self, content: dict[str, Any]) -> None:
        """Take over a choice."""
        index = content.get("index")
        if type(index) is int and 0 <= index < len(self.options):
            self.index = index


class UnsavedLine(UnsavedField):
    """A line of words that screen readers speak when it changes.

    Attributes
    ----------
    value : str
        Plain text.
    tone : str
        ``said`` or ``warned``.
    """

    shape = traitlets.Unicode("line").tag(sync=True)
    value = traitlets.Unicode()
    tone = traitlets.Unicode("said")

    def content(self) -> dict[str, Any]:
        """Return the words."""
        return {"value": self.value, "tone": self.tone}

    def enter(self, content: dict[str, Any]) -> None:
        """Take nothing: a line is not to be typed in."""
        del content


def _receive(widget: UnsavedField, message: object, buffers: object) -> None:
    del buffers
    if isinstance(message, dict) and message.get("kind") == "enter":
        widget.enter(message)
    # Also after what could not be taken: the view then shows again what holds.
    widget.tell()
