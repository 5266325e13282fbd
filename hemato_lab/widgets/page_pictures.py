"""As much of a smear's pictures as a page may hold: the coarse levels of every field first, then ever finer ones."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.errors import InputError
from hemato_lab.formats.deep_zoom import TILE_SIDE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hemato_lab.detections import Detections
    from hemato_lab.widgets.messages import TileKey
    from hemato_lab.widgets.tiles import TileStore

_AROUND_A_TILE: Final = 24
"""Characters of a tile's key and quotes."""


@dataclass(frozen=True)
class StoredPicture:
    """The pictures of a smear inside a page.

    Attributes
    ----------
    fields : list of dict
        ``width`` and ``height`` of each field in pixels.
    tiles : dict of str to str
        JPEG in base64 by ``field/level/column/row``.
    finest : tuple of int or None
        For each field the finest level of which every tile is there, None where there is none.
    characters : int
        What the tiles take in the page.
    """

    fields: list[dict[str, int]]
    tiles: dict[str, str]
    finest: tuple[int | None, ...]
    characters: int

    def remarks(self, names: Sequence[str]) -> Iterator[str]:
        """Yield, for each field that is not there in full, how much of it is."""
        for name, finest in zip(names, self.finest, strict=True):
            if finest is None:
                yield f"{name}: left out of this page, or cannot be read"
            elif finest:
                yield f"{name}: in this page all of it at 1/{2**finest} of its size only"


def stored_picture(store: TileStore, cells: Detections | None, most_characters: int) -> StoredPicture:
    """Choose and make the tiles of a page.

    Parameters
    ----------
    store : TileStore
        Of the smear.
    cells : Detections or None
        Within a level the tiles with most cells come first.
    most_characters : int
        What they may take in base64.
    """
    levels = [zoom.levels for zoom in store.zooms]
    tiles: dict[str, str] = {}
    left = most_characters
    finest: dict[int, int] = {}
    for level in range(max(map(len, levels)) - 1, -1, -1):
        for index in _by_cells(len(levels), cells):
            wanted = _tiles_of(index, level, levels[index], cells)
            made = _made_within(store, wanted, left)
            tiles |= made
            left -= sum(_characters(one) for one in made.values())
            if wanted and len(made) == len(wanted):
                finest[index] = level
    fields = [{"width": one.width, "height": one.height} for one in store.smear.fields]
    complete = tuple(finest.get(index) for index in range(len(levels)))
    return StoredPicture(fields, tiles, complete, most_characters - left)


def _made_within(store: TileStore, wanted: Sequence[TileKey], most_characters: int) -> dict[str, str]:
    """Make tiles until there is no more room; those whose pixels cannot be read are left out."""
    made: dict[str, str] = {}
    for key in wanted:
        try:
            text = base64.b64encode(store.jpeg(key)).decode("ascii")
        except InputError:
            continue
        most_characters -= _characters(text)
        if most_characters < 0:
            break
        made["/".join(map(str, key))] = text
    return made


def _characters(text: str) -> int:
    return len(text) + _AROUND_A_TILE


def _by_cells(fields: int, cells: Detections | None) -> list[int]:
    """Return the indices of the fields, the fullest first."""
    count = np.zeros(fields) if cells is None else np.bincount(cells["field"], minlength=fields)
    return sorted(range(fields), key=lambda index: -count[index])


def _tiles_of(index: int, level: int, levels: Sequence[tuple[int, int]], cells: Detections | None) -> list[TileKey]:
    """Return the tiles of a level, those with most cells first; none where the field has no such level."""
    if level >= len(levels):
        return []
    width, height = levels[level]
    across, down = math.ceil(width / TILE_SIDE), math.ceil(height / TILE_SIDE)
    count = np.zeros((down, across))
    if cells is not None:
        here = cells["field"] == index
        step = TILE_SIDE * 2**level
        column = np.clip((cells["x"][here] + 0.5) // step, 0, across - 1).astype(np.intp)
        row = np.clip((cells["y"][here] + 0.5) // step, 0, down - 1).astype(np.intp)
        np.add.at(count, (row, column), 1)
    order = np.argsort(-count, axis=None, kind="stable")
    return [(index, level, int(place % across), int(place // across)) for place in order]
