from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import helper
from scipy import special

from hemato_lab.detections import Detections
from hemato_lab.detectors import make_detector
from hemato_lab.detectors.onnx import LEAST_SCORE, NetworkDetector
from hemato_lab.errors import ConfigError
from hemato_lab.imaging.calibration import FieldCalibration, calibrate
from hemato_lab.imaging.tiling import margin_px, read_tile, tile_cores
from hemato_lab.networks import Network, load_network, read_network
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.pipeline.finding import reported
from hemato_lab.smear import RED_CELL_DIAMETER_UM, ArraySource, Field, Scale
from hemato_lab.vocabulary import DETECTOR_CLASSES, PLATELET, RBC, WBC
from tests.networks.graphs import DETECTS, array, as_model, classifier_model, floats

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINES = {"RBC": [1.0, 0.0], "WBC": [2.0, -1.0], "platelet": [1.0, 0.0], "parasitised RBC": [1.0, 0.0]}
HALF_SIDES = (6.0, 5.0, 8.0, 7.0)
"""Left, top, right, bottom of every box that the toy draws, in its input's pixels."""


def toy_model(metadata: dict[str, str] | None = None) -> Any:
    """A detector that can be worked by hand.

    Logits are 8 times the density of one colour, averaged over the 2 x 2 pixels of a place, minus 4: red is read as red
    cells, green as white cells, blue as platelets, and red again as a class that nobody asks for. All boxes are alike.
    """
    kernel = np.zeros((8, 3, 2, 2))
    for channel, colour in enumerate((0, 1, 2, 0)):
        kernel[channel, colour] = 8 / 4
    bias = np.array([-4.0] * 4 + list(HALF_SIDES))
    graph = helper.make_graph(
        [helper.make_node("Conv", ["densities", "kernel", "bias"], ["out"], strides=[2, 2])],
        "toy",
        [floats("densities", "n", 3, "h", "w")],
        [floats("out", "n", 8, "h2", "w2")],
        [array("kernel", kernel), array("bias", bias)],
    )
    told = {"gain": "1", "calibration": json.dumps(LINES)}
    return as_model(graph, DETECTS | told | (metadata or {}))


@pytest.fixture
def toy(tmp_path: Path) -> Network:
    path = tmp_path / "toy.onnx"
    path.write_bytes(toy_model().SerializeToString())
    return read_network(path)


STEP = 2
"""Pixels of the toy's fields per grid cell: a red cell measures 48 pixels, 24 grid cells."""
GROUND = 230


def stained(places: list[tuple[int, int, tuple[int, int, int]]], width: int = 480, height: int = 360) -> Field:
    """Squares of 2 x 2 places (8 pixels) in one colour each, on an even ground; column and row of the place."""
    pixels = np.full((height, width, 3), GROUND, np.uint8)
    for column, row, colour in places:
        left, top = column * 2 * STEP, row * 2 * STEP
        pixels[top : top + 8, left : left + 8] = colour
    return Field("toy", ArraySource(pixels), "")


def found(detector: NetworkDetector, field: Field, tile_size: int | None = None) -> Detections:
    diameter = detector.calibration.scale.rbc_diameter_px
    tiles = [detector(read_tile(field, 0, core, margin_px(diameter))) for core in tile_cores(field, tile_size)]
    return Detections.concatenate(tiles).sorted()


CYAN, MAGENTA = (60, 230, 230), (230, 60, 230)
"""Inks that take up red and green light alone."""


def test_boxes_stand_where_the_heat_is(toy: Network) -> None:
    field = stained([(40, 50, CYAN), (80, 30, MAGENTA)])
    calibration = calibrate(field, Scale.from_rbc_diameter_px(48))
    cells = found(NetworkDetector(calibration, toy, measured=False), field)
    red, white = cells.select(cells["name"] == RBC), cells.select(cells["name"] == WBC)
    assert (len(red), len(white)) == (1, 1)
    # the first of the equal places wins: its middle, in grid cells, is an odd number; then from grid cells to pixels
    x, y = 2 * 40 + 1, 2 * 50 + 1
    left, top, right, bottom = HALF_SIDES
    expected = np.array([x - left, y - top, x + right, y + bottom]) * STEP - 0.5
    np.testing.assert_allclose([red[side][0] for side in ("x_min", "y_min", "x_max", "y_max")], expected, atol=4.01)
    assert red["x"][0] == (red["x_min"][0] + red["x_max"][0]) / 2
    assert red["radius"][0] == pytest.approx(np.sqrt(14 * 12) * STEP / 2)
    um = RED_CELL_DIAMETER_UM / 48
    assert red["equivalent_diameter_um"][0] == pytest.approx(np.sqrt(14 * 12) * STEP * um)


def test_scores_are_calibrated_logits(toy: Network) -> None:
    field = stained([(40, 50, CYAN), (80, 30, MAGENTA)])
    cells = found(NetworkDetector(calibrate(field, Scale.from_rbc_diameter_px(48)), toy, measured=False), field)
    light = ((np.array([60, GROUND]) / 255 + 0.055) / 1.055) ** 2.4
    logit = 8 * np.log10(light[1] / light[0]) - 4
    for name, (slope, intercept) in ((RBC, LINES["RBC"]), (WBC, LINES["WBC"])):
        score = cells["score"][cells["name"] == name][0]
        assert score == pytest.approx(special.expit(slope * logit + intercept), abs=0.01)


def test_nothing_below_the_least_score_is_told(toy: Network) -> None:
    field = stained([(40, 50, (205, 230, 230))])
    cells = found(NetworkDetector(calibrate(field, Scale.from_rbc_diameter_px(48)), toy, measured=False), field)
    assert special.expit(-4) < LEAST_SCORE
    assert (cells["score"] >= LEAST_SCORE).all()


def test_of_two_boxes_of_one_cell_the_likelier_stays(toy: Network) -> None:
    field = stained([(40, 50, CYAN), (42, 50, (90, 230, 230)), (70, 50, (90, 230, 230))])
    cells = found(NetworkDetector(calibrate(field, Scale.from_rbc_diameter_px(48)), toy, measured=False), field)
    red = cells.select(cells["name"] == RBC)
    assert len(red) == 2
    assert red["x"].max() - red["x"].min() == pytest.approx(30 * 2 * STEP, abs=8)


def test_operating_scores_are_those_of_the_card(toy: Network) -> None:
    field = stained([])
    detector = NetworkDetector(calibrate(field, Scale.from_rbc_diameter_px(48)), toy)
    assert detector.operating_scores == {"RBC": 0.5, "WBC": 0.25, "platelet": 1.0}
    assert len(found(detector, field)) == 0


@pytest.mark.parametrize("classes", [["RBC", "WBC"], ["neutrophil", "WBC", "platelet"]])
def test_a_network_for_other_cells_is_refused(tmp_path: Path, classes: list[str]) -> None:
    per_class = dict.fromkeys(classes, 0.5)
    told = {
        "classes": json.dumps(classes),
        "thresholds": json.dumps(per_class),
        "calibration": json.dumps({name: [1.0, 0.0] for name in classes}),
    }
    kernel = np.zeros((len(classes) + 4, 3, 2, 2))
    graph = helper.make_graph(
        [helper.make_node("Conv", ["densities", "kernel"], ["out"], strides=[2, 2])],
        "toy",
        [floats("densities", "n", 3, "h", "w")],
        [floats("out", "n", len(classes) + 4, "h2", "w2")],
        [array("kernel", kernel)],
    )
    path = tmp_path / "other.onnx"
    path.write_bytes(as_model(graph, DETECTS | told).SerializeToString())
    calibration = calibrate(stained([]), Scale.from_rbc_diameter_px(48))
    with pytest.raises(ConfigError, match="no detector of RBC, WBC, platelet"):
        NetworkDetector(calibration, read_network(path))
    path.write_bytes(classifier_model().SerializeToString())
    with pytest.raises(ConfigError, match="no detector of RBC, WBC, platelet"):
        NetworkDetector(calibration, read_network(path))


@pytest.fixture(scope="module")
def shipped() -> Callable[..., tuple[FieldCalibration, Field, Detections]]:
    """A phantom field of a recipe with its calibration and truth."""

    @cache
    def make(
        name: str, size: tuple[int, int] = (560, 440), rbc_px: float = 42.0
    ) -> tuple[FieldCalibration, Field, Detections]:
        recipe = replace(RECIPES[name], um_per_px=RED_CELL_DIAMETER_UM / rbc_px)
        smear, truth = phantom_smear(recipe, 3, 1, *size)
        return calibrate(smear.fields[0], Scale.from_rbc_diameter_px(rbc_px)), smear.fields[0], truth

    return make


@pytest.mark.parametrize("tile_size", [97, 250])
@pytest.mark.parametrize("measured", [False, True])
def test_the_table_does_not_depend_on_the_tiles(
    shipped: Callable[..., tuple[FieldCalibration, Field, Detections]], *, tile_size: int, measured: bool
) -> None:
    calibration, field, _ = shipped("differential")
    detector = NetworkDetector(calibration, load_network("detector"), measured=measured)
    assert found(detector, field, tile_size) == found(detector, field)


@pytest.mark.parametrize("name", ["normal", "differential"])
def test_the_shipped_network_finds_the_cells_of_a_phantom(
    shipped: Callable[..., tuple[FieldCalibration, Field, Detections]], name: str
) -> None:
    calibration, field, truth = shipped(name)
    detector = make_detector("onnx", calibration, measured=False)
    cells = found(detector, field)  # type: ignore[arg-type]
    cells = cells.select(reported(cells, detector.operating_scores, None))
    whole = truth.select(truth.of_kind(RBC) & (truth["on_border"] == 0))
    red = cells.select(cells["name"] == RBC)
    near = np.hypot(red["x"][:, None] - whole["x"], red["y"][:, None] - whole["y"]) < whole["radius"] / 2
    assert near.any(axis=0).mean() > 0.93
    assert set(cells["name"]) <= set(DETECTOR_CLASSES)
    if name == "differential":
        white = truth.select(truth.of_kind(WBC))
        assert abs(np.count_nonzero(cells["name"] == WBC) - len(white)) <= 1


def test_the_registry_gives_it_another_model(toy: Network) -> None:
    calibration = calibrate(stained([]), Scale.from_rbc_diameter_px(48))
    assert make_detector("onnx", calibration, model=toy).operating_scores[PLATELET] == 1.0
    with pytest.raises(ConfigError, match="uses no model"):
        make_detector("classical", calibration, model=toy)
    with pytest.raises(ConfigError, match=r"no detector is called 'best'.*onnx, classical"):
        make_detector("best", calibration)
