from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.imaging.levels import LEAST_CONTRAST, Levels, fit_levels
from hemato_lab.imaging.working import WorkingTile
from hemato_lab.smear import Window

SHAPE = (240, 300)
WINDOW = Window(0, 0, 300, 240)


def tile_of(green: np.ndarray, blue: np.ndarray, lit: np.ndarray | None = None) -> WorkingTile:
    density = np.stack([0.4 * green, green, blue], axis=-1).astype(np.float32)
    return WorkingTile(WINDOW, density, np.ones(SHAPE, bool) if lit is None else lit)


def two_levels(
    cell: float, share: float, *, noise: float = 0.008, ratio: float = 0.7, nuclei: float = 0.0, seed: int = 1
) -> tuple[WorkingTile, np.ndarray]:
    """Background at 0, red cells at a foreground density of `cell`, nuclei at 1.0 / 0.3; and what is what (0, 1, 2)."""
    random = np.random.default_rng(seed)
    kind = np.digitize(random.random(SHAPE), [1 - share - nuclei, 1 - nuclei])
    own = cell * (1 + random.normal(0, 0.06, SHAPE))
    green = np.choose(kind, [np.zeros(SHAPE), own * 2 / (1 + ratio), np.full(SHAPE, 1.0)])
    blue = np.choose(kind, [np.zeros(SHAPE), own * 2 * ratio / (1 + ratio), np.full(SHAPE, 0.3)])
    # The noise of a grid cell's mean of two channels is `noise`.
    green += random.normal(0, noise * np.sqrt(2), SHAPE)
    blue += random.normal(0, noise * np.sqrt(2), SHAPE)
    return tile_of(green, blue), kind


def half_light(background: float, cell: float) -> float:
    """Density where the light is half way between that of background and cell."""
    return float(background - np.log10((1 + 10**-cell) / 2))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
@pytest.mark.parametrize("cell", [0.10, 0.20, 0.40])
def test_two_levels_are_recovered_from_noise(cell: float, share: float) -> None:
    tile, kind = two_levels(cell, share)
    levels = fit_levels([tile])
    assert levels.has_cells
    assert levels.background == pytest.approx(0, abs=0.006)
    assert levels.noise == pytest.approx(0.008, rel=0.4)
    assert levels.red_cell == pytest.approx(cell, rel=0.08)
    assert levels.threshold == pytest.approx(half_light(levels.background, levels.red_cell), abs=0.002)
    assert levels.blue_per_green == pytest.approx(0.7, rel=0.05)
    assert (levels.foreground(tile) == (kind > 0)).mean() > 0.98


@pytest.mark.parametrize("nuclei", [0.02, 0.1, 0.25])
def test_dark_nuclei_do_not_draw_the_threshold(nuclei: float) -> None:
    tile, kind = two_levels(0.22, 0.3, nuclei=nuclei)
    levels = fit_levels([tile])
    assert levels.red_cell == pytest.approx(0.22, rel=0.05)
    assert levels.threshold == pytest.approx(half_light(0, 0.22), abs=0.015)
    nuclear = levels.nuclear_density(tile)
    assert np.median(nuclear[kind == 2]) > 1
    assert np.abs(np.median(nuclear[kind == 1])) < 0.15
    assert np.abs(np.median(nuclear[kind == 0])) < 0.1


@settings(deadline=None, max_examples=20)
@given(st.floats(0.08, 0.5), st.floats(0.08, 0.6), st.floats(0.3, 1.2), st.integers(0, 99))
def test_any_credible_stain_gives_an_ordered_answer(cell: float, share: float, ratio: float, seed: int) -> None:
    tile, _ = two_levels(cell, share, ratio=ratio, seed=seed)
    levels = fit_levels([tile])
    assert levels.background < levels.threshold < levels.background + levels.red_cell
    assert levels.red_cell == pytest.approx(cell, rel=0.12)
    assert levels.blue_per_green == pytest.approx(ratio, rel=0.08)


def test_an_offset_of_the_background_is_found() -> None:
    tile, _ = two_levels(0.25, 0.3)
    lifted = tile_of(tile.density[..., 1] + 0.03, tile.density[..., 2] + 0.03)
    levels, raised = fit_levels([tile]), fit_levels([lifted])
    assert raised.background - levels.background == pytest.approx(0.03, abs=0.005)
    assert raised.red_cell == pytest.approx(levels.red_cell, abs=0.01)
    assert raised.threshold - levels.threshold == pytest.approx(0.03, abs=0.01)


@pytest.mark.parametrize("noise", [0.0, 0.002, 0.01])
def test_an_empty_field_has_no_cells(noise: float) -> None:
    tile, _ = two_levels(0.2, 0.0, noise=noise)
    levels = fit_levels([tile])
    assert not levels.has_cells
    assert levels.red_cell == 0
    assert levels.threshold >= levels.background + LEAST_CONTRAST
    assert levels.foreground(tile).mean() < 1e-3
    assert np.isfinite(levels.nuclear_density(tile)).all()


def test_the_dark_surround_is_not_looked_at() -> None:
    tile, _ = two_levels(0.2, 0.3)
    lit = np.ones(SHAPE, bool)
    lit[:, :100] = False
    dark = tile.density.copy()
    dark[:, :100] = 2.5
    with_surround = WorkingTile(WINDOW, dark, lit)
    cut = WorkingTile(WINDOW, tile.density[:, 100:], lit[:, 100:])
    assert fit_levels([with_surround]) == fit_levels([cut])
    assert not fit_levels([cut]).foreground(with_surround)[:, :100].any()
    nothing = fit_levels([WorkingTile(WINDOW, dark, np.zeros(SHAPE, bool))])
    assert not nothing.has_cells
    assert np.isfinite(nothing.threshold)


def test_levels_of_several_samples_are_those_of_all_of_them() -> None:
    tile, _ = two_levels(0.2, 0.3)
    halves = [WorkingTile(WINDOW, part, np.ones(part.shape[:2], bool)) for part in np.split(tile.density, 2)]
    assert fit_levels(halves) == fit_levels([tile])
    assert fit_levels(halves[::-1]) == fit_levels([tile])


def test_nuclear_density_by_hand() -> None:
    levels = Levels(background=0.0, noise=0.01, red_cell=0.2, threshold=0.1, blue_per_green=0.8)
    green = np.full(SHAPE, 0.9)
    blue = np.full(SHAPE, 0.32)
    # 0.9 / 0.2 of green less 0.32 / (0.8 * 0.2) of blue
    np.testing.assert_allclose(levels.nuclear_density(tile_of(green, blue)), 4.5 - 2.0, rtol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.04, 0.06, 1.0])
def test_colour_is_the_spread_of_the_densities(share: float) -> None:
    tile, _ = two_levels(0.2, 0.3, noise=0.001)
    own = tile.density[..., 1]
    density = np.stack([own * (1 - share), own, own], axis=-1)
    levels = fit_levels([WorkingTile(WINDOW, density, tile.lit)])
    assert levels.colour == pytest.approx(share, abs=1e-4)
    assert levels.has_colour == (share > 0.05)
