"""Platelet candidates on drawn densities: what counts for a platelet and what against it."""

from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.detectors.platelets import EVIDENCE, PlateletCandidates, find_platelets, platelet_probability
from hemato_lab.imaging.levels import Levels
from hemato_lab.imaging.working import RED_CELL_AREA, WorkingTile
from hemato_lab.smear import Window

SHAPE = (120, 160)
ROWS, COLUMNS = np.indices(SHAPE)
LEVELS = Levels(background=0.0, noise=0.005, red_cell=0.2, threshold=0.1, blue_per_green=0.7)
AZURE = (0.35, 0.40, 0.12)
HAEMOGLOBIN = (0.09, 0.235, 0.165)


def ellipse(x: float, y: float, a: float, b: float) -> np.ndarray:
    return ((COLUMNS - x) / a) ** 2 + ((ROWS - y) / b) ** 2 <= 1


def field(*parts: tuple[np.ndarray, tuple[float, float, float]]) -> WorkingTile:
    """Densities of things that lie on each other: they add up."""
    density = np.zeros((*SHAPE, 3), np.float32)
    for mask, colour in parts:
        density[mask] += np.array(colour, np.float32)
    return WorkingTile(Window(0, 0, SHAPE[1], SHAPE[0]), density, np.ones(SHAPE, bool))


def find(tile: WorkingTile, white: np.ndarray | None = None) -> PlateletCandidates:
    nothing = np.zeros(SHAPE, bool)
    return find_platelets(tile, LEVELS, LEVELS.smooth_nuclear_density(tile), nothing if white is None else white)


def column(candidates: PlateletCandidates, words: str) -> np.ndarray:
    return candidates.evidence[:, next(index for index, text in enumerate(EVIDENCE) if words in text)]


def test_a_free_round_azure_body_is_a_platelet() -> None:
    found = find(field((ellipse(80, 60, 6, 6), AZURE)))
    assert len(found) == 1
    assert found.probability[0] > 0.9
    assert (found.table.x[0], found.table.y[0]) == (pytest.approx(80, abs=0.1), pytest.approx(60, abs=0.1))


def test_evidence_of_a_drawn_ellipse() -> None:
    found = find(field((ellipse(80, 60, 10, 5), AZURE)))
    assert column(found, "size: ")[0] == pytest.approx(np.log(np.pi * 50 / (0.1 * RED_CELL_AREA)), abs=0.15)
    assert column(found, "square")[0] == pytest.approx(column(found, "size: ")[0] ** 2)
    assert column(found, "axis ratio")[0] == pytest.approx(2, rel=0.1)
    assert column(found, "fills")[0] == pytest.approx(1, abs=0.05)
    assert column(found, "free of cells")[0] == 1
    peak = (AZURE[1] - AZURE[2] / LEVELS.blue_per_green) / LEVELS.red_cell
    assert column(found, "densest")[0] == pytest.approx(np.log(peak), abs=0.05)
    assert column(found, "blue over green")[0] == pytest.approx(AZURE[2] / AZURE[1], abs=0.02)


def test_a_red_cell_alone_is_no_candidate() -> None:
    assert len(find(field((ellipse(80, 60, 18, 18), HAEMOGLOBIN)))) == 0


def test_on_a_red_cell_a_platelet_is_less_sure_than_beside_it() -> None:
    cell = (ellipse(60, 60, 18, 18), HAEMOGLOBIN)
    on = find(field(cell, (ellipse(60, 60, 6, 6), AZURE)))
    beside = find(field(cell, (ellipse(110, 60, 6, 6), AZURE)))
    assert len(on) == len(beside) == 1
    assert column(on, "free of cells")[0] < 0.1
    assert 0.2 < on.probability[0] < beside.probability[0]
    assert column(on, "blue over green")[0] == pytest.approx(AZURE[2] / AZURE[1], abs=0.05)


@pytest.mark.parametrize("shape", [(30, 30), (0.5, 0.5)], ids=["as large as a cell", "a grain"])
def test_what_has_no_platelets_size_is_impossible(shape: tuple[float, float]) -> None:
    assert not find(field((ellipse(80, 60, *shape), (0.7, 0.8, 0.1)))).probability.any()


def test_a_thin_streak_is_no_platelet() -> None:
    streak = find(field((ellipse(80, 60, 22, 2.5), AZURE)))
    assert streak.probability.max() < 0.4


def test_granules_belong_to_the_white_cell_but_a_platelet_in_its_outline_does_not() -> None:
    cytoplasm = ellipse(80, 60, 30, 30)
    granule = find(field((cytoplasm, (0.02, 0.13, 0.10)), (ellipse(80, 60, 4, 4), AZURE)), cytoplasm)
    apart = find(field((ellipse(80, 60, 6, 6), AZURE)), cytoplasm)
    assert not granule.probability.any()
    assert apart.probability[0] > 0.9


def test_probability_grows_with_what_speaks_for_a_platelet() -> None:
    evidence = np.tile(find(field((ellipse(80, 60, 6, 6), AZURE))).evidence, (3, 1))
    names = [text.split(":")[0] for text in EVIDENCE]
    for words, better in (("densest", 1), ("free of cells", 1), ("axis ratio", -1), ("fills", 1), ("deviation", -1)):
        index = next(i for i, text in enumerate(names) if words in text)
        changed = evidence.copy()
        changed[:, index] += better * np.array([-0.3, 0.0, 0.3])
        assert (np.diff(platelet_probability(changed)) > 0).all(), words


def test_an_empty_field_has_no_candidates() -> None:
    found = find(field())
    assert len(found) == 0
    assert found.evidence.shape == (0, len(EVIDENCE))
    assert found.probability.shape == (0,)
