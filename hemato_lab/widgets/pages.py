"""Widgets as one page: by itself, for a mail or an archive, or served on this machine."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from hemato_lab import __version__
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.widgets.crops import CropStore
from hemato_lab.widgets.css import stylesheet
from hemato_lab.widgets.esm import bundle
from hemato_lab.widgets.page_pictures import stored_picture
from hemato_lab.widgets.texts import readable
from hemato_lab.widgets.tiles import TileStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from hemato_lab.widgets.base import SmearWidget

MOST_BYTES: Final = 1_000_000
"""Of a page with one field."""
MORE_FOR_A_FIELD: Final = 750_000
"""Bytes that each further field adds."""
MOST_BYTES_BY_MAIL: Final = 10_000_000
"""Of any page whose size nobody asked for: mail servers refuse more."""
LEAST_BYTES: Final = 300_000
LEAST_FOR_PICTURES: Final = 500_000
"""Of a page whose size nobody asked for, however many cells it holds."""
MOST_CARDS: Final = 3_000
_FRAME_BYTES: Final = 6_000
"""Of a page without script, style and data."""
_CARDS_SHARE: Final = 0.15
"""Of the page that the cards of cells may take."""
_DEFAULT: Final = "export default { render };"
_SHOWS_ONLY: Final = {"can_decide": False, "formats": []}
"""What a page by itself says of its abilities, whatever the widget can do: no decisions, no files."""
_OF_THE_NOTEBOOK: Final = ("layout", "tabbable", "tooltip")
"""Traits that only a notebook understands."""


@dataclass(frozen=True, slots=True)
class Link:
    """Two traits that are kept equal.

    Attributes
    ----------
    first, second : tuple of widget and trait
        A change of the first is taken over by the second.
    is_one_way : bool
        Whether a change of the second stays there.
    """

    first: tuple[SmearWidget, str]
    second: tuple[SmearWidget, str]
    is_one_way: bool = False


@dataclass
class _Cards:
    """The cards of cells; equal ones, and equal lists of labels, are stored once, each at its place in the order."""

    labels: dict[tuple[str, ...], int] = field(default_factory=dict)
    rows: dict[tuple[int | str, ...], int] = field(default_factory=dict)
    characters: int = 0

    def add(self, lines: Sequence[Sequence[str]]) -> int:
        """Store a card; return its place."""
        labels = tuple(label for label, _ in lines)
        row: tuple[int | str, ...] = (self.labels.setdefault(labels, len(self.labels)), *(value for _, value in lines))
        if row not in self.rows:
            self.rows[row] = len(self.rows)
            self.characters += len(_as_text(row)) + 1
        return self.rows[row]


@dataclass
class _Page:
    """What a page holds, while it is put together; equal bytes and equal cards are stored once."""

    most_for_cards: int
    remarks: list[str]
    widgets: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    bytes: list[str] = field(default_factory=list)
    cards: _Cards = field(default_factory=_Cards)
    pictures: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return what the page's script reads."""
        parts = ("widgets", "links", "bytes", "pictures")
        cards = {"labels": list(self.cards.labels), "rows": list(self.cards.rows)}
        return {name: getattr(self, name) for name in parts} | {"cards": cards}

    def add(self, widget: SmearWidget, key: str) -> None:
        """Store the state of a widget and its answers, without pictures."""
        state, buffers = synced_state(widget)
        stored: dict[str, Any] = {
            "id": key,
            "module": widget.ENTRY,
            "state": state,
            "buffers": {name: _place_of(self.bytes, _base64(value)) for name, value in buffers.items()},
            "hello": {**_asked(widget, "hello"), **_SHOWS_ONLY},
            "pixels": _pixels_of(widget),
        }
        kinds = widget.answerers()
        if "table" in kinds:
            stored["table"] = _asked(widget, "table")
        if "card" in kinds:
            stored["cards"] = self._cards_of(widget)
        self.widgets.append(stored)

    def _cards_of(self, widget: SmearWidget) -> list[int]:
        """Store the cards of all cells, or of the first where there are too many; return where each is stored."""
        places: list[int] = []
        count = len(widget.detections)
        for row in range(min(count, MOST_CARDS)):
            if self.cards.characters > self.most_for_cards:
                break
            places.append(self.cards.add(_asked(widget, "card", row=row)["lines"]))
        remark = f"details of {count - len(places)} of {count} cells"
        if len(places) < count and remark not in self.remarks:
            self.remarks.append(remark)
        return places

    def add_pictures(self, widgets: Sequence[SmearWidget], most_characters: int) -> None:
        """Store the pictures of every smear that is shown, each once."""
        shown = {_pixels_of(widget): widget for widget in widgets}
        for key, widget in shown.items():
            store = TileStore(widget.smear)
            picture = stored_picture(store, widget.detections, most_characters // len(shown))
            crop_px = CropStore(widget.smear, widget.detections).width_px
            self.pictures[key] = {"fields": picture.fields, "tiles": picture.tiles, "crop_px": crop_px}
            self.remarks += picture.remarks([one.name for one in widget.smear.fields])


def static_page(
    widgets: Sequence[SmearWidget],
    *,
    links: Sequence[Link] = (),
    title: str = "",
    remarks: Sequence[str] = (),
    most_bytes: int | None = None,
) -> str:
    """Return a page that shows widgets without a kernel, a server or a network.

    It holds the widgets' state, names, and as many pixels as `most_bytes` allows: all fields coarsely first, then ever
    finer, where most cells lie first. It says what was left out. Nothing can be decided on it.

    Parameters
    ----------
    widgets : sequence of SmearWidget
        From top to bottom.
    links : sequence of Link
        Traits that are kept equal on the page.
    title : str
        Default: that of the first widget.
    remarks : sequence of str
        To be shown above the widgets.
    most_bytes : int, optional
        Size of the page; default `MOST_BYTES` for one field and `MORE_FOR_A_FIELD` for each further, at most
        `MOST_BYTES_BY_MAIL`.

    Raises
    ------
    ConfigError
        If the page may have less than `LEAST_BYTES`, or the widgets alone need more than it may have.
    """
    most = _most_bytes(widgets, most_bytes)
    keys = {widget.model_id: f"widget-{number}" for number, widget in enumerate(widgets, 1)}
    page = _Page(most_for_cards=round(most * _CARDS_SHARE), remarks=list(remarks))
    for widget in widgets:
        page.add(widget, keys[widget.model_id])
    page.links = [_stored_link(link, keys) for link in links]
    script = page_script(tuple(dict.fromkeys(widget.ENTRY for widget in widgets)), "static_page.js", "startStaticPage")
    used = len(_as_text(page.document())) + len(script.encode()) + len(stylesheet().encode()) + _FRAME_BYTES
    if most_bytes is None:
        most = max(most, used + LEAST_FOR_PICTURES)
    elif used > most:
        problem = f"the page needs {used} bytes without any picture and may have {most}"
        raise ConfigError(problem, hint="allow more with most_bytes, or show fewer cells")
    page.add_pictures(widgets, most - used)
    heading = title or str(page.widgets[0]["hello"].get("title", ""))
    document, shown = page.document(), page.remarks
    return render_page(
        heading, list(keys.values()), document=document, script=script, remarks=shown, policy=STATIC_POLICY
    )


_NOWHERE: Final = "default-src 'none'; img-src data: blob:; base-uri 'none'; form-action 'none'"
STATIC_POLICY: Final = _NOWHERE + "; script-src {script}; style-src {style}"
"""Of a page by itself: nothing from anywhere; ``{script}`` and ``{style}`` stand for the hashes of its own."""


def render_page(
    title: str,
    keys: Sequence[str],
    *,
    document: object,
    script: str,
    policy: str,
    remarks: Sequence[str] = (),
    words: str = "",
) -> str:
    """Return a page with a place for each widget.

    Parameters
    ----------
    title : str
        Of the page.
    keys : sequence of str
        Ids of the elements that the widgets are shown in.
    document : JSON-ready
        What `script` reads from the element ``hemato-lab-page``.
    script : str
        The page's one module.
    policy : str
        The Content-Security-Policy; ``{script}`` and ``{style}`` in it become the hashes of the page's own.
    remarks : sequence of str
        Shown above the widgets.
    words : str
        A line about what this page is.
    """
    style = stylesheet() + _page_style()
    return _template().render(
        title=readable(title),
        keys=keys,
        document=_as_text(document),
        script=_inert("script", script),
        style=_inert("style", style),
        policy=policy.format(script=_hash_of(script), style=_hash_of(style)),
        remarks=readable(list(remarks)),
        words=readable(words),
        notice=RESEARCH_USE_NOTICE,
        version=__version__,
    )


@lru_cache(maxsize=8)
def page_script(entries: tuple[str, ...], page_entry: str, start: str) -> str:
    """Return one module that knows several widgets and starts a page of them.

    Parameters
    ----------
    entries : tuple of str
        Modules of the widgets, for example ``("smear_viewer.js", "cell_gallery.js")``.
    page_entry : str
        Module of the page.
    start : str
        Function of it that is called with the widgets' modules by the names of their files.
    """
    parts = ["const widgetModules = {};"]
    for entry in entries:
        source = bundle(entry)
        if source.count(_DEFAULT) != 1:
            raise ConfigError(f"has no line {_DEFAULT}", subject=entry, hint="install hemato-lab again")
        # In a function of its own, so that modules which two widgets share do not meet.
        body = source.replace(_DEFAULT, "return { render };")
        parts.append(f'widgetModules["{entry}"] = (() => {{\n{body}}})();')
    return "\n".join([*parts, bundle(page_entry), f"{start}(widgetModules);\n"])


def synced_state(widget: SmearWidget) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the values of a widget's traits that a view needs: those that are JSON, and those that are bytes."""
    state = {
        name: value
        for name, value in widget.get_state().items()
        if not name.startswith("_") and name not in _OF_THE_NOTEBOOK
    }
    buffers = {name: bytes(value) for name, value in state.items() if isinstance(value, bytes | memoryview)}
    return {name: value for name, value in state.items() if name not in buffers}, buffers


def _most_bytes(widgets: Sequence[SmearWidget], asked: int | None) -> int:
    if asked is None:
        fields = max(len(widget.smear) for widget in widgets)
        return min(MOST_BYTES + MORE_FOR_A_FIELD * (fields - 1), MOST_BYTES_BY_MAIL)
    if asked < LEAST_BYTES:
        raise ConfigError(f"a page of {asked} bytes is too small", hint=f"allow {LEAST_BYTES} or more")
    return asked


def _asked(widget: SmearWidget, kind: str, **fields: object) -> dict[str, Any]:
    """Return what a widget answers, without the parts that belong to one question."""
    content = widget.answer({"kind": kind, "request": "page", **fields}).content
    if content["kind"] == "problem":
        raise ConfigError(str(content["text"]), subject=f"{kind} of {widget.ENTRY}")
    return {name: value for name, value in content.items() if name not in {"kind", "request"}}


def _pixels_of(widget: SmearWidget) -> str:
    return f"smear-{id(widget.smear)}"


def _stored_link(link: Link, keys: dict[str, str]) -> dict[str, Any]:
    ends = [(keys[widget.model_id], trait) for widget, trait in (link.first, link.second)]
    return {"first": ends[0], "second": ends[1], "is_one_way": link.is_one_way}


def _place_of(stored: list[Any], value: Any) -> int:
    """Return where a value is stored, storing it if it is not yet."""
    if value not in stored:
        stored.append(value)
    return stored.index(value)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _as_text(document: object) -> Any:
    """Return JSON that can stand in a page: no sign of it ends the element."""
    from jinja2.utils import htmlsafe_json_dumps

    return htmlsafe_json_dumps(document, allow_nan=False, separators=(",", ":"))


def _hash_of(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{_base64(digest)}'"


def _inert(tag: str, text: str) -> Any:
    """Mark our own source as safe inside its element, where nothing of it may end that element."""
    from markupsafe import Markup

    if f"</{tag}" in text.lower() or "<!--" in text:
        raise ConfigError(
            f"would end the element {tag} that it stands in", subject=tag, hint="install hemato-lab again"
        )
    return Markup(text)  # noqa: S704 (from files of this package alone)


def _page_style() -> str:
    return files("hemato_lab.widgets").joinpath("widget_page.css").read_text("utf-8")


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files("hemato_lab.widgets").joinpath("widget_page.html.jinja").read_text("utf-8"))
