"""White cells on drawn densities: lobes joined, neighbours apart, cytoplasm included."""

from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.detectors.white_cells import LEAST_NUCLEUS_AREA, WhiteCells, find_white_cells
from hemato_lab.imaging.levels import Levels
from hemato_lab.imaging.working import RED_CELL_AREA, WorkingTile
from hemato_lab.smear import Window

SHAPE = (200, 240)
ROWS, COLUMNS = np.indices(SHAPE)
LEVELS = Levels(background=0.0, noise=0.005, red_cell=0.2, threshold=0.1, blue_per_green=0.7)
NUCLEUS = (0.6, 0.7, 0.2)
CYTOPLASM = (0.07, 0.13, 0.07)
HAEMOGLOBIN = (0.09, 0.235, 0.165)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    return np.hypot(COLUMNS - x, ROWS - y) <= radius


def find(*parts: tuple[np.ndarray, tuple[float, float, float]]) -> WhiteCells:
    """White cells among things of which the later lie in place of the earlier."""
    density = np.zeros((*SHAPE, 3), np.float32)
    for mask, colour in parts:
        density[mask] = colour
    tile = WorkingTile(Window(0, 0, SHAPE[1], SHAPE[0]), density, np.ones(SHAPE, bool))
    return find_white_cells(tile, LEVELS, LEVELS.smooth_nuclear_density(tile))


def test_the_outline_is_the_cells_and_not_the_nucleus() -> None:
    found = find((disc(120, 100, 30), CYTOPLASM), (disc(120, 100, 20), NUCLEUS))
    assert len(found) == 1
    assert np.count_nonzero(found.labels) == pytest.approx(np.pi * 30**2, rel=0.06)
    assert found.nucleus_area[0] == pytest.approx(np.pi * 20**2, rel=0.1)


@pytest.mark.parametrize("gap", [0, 3, 5])
def test_lobes_are_one_cell(gap: float) -> None:
    lobes = disc(120 - 11 - gap / 2, 100, 11) | disc(120 + 11 + gap / 2, 100, 11) | disc(120, 100 - 17, 10)
    found = find((disc(120, 95, 32), CYTOPLASM), (lobes, NUCLEUS))
    assert len(found) == 1
    assert found.nucleus_area[0] == pytest.approx(np.count_nonzero(lobes), rel=0.15)


@pytest.mark.parametrize("apart", [48, 60])
def test_neighbours_are_two_cells(apart: float) -> None:
    nuclei = disc(120 - apart / 2, 100, 20) | disc(120 + apart / 2, 100, 20)
    around = disc(120 - apart / 2, 100, 25) | disc(120 + apart / 2, 100, 25)
    found = find((around, CYTOPLASM), (nuclei, NUCLEUS))
    assert len(found) == 2
    areas = np.bincount(found.labels.ravel())[1:]
    assert areas[0] == pytest.approx(areas[1], rel=0.1)
    assert areas.sum() == pytest.approx(np.count_nonzero(around), rel=0.12)


def test_a_red_cell_that_touches_is_left_out() -> None:
    found = find((disc(163, 100, 18), HAEMOGLOBIN), (disc(120, 100, 26), CYTOPLASM), (disc(120, 100, 20), NUCLEUS))
    assert len(found) == 1
    in_red = disc(163, 100, 18) & ~disc(120, 100, 26)
    assert np.count_nonzero(found.labels[in_red]) < 0.1 * np.count_nonzero(in_red)


@pytest.mark.parametrize(("share", "cells"), [(0.8, 0), (1.3, 1)])
def test_a_nucleus_has_a_least_size(share: float, cells: int) -> None:
    radius = np.sqrt(share * LEAST_NUCLEUS_AREA * RED_CELL_AREA / np.pi)
    assert len(find((disc(120, 100, radius), NUCLEUS))) == cells


def test_a_platelet_beside_the_cell_is_no_lobe() -> None:
    cell = ((disc(100, 100, 26), CYTOPLASM), (disc(100, 100, 20), NUCLEUS))
    alone, beside = find(*cell), find(*cell, (disc(137, 100, 6), NUCLEUS))
    assert len(beside) == 1
    assert beside.nucleus_area[0] == alone.nucleus_area[0]


@pytest.mark.parametrize("part", [(disc(120, 100, 18), HAEMOGLOBIN), (disc(120, 100, 18), (0.1, 0.2, 0.1))])
def test_red_and_bluish_cells_have_no_nucleus(part: tuple[np.ndarray, tuple[float, float, float]]) -> None:
    assert len(find(part)) == 0


def test_an_empty_field_has_none() -> None:
    found = find()
    assert len(found) == 0
    assert not found.labels.any()
    assert found.labels.dtype == np.int32
