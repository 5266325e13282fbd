"""What becomes of the boxes that a network draws, by a network that draws a known box around every coloured dot."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.detectors import make_detector
from hemato_lab.detectors.features import FEATURES
from hemato_lab.detectors.onnx import NetworkDetector
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.tiling import margin_px, read_tile, tile_cores
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.pipeline.finding import reported
from hemato_lab.smear import RED_CELL_DIAMETER_UM, Window
from hemato_lab.vocabulary import DETECTOR_CLASSES
from tests.calibrated import Array, calibrated
from tests.detectors.dots import CELL, Dot, dotted, score_of
from tests.networks.graphs import DETECTS, DOT_SIDES, as_network, dots_model

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.networks import Network

LEFT, TOP, RIGHT, BOTTOM = DOT_SIDES
LINES = {"RBC": (1.5, -1.0), "WBC": (1.0, 0.0), "platelet": (0.5, 0.25)}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return as_network(dots_model(), tmp_path_factory.mktemp("models") / "dots.onnx")


def cells_of(pixels: Array, network: Network, tile_size: int | None = None, enlarged: int = 1) -> Detections:
    calibration = calibrated(pixels, CELL * enlarged)
    detector = NetworkDetector(calibration, network, measured=False)
    margin = margin_px(CELL * enlarged)
    cores = tile_cores(calibration.field, tile_size)
    return Detections.concatenate(detector(read_tile(calibration.field, 0, core, margin)) for core in cores).sorted()


@pytest.mark.parametrize("enlarged", [1, 2, 3])
def test_a_box_is_in_pixels_of_the_field_at_any_magnification(network: Network, enlarged: int) -> None:
    dots: list[Dot] = [("RBC", 40, 60, 0.7), ("WBC", 120, 44, 0.6), ("platelet", 160, 150, 0.5)]
    cells = cells_of(dotted(dots, enlarged=enlarged), network, enlarged=enlarged)
    assert cells.features == FEATURES
    assert len(cells) == 3
    for kind, x, y, density in dots:
        (row,) = np.flatnonzero(cells["name"] == kind)
        edges = np.array([x + 1 - LEFT, y + 1 - TOP, x + 1 + RIGHT, y + 1 + BOTTOM]) * enlarged - 0.5
        np.testing.assert_allclose([cells[side][row] for side in ("x_min", "y_min", "x_max", "y_max")], edges)
        assert cells["x"][row] == (edges[0] + edges[2]) / 2
        assert cells["y"][row] == (edges[1] + edges[3]) / 2
        assert cells["radius"][row] == pytest.approx(11 * enlarged)
        assert cells["equivalent_diameter_um"][row] == pytest.approx(22 / CELL * RED_CELL_DIAMETER_UM)
        assert cells["area_um2"][row] == pytest.approx(np.pi / 4 * (22 / CELL * RED_CELL_DIAMETER_UM) ** 2)
        assert cells["score"][row] == pytest.approx(score_of(density, LINES[kind]), abs=1e-4)
        assert cells["on_border"][row] == 0


MOST_OVERLAP = {
    ("RBC", "RBC"): 0.5,
    ("RBC", "WBC"): 0.5,
    ("RBC", "platelet"): 0.6,
    ("WBC", "WBC"): 0.4,
    ("WBC", "platelet"): 0.4,
    ("platelet", "platelet"): 0.4,
}


@pytest.mark.parametrize("kinds", list(combinations_with_replacement(DETECTOR_CLASSES, 2)))
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_boxes_on_one_cell_the_likelier_stays(network: Network, kinds: tuple[str, str], *, turned: bool) -> None:
    """They are one cell when more is common to two boxes, of what either covers, than their kinds allow."""
    better, worse = kinds[::-1] if turned else kinds
    dropped = []
    for apart in range(2, 24, 2):
        dots: list[Dot] = [(better, 80, 80, 2.0), (worse, 80 + apart, 80, 0.45)]
        cells = cells_of(dotted(dots), network)
        assert np.count_nonzero(cells["x"] == 81.5) >= 1
        dropped.append(len(cells) == 1)
        assert dropped[-1] == ((22 - apart) / (22 + apart) > MOST_OVERLAP[kinds])
    assert any(dropped)
    assert not all(dropped)


def test_maps_of_further_classes_are_passed_over(network: Network, tmp_path: Path) -> None:
    told = DETECTS | {"gain": "1", "classes": json.dumps(DETECTOR_CLASSES)}
    for key in ("thresholds", "calibration"):
        told[key] = json.dumps({name: json.loads(DETECTS[key])[name] for name in DETECTOR_CLASSES})
    alone = as_network(dots_model(told, further=False), tmp_path / "alone.onnx")
    pixels = dotted([("RBC", 40, 60, 0.7), ("WBC", 120, 44, 0.6), ("platelet", 120, 44 + 40, 0.5)])
    cells = cells_of(pixels, network)
    assert set(network.card.classes) > set(DETECTOR_CLASSES)
    assert sorted(cells["name"].tolist()) == sorted(DETECTOR_CLASSES)
    assert cells == cells_of(pixels, alone)


@pytest.mark.parametrize("enlarged", [1, 2])
def test_a_box_that_the_field_cuts_off_is_on_the_border(network: Network, enlarged: int) -> None:
    """Its size stays that of the whole cell, its middle is that of the part in the field."""
    width, height = 240, 200
    sides = {
        "x_min": [("RBC", x, 100, 0.7) for x in (0, 4, 8, 12)],
        "y_min": [("RBC", 100, y, 0.7) for y in (0, 4, 6, 10)],
        "x_max": [("RBC", width - 2 - x, 100, 0.7) for x in (0, 4, 10, 14)],
        "y_max": [("RBC", 100, height - 2 - y, 0.7) for y in (0, 4, 10, 14)],
    }
    for side, dots in sides.items():
        limit = {"x_min": -0.5, "y_min": -0.5, "x_max": width * enlarged - 0.5, "y_max": height * enlarged - 0.5}[side]
        for index, dot in enumerate(dots):
            cells = cells_of(dotted([dot], enlarged=enlarged), network, enlarged=enlarged)
            assert len(cells) == 1
            assert cells["on_border"][0] == (index < 3), (side, index)
            assert (cells[side][0] == limit) == (index < 3)
            assert cells["radius"][0] == pytest.approx(11 * enlarged)
            axis = side[0]
            assert cells[axis][0] == (cells[f"{axis}_min"][0] + cells[f"{axis}_max"][0]) / 2


@pytest.mark.parametrize("seed", range(4))
def test_crowded_boxes_do_not_depend_on_tiles(network: Network, seed: int) -> None:
    """Boxes overlap and suppress each other across the borders of tiles."""
    random = np.random.default_rng(seed)
    dots: list[Dot] = [
        (DETECTOR_CLASSES[kind], 2 * int(x), 2 * int(y), float(density))
        for kind, x, y, density in zip(
            random.integers(0, 3, 500), random.integers(0, 210, 500), random.integers(0, 190, 500),
            random.uniform(0.4, 1.0, 500), strict=True,
        )
    ]  # fmt: skip
    pixels = dotted(dots, 420, 380)
    whole = cells_of(pixels, network)
    assert len(whole) > 150
    for tile_size in (64, 100, 200):
        assert cells_of(pixels, network, tile_size) == whole, tile_size


def test_a_row_of_boxes_each_on_the_next_does_not_depend_on_tiles(network: Network) -> None:
    pixels = dotted([("RBC", 20 + 6 * index, 100, 1.4 - 0.02 * index) for index in range(40)], 420, 200)
    assert cells_of(pixels, network, 128) == cells_of(pixels, network)


def test_a_tile_tells_only_what_its_core_owns_and_of_which_field(network: Network) -> None:
    pixels = dotted([("RBC", 40, 60, 0.7), ("RBC", 120, 60, 0.7)])
    calibration = calibrated(pixels, CELL)
    detector = NetworkDetector(calibration, network, measured=False)
    cells = detector(read_tile(calibration.field, 7, Window(100, 0, 240, 200), margin_px(CELL)))
    assert cells["x"].tolist() == [121.5]
    assert cells["field"].tolist() == [7]
    for core in (Window(10, 10, 10, 10), Window(150, 120, 160, 130)):
        empty = detector(read_tile(calibration.field, 0, core, margin_px(CELL)))
        assert len(empty) == 0
        assert empty.features == FEATURES


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (9, 7)])
def test_a_field_smaller_than_a_cell_is_no_error(network: Network, size: tuple[int, int]) -> None:
    width, height = size
    pixels = np.full((height, width, 3), 180, np.uint8)
    cells = cells_of(pixels, network)
    assert all(Window(0, 0, width, height).owns(x, y) for x, y in zip(cells["x"], cells["y"], strict=True))


@pytest.mark.parametrize("diameter", [18.0, 40.0, 80.0])
def test_the_shipped_network_finds_red_cells_at_any_magnification(diameter: float) -> None:
    recipe = replace(RECIPES["normal"], um_per_px=RED_CELL_DIAMETER_UM / diameter)
    smear, truth = phantom_smear(recipe, 5, 1, int(12 * diameter), int(9 * diameter))
    assert smear.scale is not None
    calibration = calibrate(smear.fields[0], smear.scale)
    detector = make_detector("onnx", calibration, measured=False)
    cells = detector(read_tile(calibration.field, 0, calibration.field.window, 0))
    red = cells.select(reported(cells, detector.operating_scores, None) & (cells["name"] == "RBC"))
    whole = truth.select(truth.of_kind("RBC") & (truth["on_border"] == 0))
    apart = np.hypot(red["x"][:, None] - whole["x"], red["y"][:, None] - whole["y"])
    assert len(whole) > 30
    assert np.mean(apart.min(axis=0, initial=np.inf) < whole["radius"] / 2) >= 0.95
