from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.errors import ConfigError
from hemato_lab.imaging.tiling import margin_px, read_tile, tile_cores, tiles
from hemato_lab.smear import ArraySource, Field, Window

if TYPE_CHECKING:
    from collections.abc import Callable

SIDES = st.integers(1, 70)
TILE_SIZES = st.one_of(st.none(), st.integers(1, 90))


def numbered(width: int, height: int) -> Field:
    """A field whose pixels tell their own place."""
    rows, columns = np.indices((height, width))
    return Field("f", ArraySource(np.stack([columns, rows, columns ^ rows], axis=2).astype(np.uint8)), "sha224-i-00")


@given(SIDES, SIDES, TILE_SIZES)
def test_cores_partition_the_field(width: int, height: int, tile_size: int | None) -> None:
    covered = np.zeros((height, width), int)
    cores = tile_cores(numbered(width, height), tile_size)
    for core in cores:
        assert core.area > 0
        covered[core.slices()] += 1
    assert (covered == 1).all()
    assert cores == sorted(cores, key=lambda core: (core.y0, core.x0))
    assert all(max(core.width, core.height) <= (tile_size or math.inf) for core in cores)


@given(SIDES, SIDES, TILE_SIZES, st.data())
def test_every_centre_is_owned_by_exactly_one_tile(
    width: int, height: int, tile_size: int | None, data: st.DataObject
) -> None:
    # Centres on the border between two pixels, hence between two tiles, included.
    x = data.draw(st.one_of(st.integers(0, width - 1).map(lambda k: k - 0.5), st.floats(-0.5, width - 0.501)))
    y = data.draw(st.one_of(st.integers(0, height - 1).map(lambda k: k - 0.5), st.floats(-0.5, height - 0.501)))
    assert sum(core.owns(x, y) for core in tile_cores(numbered(width, height), tile_size)) == 1


@settings(deadline=None)
@given(SIDES, SIDES, TILE_SIZES, st.integers(0, 30))
def test_tiles_are_read_with_their_margin_cut_to_the_field(
    width: int, height: int, tile_size: int | None, margin: int
) -> None:
    field = numbered(width, height)
    whole = field.read()
    read = list(tiles(field, 5, tile_size, margin))
    assert [tile.core for tile in read] == tile_cores(field, tile_size)
    for tile in read:
        assert tile.field == 5
        assert tile.window == tile.core.expand(margin).intersect(field.window)
        assert tile.window.intersect(tile.core) == tile.core
        np.testing.assert_array_equal(tile.pixels, whole[tile.window.slices()])


def test_one_tile_is_read_alone(as_field: Callable[..., Field]) -> None:
    tile = read_tile(numbered(50, 40), 2, Window(10, 10, 20, 20), 4)
    assert (tile.window, tile.core, tile.field) == (Window(6, 6, 24, 24), Window(10, 10, 20, 20), 2)


@given(st.floats(15, 375))
def test_the_margin_holds_a_red_cell_its_neighbours_and_a_white_cell(diameter: float) -> None:
    margin = margin_px(diameter)
    assert isinstance(margin, int)
    # The largest white cells measure less than 3 red cells (DOMAIN.md section 3.4).
    assert margin >= 4 * diameter
    assert margin_px(2 * diameter) >= 2 * margin - 1


@pytest.mark.parametrize("tile_size", [0, -256])
def test_impossible_tile_sizes_are_refused(tile_size: int) -> None:
    with pytest.raises(ConfigError, match=f"{tile_size} pixels is impossible") as caught:
        tile_cores(numbered(3, 3), tile_size)
    assert "None" in caught.value.hint
