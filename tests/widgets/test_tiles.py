"""Tiles as JPEG: what they show, how large they are, what cannot be made."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hemato_lab.formats import open_smear
from hemato_lab.resources import shipped
from hemato_lab.smear import ArraySource, Field, Smear, Window
from hemato_lab.widgets.messages import Tiles
from hemato_lab.widgets.tiles import CLOSE_QUALITY, FAR_QUALITY, TileStore, encode_jpeg


@pytest.fixture(scope="module")
def store() -> TileStore:
    return TileStore(open_smear(shipped("sample_data") / "malaria"))


def decoded(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "JPEG"
        return np.asarray(picture.convert("RGB")).astype(float)


def test_a_tile_shows_its_part_of_the_field(store: TileStore) -> None:
    shown = decoded(store.jpeg((1, 0, 2, 1)))
    expected = store.smear.fields[1].read(Window(512, 256, 768, 512)).astype(float)
    assert np.abs(shown.mean(2) - expected.mean(2)).mean() < 2
    blocks = [each.reshape(32, 8, 32, 8, 3).mean((1, 3)) for each in (shown, expected)]
    assert np.abs(blocks[0] - blocks[1]).max() < 6


def test_a_chromatin_dot_keeps_its_colour_where_cells_are_judged() -> None:
    """Three pixels of purple in a ring of blue, as in a ring form of Plasmodium."""
    film = np.full((256, 256, 3), (225, 190, 195), np.uint8)
    rows, columns = np.mgrid[:256, :256]
    apart = np.hypot(rows - 101, columns - 101)
    film[(apart > 5) & (apart < 8)] = (120, 110, 190)
    film[100:103, 107:110] = (150, 20, 110)
    field = Field("ring form", ArraySource(film), "sha224-i-" + "2" * 56)
    ring = (apart > 5.5) & (apart < 7.5) & (columns < 101)
    tile = decoded(TileStore(Smear("ring form", (field,))).jpeg((0, 0, 0, 0)))
    half = decoded(encode_jpeg(film, CLOSE_QUALITY, is_close=False))
    dot = np.s_[100:103, 107:110]
    assert np.abs(tile[dot].mean((0, 1)) - (150, 20, 110)).max() < 10
    assert np.abs(tile[ring].mean(0) - (120, 110, 190)).max() < 6
    assert np.abs(half[dot].mean((0, 1)) - (150, 20, 110)).max() > 20
    assert np.abs(half[ring].mean(0) - (120, 110, 190)).max() > 15


@pytest.mark.parametrize("quality", [CLOSE_QUALITY, FAR_QUALITY])
def test_even_ground_keeps_its_colour(quality: int) -> None:
    ground = np.empty((256, 256, 3), np.uint8)
    ground[:] = np.linspace((228, 224, 236), (236, 233, 240), 256)
    shown = decoded(encode_jpeg(ground, quality))
    assert np.abs(shown - ground).max() <= 3


def test_tiles_are_small(store: TileStore) -> None:
    close = [len(store.jpeg((field, 0, column, 1))) for field in range(3) for column in range(3)]
    far = [len(store.jpeg((field, 2, 0, 0))) for field in range(3)]
    assert np.mean(close) < 8_000
    assert np.mean(far) < 8_000


def test_what_cannot_be_made_is_told_beside_what_can(store: TileStore) -> None:
    wanted = ((0, 0, 0, 0), (9, 0, 0, 0), (0, 9, 0, 0), (0, 0, 99, 0), (2, 1, 0, 1))
    answer = store.answer(Tiles(wanted))
    assert answer.content["tiles"] == [[0, 0, 0, 0], [2, 1, 0, 1]]
    assert [failed[:4] for failed in answer.content["failed"]] == [[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 99, 0]]
    assert all(isinstance(failed[4], str) and failed[4] for failed in answer.content["failed"])
    assert [decoded(one).shape for one in answer.buffers] == [(256, 256, 3), (104, 256, 3)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 3)])
def test_the_smallest_pictures_are_shown(shape: tuple[int, int]) -> None:
    field = Field("dot", ArraySource(np.full((*shape, 3), 90, np.uint8)), "sha224-i-" + "1" * 56)
    store = TileStore(Smear("dots", (field,)))
    last = len(store.zooms[0].levels) - 1
    assert decoded(store.jpeg((0, last, 0, 0))).mean() == pytest.approx(90, abs=2)
