"""Tiles of a field at halving sizes, against the mean of all pixels below each of theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.errors import ConfigError, IntegrityError, UnreadableInputError
from hemato_lab.formats import deep_zoom, open_smear
from hemato_lab.formats.caching import ArrayCache
from hemato_lab.formats.deep_zoom import REDUCED, TILE_SIDE, DeepZoom
from hemato_lab.smear import ArraySource, Field, Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from hemato_lab.smear import RGB, PixelSource


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    REDUCED.clear()
    yield
    REDUCED.clear()


@dataclass
class Stored:
    """Pixels in memory with smaller copies; notes what is read, and fails where it is told to."""

    pixels: RGB
    levels: tuple[PixelSource, ...] = ()
    read_windows: list[Window] = field(default_factory=list)
    error: Exception | None = None

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    def read(self, window: Window) -> RGB:
        assert Window(0, 0, self.width, self.height).intersect(window) == window
        assert window.area
        self.read_windows.append(window)
        if self.error is not None:
            raise self.error
        return self.pixels[window.slices()]


def smooth(width: int, height: int, slowness: float = 7) -> RGB:
    """Waves, so that a shift of a fraction of a pixel shows, at any size of the picture."""
    phase = np.random.default_rng(0).uniform(0, 6, (3, 3))
    y, x = (np.arange(side)[:, None] / slowness for side in (height, width))
    waves = [np.sin(y + a) @ np.cos(1.3 * x + b).T + np.sin(0.31 * y + c) for a, b, c in phase]
    return np.clip(128 + 50 * np.stack(waves, -1), 0, 255).astype(np.uint8)


def mean_of_all_below(pixels: RGB, level: int) -> NDArray[np.float64]:
    """Each pixel the mean of the 2^level x 2^level below it, or of what there is of them."""
    step = 2**level
    rows, columns = (np.arange(0, side, step) for side in pixels.shape[:2])
    total = np.add.reduceat(np.add.reduceat(pixels.astype(float), rows, 0), columns, 1)
    high = np.diff([*rows, pixels.shape[0]])
    wide = np.diff([*columns, pixels.shape[1]])
    return total / (high[:, None] * wide)[..., None]


def put_together(zoom: DeepZoom, level: int) -> RGB:
    width, height = zoom.levels[level]
    out = np.zeros((height, width, 3), np.uint8)
    for y in range(0, height, TILE_SIDE):
        for x in range(0, width, TILE_SIDE):
            tile = zoom.tile(level, x // TILE_SIDE, y // TILE_SIDE)
            out[y : y + TILE_SIDE, x : x + TILE_SIDE] = tile
    return out


def zoom_over(source: PixelSource, name: str = "field") -> DeepZoom:
    return DeepZoom(Field(name, source, "sha224-i-" + "0" * 56))


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_levels_are_halves_until_one_tile_holds_all(width: int, height: int) -> None:
    levels = zoom_over(ArraySource(np.broadcast_to(np.uint8(0), (height, width, 3)))).levels
    assert levels[0] == (width, height)
    assert max(levels[-1]) <= TILE_SIDE
    assert all(max(level) > TILE_SIDE for level in levels[:-1])
    for larger, smaller in pairwise(levels):
        assert smaller == (-(-larger[0] // 2), -(-larger[1] // 2))


@settings(max_examples=15)
@given(st.integers(1, 1100), st.integers(1, 1100))
def test_without_copies_every_level_is_the_mean_of_the_field(width: int, height: int) -> None:
    REDUCED.clear()
    pixels = smooth(width, height)
    zoom = zoom_over(ArraySource(pixels))
    np.testing.assert_array_equal(put_together(zoom, 0), pixels)
    for level in range(1, len(zoom.levels)):
        expected = mean_of_all_below(pixels, level)
        # Levels that are halved again round at each step; a last row or column there weighs what is left of it more.
        whole = (height >> level, width >> level)
        difference = np.abs(put_together(zoom, level)[: whole[0], : whole[1]] - expected[: whole[0], : whole[1]])
        assert difference.max(initial=0) <= 0.51 + 0.5 * max(0, level - 3)


@pytest.mark.parametrize("factors", [(2, 4, 8), (4, 16), (3,), (2.5, 7.3), (1.7,), (100,)], ids=str)
@pytest.mark.parametrize("rounding", [np.floor, np.ceil], ids=["down", "up"])
@pytest.mark.parametrize("size", [(601, 454), (515, 257)], ids=str)
def test_copies_of_any_factor_show_the_same(factors: tuple[float, ...], rounding: Any, size: tuple[int, int]) -> None:
    # What is resampled by no whole number is blurred a little more, so it is compared on slower waves.
    whole = all(float(factor).is_integer() and 64 % factor == 0 for factor in factors)
    pixels = smooth(*size, slowness=7 if whole else 25)
    smaller = []
    for factor in factors:
        width, height = (max(1, int(rounding(side / factor))) for side in size)
        # The mean over exactly the part of the field that a pixel of the copy covers, by integrals.
        step = factor if float(factor).is_integer() else (size[0] / width, size[1] / height)
        across, down = (step, step) if isinstance(step, int | float) else step
        smaller.append(Stored(area_means(pixels, across, down, width, height)))
    zoom = zoom_over(Stored(pixels, tuple(smaller)))
    for level in range(len(zoom.levels)):
        shown = put_together(zoom, level)
        expected = mean_of_all_below(pixels, level)
        inner = (slice(0, size[1] >> level), slice(0, size[0] >> level))
        difference = np.abs(shown[inner] - expected[inner])
        assert np.percentile(difference, 99) <= 1.6
        assert difference.mean() < 0.6


def area_means(pixels: RGB, across: float, down: float, width: int, height: int) -> RGB:
    """Pixels of a copy by integration of the field over what each covers, which may be parts of pixels."""
    summed = np.pad(pixels.astype(float).cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))

    def along(values: NDArray[np.float64], axis: int, step: float, count: int) -> NDArray[np.float64]:
        edges = np.minimum(np.arange(count + 1) * step, values.shape[axis] - 1)
        moved = np.moveaxis(values, axis, 0)
        low = np.floor(edges).astype(int)
        share = (edges - low)[:, None, None]
        at = moved[low] * (1 - share) + moved[np.minimum(low + 1, len(moved) - 1)] * share
        return np.moveaxis(np.diff(at, axis=0) / np.diff(edges)[:, None, None], 0, axis)

    return np.rint(along(along(summed, 0, down, height), 1, across, width)).astype(np.uint8)


def test_a_copy_is_read_where_it_is_fine_enough_and_only_as_far_as_needed() -> None:
    pixels = np.zeros((4096, 4096, 3), np.uint8)
    quarter = Stored(pixels[::4, ::4].copy())
    whole = Stored(pixels, (quarter,))
    zoom = zoom_over(whole)
    zoom.tile(1, 3, 2)
    assert whole.read_windows == [Window(1536, 1024, 2048, 1536)]
    assert quarter.read_windows == []
    whole.read_windows.clear()
    zoom.tile(3, 1, 0)
    assert quarter.read_windows == [Window(512, 0, 1024, 512)]
    assert whole.read_windows == []


def test_far_levels_without_copies_are_read_once_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep_zoom, "_BAND_BYTES", 600_000)
    whole = Stored(smooth(2100, 2300))
    zoom = zoom_over(whole)
    far = [put_together(zoom, level) for level in (3, 4)]
    assert max(window.area * 3 for window in whole.read_windows) <= 600_000
    assert sum(window.area for window in whole.read_windows) == 2100 * 2300
    np.testing.assert_allclose(far[0], mean_of_all_below(whole.pixels, 3), atol=0.51)
    read = len(whole.read_windows)
    again = zoom_over(whole)  # another viewer of the same field
    np.testing.assert_array_equal(put_together(again, 4), far[1])
    assert len(whole.read_windows) == read


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArrayCache(200_000)
    monkeypatch.setattr(deep_zoom, "REDUCED", store)
    whole = Stored(smooth(1100, 1100))
    for number in range(10):
        zoom_over(whole, f"field {number}").tile(3, 0, 0)
        assert 0 < store.held_bytes <= 200_000


def test_a_damaged_copy_is_passed_over() -> None:
    pixels = smooth(1024, 1024)
    quarter = Stored(pixels[::4, ::4].copy(), error=UnreadableInputError("a tile is damaged", subject="a.tif"))
    half = Stored(mean_of_all_below(pixels, 1).round().astype(np.uint8))
    zoom = zoom_over(Stored(pixels, (half, quarter)))
    np.testing.assert_allclose(zoom.tile(2, 0, 0), mean_of_all_below(pixels, 2), atol=1.1)
    quarter.error = None
    np.testing.assert_array_equal(zoom.tile(2, 0, 0), quarter.pixels)


@pytest.mark.parametrize("error", [UnreadableInputError("gone"), IntegrityError("changed")], ids=repr)
def test_a_field_that_cannot_be_read_says_so(error: Exception) -> None:
    whole = Stored(smooth(1500, 1500), error=error)
    for level in (0, 2, 3):
        with pytest.raises(type(error)):
            zoom_over(whole).tile(level, 0, 0)


def test_a_copy_of_a_file_that_changed_is_not_passed_over() -> None:
    half = Stored(smooth(300, 300), error=IntegrityError("changed"))
    with pytest.raises(IntegrityError):
        zoom_over(Stored(smooth(600, 600), (half,))).tile(1, 0, 0)


@pytest.mark.parametrize("place", [(-1, 0, 0), (3, 0, 0), (0, -1, 0), (0, 3, 0), (0, 0, 2), (1, 2, 0), (2, 0, 1)])
def test_tiles_that_are_not_there_are_refused(place: tuple[int, int, int]) -> None:
    zoom = zoom_over(ArraySource(smooth(600, 300)))
    assert zoom.tile(2, 0, 0).shape == (75, 150, 3)
    with pytest.raises(ConfigError, match=r"there is no level|has no tile"):
        zoom.tile(*place)


def test_a_pyramid_in_a_file_is_shown_as_it_is_stored(tmp_path: Path) -> None:
    pixels = smooth(1100, 700)
    levels = [pixels] + [mean_of_all_below(pixels, level).round().astype(np.uint8) for level in (1, 2, 3)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for level in levels:
            file.write(level, photometric="rgb", tile=(64, 64), subfiletype=int(level is not pixels))
    (opened,) = open_smear(tmp_path / "a.tif").fields
    zoom = DeepZoom(opened)
    assert len(zoom.levels) == len(levels)
    for level, stored in enumerate(levels):
        np.testing.assert_array_equal(put_together(zoom, level), stored)
    assert REDUCED.held_bytes == 0
