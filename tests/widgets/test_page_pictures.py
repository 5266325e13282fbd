"""Which tiles a page holds: coarse before fine, full before empty, never more than it may."""

from __future__ import annotations

import base64
import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hemato_lab.export.reading import AbsentSource
from hemato_lab.smear import ArraySource, Field, Smear
from hemato_lab.widgets.page_pictures import stored_picture
from hemato_lab.widgets.tiles import TileStore
from tests.analysed import cells

NOISE = np.random.default_rng(3).integers(0, 256, (700, 1100, 3), np.uint8)
LARGE = Field("large.png", ArraySource(NOISE), "sha224-i-" + "1" * 56)
SMALL = Field("small.png", ArraySource(NOISE[:200, :300].copy()), "sha224-i-" + "2" * 56)


def store(*fields: Field) -> TileStore:
    return TileStore(Smear("smear", fields))


def keys(tiles: dict[str, str]) -> list[tuple[int, ...]]:
    return [tuple(map(int, key.split("/"))) for key in tiles]


def test_with_room_every_tile_of_every_level_is_there() -> None:
    picture = stored_picture(store(LARGE, SMALL), None, 10_000_000)
    # 1100 x 700, 550 x 350, 275 x 175, 138 x 88; and 300 x 200, 150 x 100
    expected = {0: {0: 5 * 3, 1: 3 * 2, 2: 2 * 1, 3: 1}, 1: {0: 2 * 1, 1: 1}}
    found: dict[int, dict[int, int]] = {}
    for field, level, _, _ in keys(picture.tiles):
        found.setdefault(field, {}).setdefault(level, 0)
        found[field][level] += 1
    assert found == expected
    assert picture.finest == (0, 0)
    assert not list(picture.remarks(["large.png", "small.png"]))


def test_tiles_are_those_of_the_field() -> None:
    picture = stored_picture(store(SMALL), None, 10_000_000)
    with Image.open(io.BytesIO(base64.b64decode(picture.tiles["0/0/1/0"]))) as tile:
        assert tile.size == (300 - 256, 200)


@settings(max_examples=25)
@given(most=st.integers(0, 400_000))
def test_it_takes_no_more_than_it_may_and_is_coarse_first(most: int) -> None:
    picture = stored_picture(store(LARGE, SMALL), None, most)
    assert picture.characters <= most
    assert sum(map(len, picture.tiles.values())) <= picture.characters
    levels = {field: [level for one, level, _, _ in keys(picture.tiles) if one == field] for field in (0, 1)}
    for found in levels.values():
        assert found == sorted(found, reverse=True)
    # A level is begun when no tile of the coarser one that fits is missing.
    counts = {3: 1, 2: 2, 1: 6, 0: 15}
    if picture.finest[0] is not None:
        for level in range(picture.finest[0], 4):
            assert levels[0].count(level) == counts[level]


def test_where_most_cells_are_comes_first() -> None:
    found = cells([(0, "RBC", 900, 600, 9)] * 5 + [(0, "RBC", 10, 10, 9)] + [(1, "RBC", 5, 5, 9)])
    picture = stored_picture(store(LARGE, SMALL), found, 10_000_000)
    of_field = [key for key in keys(picture.tiles) if key[:2] == (0, 0)]
    assert of_field[:2] == [(0, 0, 3, 2), (0, 0, 0, 0)]
    assert [key[0] for key in keys(picture.tiles) if key[1] == 1] == [0] * 6 + [1]


def test_what_cannot_be_read_is_left_out_and_told() -> None:
    absent = Field("absent.png", AbsentSource(600, 400, "absent.png"), "")
    picture = stored_picture(store(absent, SMALL), None, 10_000_000)
    assert picture.finest == (None, 0)
    assert list(picture.remarks(["absent.png", "small.png"])) == [
        "absent.png: left out of this page, or cannot be read"
    ]


def test_a_coarse_field_is_told() -> None:
    picture = stored_picture(store(LARGE), None, 60_000)
    assert picture.finest[0] in (1, 2)
    (remark,) = picture.remarks(["large.png"])
    assert remark.endswith(f"at 1/{2 ** picture.finest[0]} of its size only")
