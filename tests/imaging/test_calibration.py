from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.imaging import calibration as module
from hemato_lab.imaging.calibration import MOST_KEPT, FieldCalibration, calibrate
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.imaging.levels import fit_levels
from hemato_lab.imaging.working import RED_CELL_DIAMETER, working_tile
from hemato_lab.phantom import Recipe
from hemato_lab.smear import Field, Scale, Window
from tests.calibrated import calibrated

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.imaging.working import WorkingTile

Phantom = tuple[Field, Detections, Recipe]


@pytest.fixture(scope="module")
def field(phantom: Callable[..., Phantom]) -> Field:
    return phantom("normal")[0]


def test_a_field_is_calibrated_on_all_of_its_pixels(field: Field) -> None:
    scale = Scale.from_um_per_px(0.125)
    found = calibrate(field, scale)
    assert found.scale is scale
    assert (found.grid.width, found.grid.height) == (480, 360)
    assert found.grid.step * scale.rbc_diameter_px == pytest.approx(RED_CELL_DIAMETER)
    np.testing.assert_array_equal(found.illumination.coefficients, fit_illumination(field).coefficients)
    whole = working_tile(field.read(), field.window, found.grid, found.illumination)
    assert found.levels == fit_levels([whole])
    assert found.levels.has_cells
    assert found.lit_pixels == field.window.area


def test_a_given_illumination_is_used_and_not_fitted_again(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    given = fit_illumination(field)

    def forbidden(_: Field) -> None:
        raise AssertionError("fitted again")

    monkeypatch.setattr("hemato_lab.imaging.calibration.fit_illumination", forbidden)
    assert calibrate(field, Scale.from_um_per_px(0.125), given).illumination is given


def test_only_the_lit_part_counts(field: Field, as_field: Callable[..., Field]) -> None:
    pixels = field.read().copy()
    pixels[:, :120] = 4
    found = calibrate(as_field(pixels), Scale.from_um_per_px(0.125))
    assert found.lit_pixels == pytest.approx(360 * 360, rel=0.03)
    assert found.levels.red_cell == pytest.approx(
        calibrate(field, Scale.from_um_per_px(0.125)).levels.red_cell, rel=0.1
    )


def test_levels_do_not_depend_on_the_magnification(phantom: Callable[..., Phantom]) -> None:
    found = [
        calibrate(phantom("normal", um_per_px, size=size)[0], Scale.from_um_per_px(um_per_px)).levels
        for um_per_px, size in ((0.125, (480, 360)), (0.25, (240, 180)))
    ]
    assert found[0].red_cell == pytest.approx(found[1].red_cell, rel=0.1)
    assert found[0].threshold == pytest.approx(found[1].threshold, rel=0.1)


@pytest.fixture
def noise() -> Callable[..., FieldCalibration]:
    """Calibrations of small fields, each of its own noise."""

    def make(seed: int = 0) -> FieldCalibration:
        pixels = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), np.uint8)
        return calibrated(pixels, 30.0, lit=np.random.default_rng(9).random((4, 4)) < 0.7)

    return make


def taken_whole(calibration: FieldCalibration) -> WorkingTile:
    return calibration.working(calibration.field.read(), calibration.field.window)


def test_the_densities_of_a_window_are_those_of_its_working_tile(noise: Callable[..., FieldCalibration]) -> None:
    calibration = noise()
    whole = calibration.field.window
    for window in (whole, Window(0, 0, 50, 60), Window(11, 7, 80, 53), whole):
        pixels = calibration.field.read(window)
        tile = calibration.working(pixels, window)
        expected = working_tile(pixels, window, calibration.grid, calibration.illumination)
        assert tile.window == expected.window
        np.testing.assert_array_equal(tile.density, expected.density)
        np.testing.assert_array_equal(tile.lit, expected.lit)
        assert 0 < np.count_nonzero(tile.lit) < tile.lit.size


def test_a_field_taken_whole_is_computed_once_and_can_not_be_changed(noise: Callable[..., FieldCalibration]) -> None:
    calibration = noise()
    kept = taken_whole(calibration)
    assert taken_whole(calibration) is kept
    for array in (kept.density, kept.lit):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0


def test_windows_of_a_field_are_computed_each_time(noise: Callable[..., FieldCalibration]) -> None:
    calibration, window = noise(), Window(0, 0, 80, 59)
    pixels = calibration.field.read(window)
    assert calibration.working(pixels, window) is not calibration.working(pixels, window)


@pytest.mark.parametrize(("larger", "is_kept"), [(0, True), (1, False)])
def test_only_small_fields_are_kept(
    noise: Callable[..., FieldCalibration], monkeypatch: pytest.MonkeyPatch, larger: int, *, is_kept: bool
) -> None:
    calibration = noise()
    monkeypatch.setattr(module, "LARGEST_KEPT", calibration.field.window.area - larger)
    assert (taken_whole(calibration) is taken_whole(calibration)) is is_kept


def test_the_last_few_fields_are_kept(noise: Callable[..., FieldCalibration]) -> None:
    """Each has its own densities, and what was dropped is computed again."""
    fields = [noise(seed) for seed in range(MOST_KEPT + 3)]
    first = [taken_whole(one) for one in fields]
    # The newest first: asking for one that was dropped would drop another.
    kept = [taken_whole(one) is tile for one, tile in reversed(list(zip(fields, first, strict=True)))]
    assert kept == [True] * MOST_KEPT + [False] * 3
    for one, tile in zip(fields, first, strict=True):
        np.testing.assert_array_equal(taken_whole(one).density, tile.density)


def test_nothing_is_kept_of_a_field_that_nobody_uses(noise: Callable[..., FieldCalibration]) -> None:
    calibration = noise()
    kept = weakref.ref(taken_whole(calibration))
    assert kept() is not None
    del calibration
    gc.collect()
    assert kept() is None


def test_several_threads_may_ask_for_the_same_fields(noise: Callable[..., FieldCalibration]) -> None:
    fields = [noise(seed) for seed in range(2 * MOST_KEPT)]
    expected = [working_tile(one.field.read(), one.field.window, one.grid, one.illumination).density for one in fields]
    order = [index for _ in range(20) for index in range(len(fields))]
    with ThreadPoolExecutor(4) as pool:
        tiles = list(pool.map(lambda index: taken_whole(fields[index]).density, order))
    for index, density in zip(order, tiles, strict=True):
        np.testing.assert_array_equal(density, expected[index])


def test_levels_and_cells_are_measured_on_the_same_densities(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """The field is resampled once for both."""
    made: list[Window] = []

    def counted(pixels: np.ndarray, window: Window, *of_field: object) -> WorkingTile:
        made.append(window)
        return working_tile(pixels, window, *of_field)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "working_tile", counted)
    found = calibrate(field, Scale.from_um_per_px(0.125))
    assert found.levels.has_cells
    taken_whole(found)
    assert made == [field.window]
