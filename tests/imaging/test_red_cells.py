from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hemato_lab.imaging.levels import Levels
from hemato_lab.imaging.red_cells import (
    LEAST_EVIDENCE,
    RedCellRegions,
    centre_votes,
    plain_cells,
    red_cell_mask,
    split_red_cells,
)
from hemato_lab.imaging.working import RED_CELL_AREA, RED_CELL_DIAMETER, WorkingTile
from hemato_lab.kernels.components import label_and_measure
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from collections.abc import Callable

D = RED_CELL_DIAMETER
R = D / 2
LEVELS = Levels(background=0.0, noise=0.004, red_cell=0.2, threshold=0.0893, blue_per_green=0.8)


def tile_of(cover: np.ndarray, seed: int | None = 0) -> WorkingTile:
    """Tile of cells that add up where they overlap; `cover` 1 is one cell of density 0.2."""
    height, width = cover.shape
    density = np.stack([0.08 * cover, 0.2 * 2 / 1.8 * cover, 0.2 * 1.6 / 1.8 * cover], axis=-1)
    if seed is not None:
        density += np.random.default_rng(seed).normal(0, 0.004, density.shape)
    return WorkingTile(Window(0, 0, width, height), density.astype(np.float32), np.ones((height, width), bool))


def soft(inside: np.ndarray) -> np.ndarray:
    """Blur sharp cells as an objective does."""
    return ndimage.gaussian_filter(inside.astype(float), 1.0)


def discs(shape: tuple[int, int], centres: list[tuple[float, float]], radius: float = R) -> np.ndarray:
    rows, columns = np.indices(shape)
    return soft(sum((np.hypot(columns - x, rows - y) <= radius for x, y in centres), np.zeros(shape)))


def ellipse(shape: tuple[int, int], centre: tuple[float, float], axes: tuple[float, float], angle: float) -> np.ndarray:
    (x, y), (a, b) = centre, axes
    rows, columns = np.indices(shape)
    along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    aside = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
    return soft((along / a) ** 2 + (aside / b) ** 2 <= 1)


def split(cover: np.ndarray, excluded: np.ndarray | None = None) -> RedCellRegions:
    none = np.zeros(cover.shape, bool)
    return split_red_cells(tile_of(cover), LEVELS, none if excluded is None else excluded)


def check(regions: RedCellRegions, centres: list[tuple[float, float]], tolerance: float = 0.2 * D) -> None:
    """Each centre lies in a region of its own whose middle is near, and there are no others."""
    labels = [regions.labels[round(y), round(x)] for x, y in centres]
    assert len(regions) == len(centres)
    assert sorted(labels) == list(range(1, len(centres) + 1))
    middles = ndimage.center_of_mass(regions.labels > 0, regions.labels, labels)
    for (x, y), (row, column) in zip(centres, middles, strict=True):
        assert np.hypot(column - x, row - y) < tolerance


@pytest.mark.parametrize("diameter", [0.8, 0.9, 1.0, 1.1])
def test_a_free_cell_is_one_region_of_its_size(diameter: float) -> None:
    regions = split(discs((100, 110), [(55.3, 48.6)], diameter * R))
    check(regions, [(55.3, 48.6)], tolerance=0.5)
    assert np.count_nonzero(regions.labels) == pytest.approx(diameter**2 * RED_CELL_AREA, rel=0.05)
    assert regions.evidence.shape == (1,)
    assert regions.evidence[0] > 2 * LEAST_EVIDENCE


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.3, 2.2])
@pytest.mark.parametrize("distance", [1.15, 1.0, 0.85, 0.7, 0.6])
def test_two_cells_are_told_apart(distance: float, angle: float) -> None:
    step = distance * D / 2 * np.array([np.cos(angle), np.sin(angle)])
    centres = [tuple(np.array([70.0, 65.0]) - step), tuple(np.array([70.0, 65.0]) + step)]
    regions = split(discs((130, 140), centres))
    check(regions, centres)
    areas = np.bincount(regions.labels.ravel())[1:]
    assert areas.max() < 1.25 * areas.min()


def test_triangles_chains_and_rosettes_are_told_apart() -> None:
    triangle = [(60.0, 60.0), (60 + 0.75 * D, 60.0), (60 + 0.375 * D, 60 + 0.65 * D)]
    chain = [(40 + 0.75 * D * k, 180 + 6.0 * (k % 2)) for k in range(4)]
    rosette = [(250.0, 80.0)] + [
        (250 + D * np.cos(k * np.pi / 3 + 0.2), 80 + D * np.sin(k * np.pi / 3 + 0.2)) for k in range(6)
    ]
    centres = triangle + chain + rosette
    check(split(discs((240, 320), centres)), centres)


@pytest.mark.parametrize("distance", [0.85, 0.9, 0.95, 1.0])
def test_three_cells_around_a_gap_are_three(distance: float) -> None:
    reach = distance * D / np.sqrt(3)
    centres = [
        (100 + reach * np.cos(angle), 100 + reach * np.sin(angle)) for angle in (0.0, 2 * np.pi / 3, 4 * np.pi / 3)
    ]
    check(split(discs((200, 200), centres)), centres)


@pytest.mark.parametrize("angle", [0.0, 0.4, 0.8, 1.57, 2.5])
@pytest.mark.parametrize("ratio", [1.4, 2.0])
def test_a_long_cell_stays_one_cell(ratio: float, angle: float) -> None:
    a, b = R * np.sqrt(ratio), R / np.sqrt(ratio)
    regions = split(ellipse((120, 130), (64.2, 60.7), (a, b), angle))
    check(regions, [(64.2, 60.7)], tolerance=1.0)
    assert np.count_nonzero(regions.labels) == pytest.approx(np.pi * a * b, rel=0.06)


@pytest.mark.parametrize("share", [0.3, 0.45, 0.7])
def test_central_pallor_is_filled(share: float) -> None:
    shape = (100, 100)
    ring = np.clip(discs(shape, [(50, 50)]) - discs(shape, [(50, 50)], share * R), 0, 1)
    assert not LEVELS.foreground(tile_of(ring))[50, 50]
    regions = split(ring)
    check(regions, [(50, 50)], tolerance=0.5)
    assert np.count_nonzero(regions.labels) == pytest.approx(RED_CELL_AREA, rel=0.05)
    # Pallor of a cell that touches others is filled as well.
    pair = [(60.0, 60.0), (60 + 0.95 * D, 60.0)]
    touching = np.clip(discs((120, 150), pair) - discs((120, 150), pair, share * R), 0, 2)
    check(split(touching), pair)


def test_a_gap_between_cells_is_not_filled() -> None:
    ring = [(110 + 0.97 * D * np.cos(k * np.pi / 3), 110 + 0.97 * D * np.sin(k * np.pi / 3)) for k in range(6)]
    cover = discs((220, 220), ring)
    regions = split(cover)
    check(regions, ring)
    assert not regions.mask[110, 110]
    # The background that the ring of cells encloses is larger than a cell.
    enclosed = ndimage.binary_fill_holes(regions.mask) & ~regions.mask
    assert enclosed.sum() > RED_CELL_AREA


def test_specks_and_threads_are_opened_away() -> None:
    cover = discs((120, 220), [(50.0, 60.0), (160.0, 60.0)])
    cover[59:61, 50:160] = 1
    cover[20:23, 100:103] = 1
    regions = split(cover)
    check(regions, [(50.0, 60.0), (160.0, 60.0)])
    assert not regions.mask[60, 105]
    assert not regions.mask[21, 101]


def test_what_belongs_to_white_cells_is_left_out() -> None:
    cover = discs((120, 200), [(50.0, 60.0), (150.0, 60.0)])
    excluded = np.zeros(cover.shape, bool)
    excluded[:, 100:] = True
    regions = split(cover, excluded)
    check(regions, [(50.0, 60.0)])
    assert not regions.mask[excluded].any()


def test_the_dark_surround_holds_no_cells() -> None:
    tile = tile_of(discs((120, 200), [(50.0, 60.0), (150.0, 60.0)]))
    lit = np.ones(tile.lit.shape, bool)
    lit[:, 110:] = False
    regions = split_red_cells(WorkingTile(tile.window, tile.density, lit), LEVELS, np.zeros(lit.shape, bool))
    check(regions, [(50.0, 60.0)])


@pytest.mark.parametrize("shape", [(90, 120), (1, 1), (3, 40)])
def test_nothing_found_is_no_region(shape: tuple[int, int]) -> None:
    regions = split(np.zeros(shape))
    assert len(regions) == 0
    assert regions.labels.shape == regions.mask.shape == shape
    assert not regions.labels.any()


@pytest.fixture(scope="module")
def crowd() -> np.ndarray:
    """Three dozen cells, many on each other, with empty ground around them; shape (220, 320)."""
    places = np.random.default_rng(12).uniform((30, 30), (290, 190), (36, 2))
    return discs((220, 320), [(x, y) for x, y in places])


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 37), st.integers(0, 41))
def test_moving_the_scene_moves_the_cells(crowd: np.ndarray, dx: int, dy: int) -> None:
    shape = (290, 370)
    moved = np.zeros(shape), np.zeros(shape)
    moved[0][:220, :320] = moved[1][dy : dy + 220, dx : dx + 320] = crowd
    first, second = (split_red_cells(tile_of(one, None), LEVELS, np.zeros(shape, bool)) for one in moved)
    assert len(first) > 20
    np.testing.assert_array_equal(first.labels[:220, :320], second.labels[dy : dy + 220, dx : dx + 320])
    np.testing.assert_array_equal(first.evidence, second.evidence)


def test_a_tile_finds_what_the_whole_field_finds() -> None:
    shape = (330, 760)
    places = np.random.default_rng(13).uniform(-10, 770, (150, 2)) * (1.0, 330 / 760)
    rows, columns = np.indices(shape)
    cover = sum((np.hypot(columns - x, rows - y) <= R for x, y in places), np.zeros(shape))
    whole = tile_of(soft(cover))
    none = np.zeros(shape, bool)
    cut, margin = 137, int(6 * D)
    part = WorkingTile(Window(cut, 0, 760, 330), whole.density[:, cut:], whole.lit[:, cut:])
    full = split_red_cells(whole, LEVELS, none)
    seen = split_red_cells(part, LEVELS, none[:, cut:])
    owned = cut + margin
    pixels = {label: frozenset(np.flatnonzero(full.labels == label).tolist()) for label in np.unique(full.labels)[1:]}
    there = np.zeros(shape, np.int32)
    there[:, cut:] = seen.labels
    found = {frozenset(np.flatnonzero(there == label).tolist()) for label in np.unique(there)[1:]}
    mine = {cell for cell in pixels.values() if np.mean([at % 760 for at in cell]) >= owned}
    assert len(mine) > 40
    assert mine <= found
    assert len(full) == len(pixels)


def test_votes_of_a_cell_gather_in_its_middle() -> None:
    votes = centre_votes(tile_of(discs((110, 120), [(60.0, 52.0)])), LEVELS)
    assert 0.9 <= votes.max() <= 1.5
    np.testing.assert_allclose(np.argwhere(votes == votes.max()).mean(axis=0), [52, 60], atol=0.5)
    straight = soft(np.indices((110, 120))[1] >= 60)
    assert centre_votes(tile_of(straight), LEVELS).max() < 0.5 * votes.max()
    assert not centre_votes(tile_of(np.zeros((50, 60)), None), LEVELS).any()


def plain(cover: np.ndarray) -> list[bool]:
    mask = red_cell_mask(tile_of(cover, None), LEVELS, np.zeros(cover.shape, bool))
    labels, table = label_and_measure(mask)
    result: list[bool] = plain_cells(labels, table).tolist()
    return result


def test_plain_cells_are_round_or_long_whole_and_no_larger_than_a_cell() -> None:
    shape = (120, 120)
    assert plain(discs(shape, [(60, 60)])) == [True]
    assert plain(ellipse(shape, (60, 60), (1.41 * R, R / 1.41), 0.6)) == [True]
    assert plain(discs(shape, [(46, 60), (74, 60)])) == [False]
    assert plain(discs(shape, [(10, 60)])) == [False]
    assert plain(discs(shape, [(60, 60)], 1.4 * R)) == [False]
    assert plain(discs(shape, [(60, 60)], 0.3 * R)) == [False]
    crescent = np.clip(discs(shape, [(60, 60)]) - discs(shape, [(74, 60)]), 0, 1)
    assert plain(crescent) == [False]
    # Six small things in a rosette fill their ellipse as a cell does, but not their hull.
    petals = [(60 + 0.76 * R * np.cos(k * np.pi / 3), 60 + 0.76 * R * np.sin(k * np.pi / 3)) for k in range(6)]
    assert plain(np.minimum(discs(shape, petals, 0.4 * R), 1)) == [False]
    assert plain(np.zeros(shape)) == []


def test_other_limits_of_size_can_be_asked_for(paint: Callable[..., np.ndarray]) -> None:
    cover = paint((120, 120), np.array([[60.0, 60.0]]), 1.4 * R)
    mask = red_cell_mask(tile_of(cover, None), LEVELS, np.zeros(cover.shape, bool))
    labels, table = label_and_measure(mask)
    assert plain_cells(labels, table, (0.3, 4.0)).tolist() == [True]
    assert plain_cells(labels, table, (3.0, 4.0)).tolist() == [False]
