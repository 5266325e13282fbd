from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.detectors import measuring
from hemato_lab.detectors.features import FEATURES
from hemato_lab.detectors.measuring import measured_in_boxes
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.tiling import read_tile
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.smear import RED_CELL_DIAMETER_UM, ArraySource, Field, Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOX = ("x_min", "y_min", "x_max", "y_max")


def with_nothing_measured(boxes: NDArray[np.float64], name: str = "RBC") -> Detections:
    """Cells of which boxes are all that is known."""
    count = len(boxes)
    columns: dict[str, Any] = {feature: np.full(count, np.nan) for feature in FEATURES}
    columns |= dict(zip(BOX, boxes.T, strict=True)) | {"on_border": np.zeros(count)}
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = boxes[:, 2:] - boxes[:, :2]
    base = {
        "field": np.zeros(count),
        "x": centre[:, 0],
        "y": centre[:, 1],
        "radius": np.sqrt(size.prod(axis=1)) / 2,
        "name": np.full(count, name),
        "score": np.ones(count),
    }
    return Detections(base | columns)


def measured(field: Field, cells: Detections, diameter: float) -> Detections:
    calibration = calibrate(field, Scale.from_rbc_diameter_px(diameter))
    return measured_in_boxes(cells, read_tile(field, 0, field.window, 0), calibration)


def discs(places: list[tuple[float, float, float]]) -> Field:
    """Stained discs (x, y, diameter) on an even ground."""
    y, x = np.mgrid[:300, :400]
    pixels = np.full((300, 400, 3), 230, np.uint8)
    for cx, cy, diameter in places:
        pixels[np.hypot(x - cx, y - cy) <= diameter / 2] = (215, 150, 160)
    return Field("discs", ArraySource(pixels), "")


def boxes_of(places: list[tuple[float, float, float]]) -> NDArray[np.float64]:
    return np.array([[x - d / 2, y - d / 2, x + d / 2, y + d / 2] for x, y, d in places])


def test_a_disc_is_as_large_as_it_is() -> None:
    places = [(100.0, 100.0, 60.0), (280.0, 150.0, 48.0)]
    cells = measured(discs(places), with_nothing_measured(boxes_of(places)), 60.0)
    um = RED_CELL_DIAMETER_UM / 60
    for row, (_, _, diameter) in enumerate(places):
        assert cells["area_um2"][row] == pytest.approx(np.pi / 4 * (diameter * um) ** 2, rel=0.04)
        assert cells["circularity"][row] > 0.93
        assert cells["major_axis_um"][row] == pytest.approx(diameter * um, rel=0.04)


def test_the_box_stays_what_the_network_said() -> None:
    places = [(100.0, 100.0, 60.0)]
    before = with_nothing_measured(boxes_of(places) + np.array([[-3, 2, 4, 1]]))
    after = measured(discs(places), before, 60.0)
    for name in (*BOX, "x", "y", "radius", "on_border", "name", "score"):
        assert np.array_equal(after[name], before[name]), name


def test_what_fills_little_of_its_box_is_not_measured() -> None:
    cells = measured(discs([(100.0, 100.0, 16.0)]), with_nothing_measured(boxes_of([(100.0, 100.0, 60.0)])), 60.0)
    assert np.isnan(cells["area_um2"][0])
    assert np.isnan(cells["od_green"][0])


def test_touching_cells_share_their_stain_in_the_middle() -> None:
    places = [(100.0, 150.0, 60.0), (150.0, 150.0, 60.0)]
    cells = measured(discs(places), with_nothing_measured(boxes_of(places)), 60.0)
    areas = cells["area_um2"]
    um = RED_CELL_DIAMETER_UM / 60
    # a circle without the part beyond the chord at 25 of 30 pixels
    angle = 2 * np.arccos(25 / 30)
    left = np.pi * 30**2 - 30**2 / 2 * (angle - np.sin(angle))
    np.testing.assert_allclose(areas, left * um**2, rtol=0.04)


def test_a_speck_beside_the_cell_in_its_box_is_not_measured_with_it() -> None:
    disc, box = (100.0, 100.0, 44.0), boxes_of([(100.0, 100.0, 60.0)])
    alone = measured(discs([disc]), with_nothing_measured(box), 60.0)
    beside = measured(discs([disc, (77.0, 77.0, 12.0)]), with_nothing_measured(box), 60.0)
    for name in ("area_um2", "perimeter_um", "major_axis_um", "solidity"):
        assert beside[name][0] == pytest.approx(alone[name][0], rel=0.005), name


def test_a_cell_that_touches_two_pieces_of_another_does_not_connect_them() -> None:
    labels = np.array([[1, 1, 2, 2, 1, 0, 0, 1], [1, 0, 2, 0, 0, 2, 0, 1]], np.int32)
    kept = np.array([[1, 1, 2, 2, 0, 0, 0, 0], [1, 0, 2, 0, 0, 0, 0, 0]], np.int32)
    np.testing.assert_array_equal(measuring._largest_parts(labels, 3), kept)


def test_an_empty_table_stays_as_it_is_and_in_an_empty_field_nothing_is_measured() -> None:
    nothing = Detections.empty((*FEATURES, "of_others"))
    assert measured(discs([(100.0, 100.0, 60.0)]), nothing, 60.0) == nothing
    bare = with_nothing_measured(boxes_of([(100.0, 100.0, 60.0)]))
    by_box = bare.with_columns(area_um2=np.array([44.0]), equivalent_diameter_um=np.array([7.5]))
    assert measured(discs([]), by_box, 60.0) == bare


def test_pallor_is_measured_in_red_cells_alone() -> None:
    disc, boxes = (100.0, 100.0, 60.0), boxes_of([(100.0, 100.0, 60.0)])
    cell = with_nothing_measured(boxes)
    assert np.isfinite(measured(discs([disc]), cell, 60.0)["pallor_ratio"]).all()
    white = cell.with_columns(name=np.array(["WBC"]))
    found = measured(discs([disc]), white, 60.0)
    assert np.isnan(found["pallor_ratio"]).all()
    assert np.isfinite(found["area_um2"]).all()


def test_true_boxes_of_a_phantom_give_the_true_sizes() -> None:
    recipe = replace(RECIPES["normal"], um_per_px=RED_CELL_DIAMETER_UM / 40)
    smear, truth = phantom_smear(recipe, 2, 1, 640, 480)
    whole = truth.select(truth.of_kind("RBC") & (truth["on_border"] == 0) & (truth["overlapped"] == 0))
    bare = with_nothing_measured(np.stack([whole[side] for side in BOX], axis=1))
    cells = measured(smear.fields[0], bare, 40.0)
    ratio = cells["equivalent_diameter_um"] / (2 * whole["radius"] * recipe.um_per_px)
    assert np.isnan(ratio).mean() < 0.02
    assert np.nanmedian(ratio) == pytest.approx(1, abs=0.04)
