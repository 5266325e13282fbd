"""What all widgets share: one module of JavaScript, checked requests, and a page that needs no kernel.

A widget's traits are its saved state. Names of files and people, and pixels, travel only in answers to messages, so
that a saved notebook holds none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import anywidget
import traitlets

from hemato_lab.errors import ConfigError, HematoError
from hemato_lab.widgets.css import stylesheet
from hemato_lab.widgets.esm import bundle
from hemato_lab.widgets.messages import Plain, name_of_request, read_request
from hemato_lab.widgets.texts import readable

if TYPE_CHECKING:
    from hemato_lab.detections import Detections
    from hemato_lab.smear import Smear


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request.

    Attributes
    ----------
    content : dict
        JSON-ready.
    buffers : list of bytes
        What `content` speaks of, in its order: pictures, files.
    """

    content: dict[str, Any]
    buffers: list[bytes] = field(default_factory=list)


Answerer: TypeAlias = Callable[[Any], Answer]
"""From the checked fields of a request (see `messages`) to its answer, without ``kind`` and ``request``."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A self-contained page as a notebook shows it: in a frame of its own, which is saved with the notebook."""

    page: str
    height_px: int

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.page)}" sandbox="allow-scripts allow-downloads" title="hemato_lab" '
            f'style="width: 100%; height: {self.height_px}px; border: 0"></iframe>'
        )


class SmearWidget(anywidget.AnyWidget):
    """A widget over a smear.

    Parameters
    ----------
    keep_picture : bool
        Whether the notebook's cell also keeps a picture of the smear, for where no widget is shown; by default a saved
        notebook holds no pixels.
    """

    ENTRY: ClassVar[str] = ""
    """File of the widget's module in ``js/``."""
    SET_BY_READERS: ClassVar[frozenset[str]] = frozenset()
    """Traits that a view may set; all others say what was found and decided, and no browser changes them."""

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    def __init__(self, *, keep_picture: bool = False, **traits: Any) -> None:
        self._keep_picture = keep_picture
        super().__init__(_esm=bundle(self.ENTRY), _css=stylesheet(), **traits)
        self.on_msg(_answer_message)

    @property
    def smear(self) -> Smear:
        """What is shown."""
        raise NotImplementedError

    @property
    def detections(self) -> Detections:
        """The cells that `cells` encodes, in the same order."""
        raise NotImplementedError

    def answer(self, content: object, buffers: Sequence[bytes] = ()) -> Answer:
        """Answer one request of a browser; never raises for what the browser sent.

        Parameters
        ----------
        content : object
            Decoded JSON.
        buffers : sequence of bytes
            What came with it; no request so far needs any.

        Returns
        -------
        Answer
            Of kind ``problem`` with a text for people where the request cannot be understood or served.
        """
        del buffers
        try:
            request = read_request(content)
            answerer = self.answerers().get(request.kind)
            if answerer is None:
                raise ConfigError("this widget does not answer such a request")
            answer = answerer(request.fields)
        except (HematoError, MemoryError) as error:
            text = "there is not enough memory for this" if isinstance(error, MemoryError) else str(error)
            return Answer({"kind": "problem", "request": name_of_request(content), "text": readable(text)})
        return Answer({**readable(answer.content), "kind": request.kind, "request": request.request}, answer.buffers)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what a view of Jupyter has set; what it may not set, or not so, is sent back as it is."""
        taken = {name: value for name, value in sync_data.items() if name in self.SET_BY_READERS}
        refused = set(sync_data) - set(taken)
        try:
            super().set_state(taken)
        except traitlets.TraitError:
            refused = set(sync_data)
        if known := [name for name in self.keys if name in refused]:
            self.send_state(known)

    def answerers(self) -> Mapping[str, Answerer]:
        """Return, by kind of request, what answers it; a widget adds its own."""
        return {"hello": self._answer_hello}

    def hello(self) -> dict[str, Any]:
        """Return what a view has to know and what no saved state may hold: title, field names, notice, abilities."""
        raise NotImplementedError

    def _answer_hello(self, fields: Plain) -> Answer:
        del fields
        return Answer(self.hello())

    def to_html(self, **options: Any) -> str:
        """Return a self-contained page that shows the widget without a kernel, a server or a network.

        Parameters
        ----------
        **options
            Of `hemato_lab.widgets.pages.static_page`.
        """
        from hemato_lab.widgets.pages import static_page

        return static_page([self], **options)

    def embed(self, height_px: int = 720, **options: Any) -> Embedded:
        """Return the page of `to_html` in a frame that is saved with the notebook, pixels and names included."""
        return Embedded(self.to_html(**options), height_px)

    def to_png(self) -> bytes:
        """Return a picture of what is shown, as a PNG file."""
        raise NotImplementedError

    def _repr_png_(self) -> bytes | None:
        # Whatever this returns a notebook saves.
        return self.to_png() if self._keep_picture else None


def _answer_message(widget: SmearWidget, content: object, buffers: Sequence[Any]) -> None:
    answer = widget.answer(content, [bytes(buffer) for buffer in buffers])
    widget.send(answer.content, answer.buffers)
