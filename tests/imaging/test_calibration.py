from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.imaging.levels import fit_levels
from hemato_lab.imaging.working import RED_CELL_DIAMETER, working_tile
from hemato_lab.phantom import Recipe
from hemato_lab.smear import Field, Scale

if TYPE_CHECKING:
    from collections.abc import Callable

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
