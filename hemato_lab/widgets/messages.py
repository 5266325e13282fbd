"""What a widget in the browser may ask, checked before anything is done with it.

A request is a JSON object with ``kind``, ``request`` (a text that the answer repeats) and the fields of its kind. There
is a fixed list of kinds; none of them runs code, names a file or an address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from hemato_lab.errors import ConfigError

MOST_TILES: Final = 12
"""Tiles in one request."""
MOST_CROPS: Final = 48
"""Crops in one request."""
CROP_SIDES_PX: Final = (16, 512)
"""Smallest and largest side of a crop."""
MOST_ROWS: Final = 1_000_000
"""Rows of cells in one decision."""
LONGEST_TEXT: Final = 200
"""Characters of any text in a request."""
_LARGEST: Final = 2**31 - 1
_ACTIONS: Final = ("accept", "reject", "reclassify")

TileKey: TypeAlias = tuple[int, int, int, int]
"""Field, level (0 is the full size), column and row of a tile."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A request without fields: ``hello``, ``undo``, ``redo``, ``table``."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Pieces of the picture, at most `MOST_TILES`."""

    wanted: tuple[TileKey, ...]


@dataclass(frozen=True, slots=True)
class Crops:
    """Single cells, at most `MOST_CROPS`, by row of the table, as squares of `side_px` pixels."""

    wanted: tuple[int, ...]
    side_px: int


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of one cell, by row of the table."""

    row: int


@dataclass(frozen=True, slots=True)
class Decide:
    """What a reader says of cells: ``action`` is accept, reject or reclassify; ``name`` is empty for the first two."""

    action: str
    rows: tuple[int, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Export:
    """The decisions or the corrected analysis as a file of this format."""

    format: str


Fields: TypeAlias = Plain | Tiles | Crops | Card | Decide | Export


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    request : str
        What the answer repeats.
    fields : Fields
        Its other parts.
    """

    kind: str
    request: str
    fields: Fields


def read_request(content: object) -> Request:
    """Check what came from a browser.

    Raises
    ------
    ConfigError
        If it is no request, of an unknown kind, or a field of it is missing, of another type or out of bounds.
    """
    if not isinstance(content, Mapping):
        raise ConfigError("a request is an object")
    kind = _text(content, "kind")
    reader = KINDS.get(kind)
    if reader is None:
        raise ConfigError("the kind of request is not known", hint="use one of " + ", ".join(KINDS))
    return Request(kind, _text(content, "request"), reader(content))


def name_of_request(content: object) -> str:
    """Return what the answer to a request has to repeat, empty when it says nothing usable."""
    request = content.get("request") if isinstance(content, Mapping) else None
    return request if isinstance(request, str) and len(request) <= LONGEST_TEXT else ""


def _text(content: Mapping[str, Any], field: str) -> str:
    value = content.get(field)
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ConfigError(f"{field} of a request is a text of at most {LONGEST_TEXT} characters")
    return value


def _whole_number(value: object, what: str, least: int = 0, most: int = _LARGEST) -> int:
    # JSON has one kind of number, and JavaScript writes 3.0 as 3: only true whole numbers come through.
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"{what} of a request is a whole number from {least} to {most}")
    return value


def _listed(content: Mapping[str, Any], field: str, most: int) -> list[Any]:
    value = content.get(field)
    if not isinstance(value, list | tuple) or len(value) > most:
        raise ConfigError(f"{field} of a request is a list of at most {most}")
    return list(value)


def _plain(content: Mapping[str, Any]) -> Plain:
    del content
    return Plain()


def _tiles(content: Mapping[str, Any]) -> Tiles:
    wanted = _listed(content, "wanted", MOST_TILES)
    if not all(isinstance(key, list | tuple) and len(key) == 4 for key in wanted):
        raise ConfigError("a tile of a request is field, level, column and row")
    numbers = [tuple(_whole_number(value, "a tile") for value in key) for key in wanted]
    return Tiles(tuple((field, level, column, row) for field, level, column, row in numbers))


def _crops(content: Mapping[str, Any]) -> Crops:
    wanted = tuple(_whole_number(row, "a row") for row in _listed(content, "wanted", MOST_CROPS))
    return Crops(wanted, _whole_number(content.get("side_px"), "side_px", *CROP_SIDES_PX))


def _card(content: Mapping[str, Any]) -> Card:
    return Card(_whole_number(content.get("row"), "row"))


def _decide(content: Mapping[str, Any]) -> Decide:
    action = _text(content, "action")
    if action not in _ACTIONS:
        raise ConfigError("the action of a decision is not known", hint="use one of " + ", ".join(_ACTIONS))
    rows = tuple(_whole_number(row, "a row") for row in _listed(content, "rows", MOST_ROWS))
    return Decide(action, rows, _text(content, "name") if action == "reclassify" else "")


def _export(content: Mapping[str, Any]) -> Export:
    return Export(_text(content, "format"))


KINDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Fields]]] = MappingProxyType(
    {
        "hello": _plain,
        "tiles": _tiles,
        "crops": _crops,
        "card": _card,
        "decide": _decide,
        "undo": _plain,
        "redo": _plain,
        "export": _export,
        "table": _plain,
    }
)
"""By kind, what checks the fields of a request."""
