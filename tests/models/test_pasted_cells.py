"""Cells pasted into training fields, on fields of even density whose pasted cells can be told by a mark in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch, of the extra train")
pytest.importorskip("cv2", reason="needs OpenCV, of the extra train")

from models.training.marked_fields import CHANNELS, GRID_CELLS, Knowledge, MarkedField
from models.training.pasted_cells import MOST_PASTED, SpareCells, with_pasted_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEEDS = range(40)
SIDE = 42
"""Of a spare cell in grid cells."""
REACH = 0.6 * GRID_CELLS
"""Grid cells from its middle to where the last of a pasted cell fades out."""
GROUND = (0.1, 0.3, 0.2)
"""Densities of the fields: even, stained, and another in each colour."""
RED, WHITE = CHANNELS.index("RBC"), CHANNELS.index("WBC")


def field_of(centres: list[tuple[float, float]], size: tuple[int, int] = (240, 200), **columns: Any) -> MarkedField:
    """An even field with the marks of cells; red ones without parasites unless columns say otherwise."""
    middle = np.array(centres, np.float32).reshape(-1, 2)
    count, half = len(middle), GRID_CELLS / 2
    density = np.empty((size[1], size[0], 3), np.float16)
    density[:] = GROUND
    field = MarkedField(
        *("made", "train", "slide", "made.png"),
        density=density,
        foreground=np.ones(density.shape[:2], np.bool_),
        boxes=np.concatenate([middle - half, middle + half], axis=1),
        has_box=np.ones(count, np.bool_),
        channel=np.full(count, RED, np.int8),
        parasitised=np.zeros(count, np.bool_),
        ignored=np.zeros(count, np.bool_),
        knowledge=(Knowledge.EVERYWHERE,) * 4,
    )
    return replace(field, **columns)


CENTRES = [(x, y) for y in (30.0, 80.0, 130.0) for x in (30.0, 80.0, 130.0, 180.0)]


@pytest.fixture
def spare() -> SpareCells:
    """Ten cells, half of them infected: these are twice as dense around the middle, the others half."""
    density = np.full((10, SIDE, SIDE, 3), 0.2, np.float16)
    infected = np.arange(10) % 2 == 0
    middle = slice(SIDE // 2 - 4, SIDE // 2 + 4)
    density[:, middle, middle] = np.where(infected, 0.4, 0.1)[:, None, None, None]
    return SpareCells(density, infected)


def in_the_middle(field: MarkedField) -> NDArray[np.float64]:
    """The density in the middle of each cell over that of the field."""
    middle = ((field.boxes[:, :2] + field.boxes[:, 2:]) / 2).astype(int)
    return np.array([field.density[y, x].astype(np.float64) / GROUND for x, y in middle]).mean(axis=1)


def pasted(field: MarkedField, spare: SpareCells, seed: int) -> MarkedField:
    return with_pasted_cells(field, spare, np.random.default_rng(seed))


def test_the_marks_of_parasites_follow_what_was_pasted(spare: SpareCells) -> None:
    infected = clean = 0
    for seed in SEEDS:
        found = pasted(field_of(CENTRES), spare, seed)
        middle = in_the_middle(found)
        np.testing.assert_array_equal(found.parasitised, middle > 1.5, err_msg=str(seed))
        assert 1 <= np.count_nonzero(abs(middle - 1) > 0.3) <= MOST_PASTED
        infected += np.count_nonzero(middle > 1.5)
        clean += np.count_nonzero(middle < 0.7)
    assert 0.35 < infected / (infected + clean) < 0.65


def test_a_pasted_cell_is_as_strongly_dyed_as_the_field_in_every_colour(spare: SpareCells) -> None:
    seen = set()
    for seed in SEEDS:
        found = pasted(field_of(CENTRES), spare, seed)
        for (x, y), share in zip(CENTRES, in_the_middle(found), strict=True):
            np.testing.assert_allclose(found.density[int(y), int(x)], share * np.array(GROUND), rtol=0.01)
            np.testing.assert_allclose(found.density[int(y) + 10, int(x)], GROUND, rtol=0.01)
            seen.add(round(float(share), 1))
    assert seen == {0.5, 1.0, 2.0}


def test_the_given_field_is_unchanged_and_so_is_everything_else_of_the_new_one(spare: SpareCells) -> None:
    for seed in SEEDS:
        field, same = field_of(CENTRES), field_of(CENTRES)
        found = pasted(field, spare, seed)
        for column in ("density", "foreground", "boxes", "has_box", "channel", "parasitised", "ignored"):
            np.testing.assert_array_equal(getattr(field, column), getattr(same, column), err_msg=column)
        for column in ("foreground", "boxes", "has_box", "channel", "ignored", "knowledge", "source", "split", "file"):
            assert np.array_equal(getattr(found, column), getattr(same, column)), column
        assert found.density.dtype == np.float16
        assert not np.array_equal(found.density, field.density)


def test_nothing_changes_beyond_the_reach_of_a_pasted_cell(spare: SpareCells) -> None:
    found = pasted(field_of(CENTRES), spare, 2)
    y, x = np.indices(found.density.shape[:2]) + 0.5
    centres = np.array(CENTRES)[abs(in_the_middle(found) - 1) > 0.3]
    apart = np.hypot(x[..., None] - centres[:, 0], y[..., None] - centres[:, 1]).min(axis=2)
    changed = (found.density != field_of(CENTRES).density).any(axis=2)
    assert changed.any()
    assert apart[changed].max() <= REACH + 1


def test_only_red_cells_without_parasites_that_count_are_covered(spare: SpareCells) -> None:
    """Neither white cells, parasites nor what is ignored."""
    count = len(CENTRES)
    kept = {"channel": 0, "parasitised": 1, "ignored": 2}
    channel = np.full(count, RED, np.int8)
    channel[0::4] = WHITE
    marks = {name: np.arange(count) % 4 == place for name, place in kept.items()}
    for seed in SEEDS:
        given = field_of(CENTRES, channel=channel, parasitised=marks["parasitised"], ignored=marks["ignored"])
        found = pasted(given, spare, seed)
        covered = abs(in_the_middle(found) - 1) > 0.3
        assert covered.any()
        assert (np.flatnonzero(covered) % 4 == 3).all()
        np.testing.assert_array_equal(found.parasitised[~covered], given.parasitised[~covered])


@pytest.mark.parametrize(
    "centre", [(SIDE / 2 - 1, 90.0), (90.0, SIDE / 2 - 1), (240 - SIDE / 2 + 1, 90.0), (90.0, 200 - SIDE / 2 + 1)]
)
def test_a_cell_that_would_leave_the_field_is_not_pasted(spare: SpareCells, centre: tuple[float, float]) -> None:
    inside = tuple(float(np.clip(one, SIDE / 2, size - SIDE / 2)) for one, size in zip(centre, (240, 200), strict=True))
    assert inside != centre
    for seed in SEEDS:
        found = pasted(field_of([centre]), spare, seed)
        np.testing.assert_array_equal(found.density, field_of([centre]).density)
        assert not found.parasitised.any()
        assert not np.array_equal(pasted(field_of([inside]), spare, seed).density, found.density)


def test_pasted_cells_lie_near_each_other(spare: SpareCells) -> None:
    """Of a long row no two that are pasted have more than those between that could have been."""
    row = [(30.0 + 50 * index, 40.0) for index in range(60)]
    for seed in SEEDS:
        covered = np.flatnonzero(abs(in_the_middle(pasted(field_of(row, (3060, 80)), spare, seed)) - 1) > 0.3)
        assert covered.max() - covered.min() < 3 * MOST_PASTED


def test_the_same_seed_gives_the_same_field(spare: SpareCells) -> None:
    made = [pasted(field_of(CENTRES), spare, seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(made[0].density, made[1].density)
    np.testing.assert_array_equal(made[0].parasitised, made[1].parasitised)
    assert not np.array_equal(made[0].density, made[2].density)


@pytest.mark.parametrize("centres", [[], [(80.0, 80.0)]])
def test_a_field_without_red_cells_to_cover_stays_as_it_is(
    spare: SpareCells, centres: list[tuple[float, float]]
) -> None:
    field = field_of(centres, channel=np.full(len(centres), WHITE, np.int8))
    assert pasted(field, spare, 5) is field
