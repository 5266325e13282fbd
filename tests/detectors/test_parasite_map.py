"""Scores of parasites, by a network that draws a known spot wherever there is a dot, and by the one that ships."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from hemato_lab.detections import BOX_COLUMNS, Detections
from hemato_lab.detectors import parasite_map
from hemato_lab.detectors.field_view import FIELD_OF_VIEW
from hemato_lab.detectors.parasite_map import LARGEST_REACH, ParasiteMap
from hemato_lab.errors import ConfigError
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.tiling import MARGIN_DIAMETERS, margin_px, read_tile, tile_cores
from hemato_lab.networks import WINDOW_STEP, Network, NetworkCard, load_network
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.smear import RED_CELL_DIAMETER_UM, Window
from tests.calibrated import Array, calibrated
from tests.detectors.dots import CELL, Dot, dotted, score_of
from tests.networks.graphs import CLASSIFIES, DETECTS, MAPS, as_network, classifier_model, dots_model, spots_model

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.imaging.calibration import FieldCalibration

LINE = (0.5, -0.25)
"""Of the parasites in `MAPS`."""
NOTHING = score_of(0, LINE)
SURROUNDINGS = 2 * (FIELD_OF_VIEW + LARGEST_REACH + WINDOW_STEP)
"""What the network is shown besides a block, at most."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return as_network(spots_model(), tmp_path_factory.mktemp("models") / "spots.onnx")


def changed(path: Path, **told: str) -> Network:
    """The network of spots with other metadata."""
    return as_network(spots_model(MAPS | {"gain": "1"} | told), path / "changed.onnx")


def boxed(boxes: Array, enlarged: int = 1) -> Detections:
    """Red cells in boxes that are given in pixels of the network, from the outer corner of the first."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 4) * enlarged - 0.5
    columns: dict[str, Any] = dict(zip(BOX_COLUMNS, corners.T, strict=True))
    middle = (corners[:, :2] + corners[:, 2:]) / 2
    count = len(corners)
    base = {"field": np.zeros(count), "radius": np.ones(count), "score": np.ones(count)}
    return Detections({**base, "x": middle[:, 0], "y": middle[:, 1], "name": np.full(count, "RBC", "<U32"), **columns})


def scores_of(
    look: ParasiteMap, calibration: FieldCalibration, cells: Detections, tile_size: int | None = None
) -> Array:
    """The score of each cell, told by the tile that owns it."""
    scores, margin = np.full(len(cells), np.nan), margin_px(calibration.scale.rbc_diameter_px)
    for core in tile_cores(calibration.field, tile_size):
        owned = np.array([core.owns(x, y) for x, y in zip(cells["x"], cells["y"], strict=True)], bool)
        scores[owned] = look(read_tile(calibration.field, 0, core, margin), cells.select(owned))
    return scores


def seen(dots: list[Dot], boxes: Any, network: Network, enlarged: int = 1) -> list[float]:
    """The scores of the cells in boxes, in a picture of dots."""
    calibration = calibrated(dotted(dots, enlarged=enlarged), CELL * enlarged)
    return cast(
        "list[float]", scores_of(ParasiteMap(calibration, network), calibration, boxed(boxes, enlarged)).tolist()
    )


@pytest.mark.parametrize("enlarged", [1, 2, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_parasite_belongs_to_the_cell_in_whose_middle_it_lies(network: Network, axis: int, enlarged: int) -> None:
    """Three tenths of the box's sides from its middle; a spot of two pixels lies there if any of it does."""
    corner, sides = np.array([90, 100]), np.array([24, 32])
    low, high = (corner + (0.5 - 0.3) * sides)[axis], (corner + (0.5 + 0.3) * sides)[axis]
    belongs = []
    for place in range(corner[axis] - 4, corner[axis] + sides[axis] + 4, 2):
        x, y = (place, 116) if axis == 0 else (102, place)
        (score,) = seen([("parasite", x, y, 0.6)], [*corner, *(corner + sides)], network, enlarged)
        belongs.append(place < high and place + 2 > low)
        expected = score_of(0.6, LINE) if belongs[-1] else NOTHING
        assert score == pytest.approx(expected, abs=1e-4), place
    assert sum(belongs) == (8, 10)[axis]
    assert not belongs[0]
    assert not belongs[-1]


def test_of_two_cells_that_touch_only_the_one_with_the_parasite_has_it(network: Network) -> None:
    side_by_side = [[60, 60, 84, 84], [84, 60, 108, 84], [72, 80, 96, 104]]
    for index, (x, y) in enumerate(((72, 72), (96, 72), (84, 92))):
        scores = seen([("parasite", x, y, 0.6)], side_by_side, network)
        expected = np.full(3, NOTHING)
        expected[index] = score_of(0.6, LINE)
        assert scores == pytest.approx(expected, abs=1e-4)


def test_of_several_parasites_in_a_cell_the_likeliest_counts(network: Network) -> None:
    spots: list[Dot] = [("parasite", 70, 72, 0.5), ("parasite", 74, 74, 0.58), ("parasite", 72, 68, 0.45)]
    (score,) = seen(spots, [60, 60, 84, 84], network)
    assert score_of(0.5, LINE) + 0.05 < score_of(0.58, LINE)
    assert score == pytest.approx(score_of(0.58, LINE), abs=1e-4)


def test_a_cell_that_the_field_cuts_has_the_parasite_in_what_is_left_of_it(network: Network) -> None:
    boxes = [[0, 0, 14, 14], [226, 186, 240, 200], [0, 90, 8, 114]]
    spots: list[Dot] = [("parasite", 6, 6, 0.6), ("parasite", 232, 192, 0.6)]
    assert seen(spots, boxes, network) == pytest.approx([score_of(0.6, LINE)] * 2 + [NOTHING], abs=1e-4)


@pytest.mark.parametrize("line", [(1.0, 0.0), (2.0, 3.0), (0.25, -1.5)])
def test_the_score_is_the_calibrated_logit_of_the_map_with_four_decimals(
    tmp_path: Path, line: tuple[float, float]
) -> None:
    network = changed(tmp_path, calibration=json.dumps({"WBC": [1, 0], "parasitised RBC": line}))
    densities = (0.2, 0.45, 0.6, 0.9)
    spots: list[Dot] = [("parasite", 40 + 40 * index, 60, density) for index, density in enumerate(densities)]
    scores = seen(spots, [[x - 11, 49, x + 13, 73] for _, x, _, _ in spots], network)
    assert scores == pytest.approx([score_of(density, line) for density in densities], abs=1e-4)
    assert scores == np.round(scores, 4).tolist()


def test_the_map_is_drawn_of_densities_times_the_gain(tmp_path: Path) -> None:
    (score,) = seen([("parasite", 72, 72, 0.3)], [60, 60, 84, 84], changed(tmp_path, gain="2"))
    assert score == pytest.approx(score_of(0.3, LINE, gain=2), abs=1e-4)
    assert score > score_of(0.3, LINE) + 0.1


def crowd(seed: int, pitch: int, enlarged: int = 1) -> tuple[Array, Detections]:
    """Cells all over a picture in any order, with spots in some of them; around every place the green is another."""
    random, width, height = np.random.default_rng(seed), 420, 380
    across, down = np.meshgrid(np.arange(4, width - 28, pitch), np.arange(4, height - 28, pitch))
    corner = np.stack([across.ravel(), down.ravel()], axis=1) + random.integers(-4, 5, (across.size, 2))
    corner = random.permutation(corner)
    places = corner[random.random(len(corner)) < 0.7] // 2 * 2 + 12
    dots: list[Dot] = [("parasite", int(x), int(y), float(random.uniform(0.2, 0.4))) for x, y in places]
    pixels = dotted(dots, width, height)
    pixels[..., 1] = random.integers(120, 256, (height, width))
    boxes = np.concatenate([corner, corner + random.integers(16, 25, corner.shape)], axis=1)
    return pixels.repeat(enlarged, axis=0).repeat(enlarged, axis=1), boxed(boxes, enlarged)


@pytest.mark.parametrize("block", [16, 50, 100, 333])
@pytest.mark.parametrize("tile_size", [None, 64, 150])
def test_the_scores_depend_neither_on_tiles_nor_on_blocks(
    network: Network, monkeypatch: pytest.MonkeyPatch, tile_size: int | None, block: int
) -> None:
    pixels, cells = crowd(1, 32)
    calibration = calibrated(pixels, CELL)
    look = ParasiteMap(calibration, network)
    whole = scores_of(look, calibration, cells)
    assert len(np.unique(whole)) > len(cells) / 2
    monkeypatch.setattr(parasite_map, "BLOCK", block)
    np.testing.assert_array_equal(scores_of(look, calibration, cells, tile_size), whole)


@dataclass
class Watched:
    """A network of which is told what it was shown; another card may stand for its own."""

    network: Network
    card: NetworkCard
    sides: list[tuple[int, int]] = field(default_factory=list)

    def run(self, values: Any) -> Any:
        self.sides.append(values.shape[2:])
        return self.network.run(values)


@pytest.fixture(scope="module")
def malaria() -> tuple[FieldCalibration, Detections]:
    """A phantom field with parasites, and its red cells."""
    recipe = replace(RECIPES["malaria"], um_per_px=RED_CELL_DIAMETER_UM / 30)
    smear, truth = phantom_smear(recipe, 4, 1, 800, 640)
    assert smear.scale is not None
    return calibrate(smear.fields[0], smear.scale), truth.select(truth.of_kind("RBC"))


@pytest.mark.parametrize(("tile_size", "block"), [(None, 90), (None, 240), (300, 1024), (170, 200)])
def test_the_scores_of_the_network_that_ships_depend_neither_on_tiles_nor_on_blocks(
    malaria: tuple[FieldCalibration, Detections], monkeypatch: pytest.MonkeyPatch, tile_size: int | None, block: int
) -> None:
    calibration, cells = malaria
    network = load_network("parasites")
    # A slight slope, so that scores of cells without parasites do not all round to 0.
    slight = replace(network.card, calibration={"parasitised RBC": (0.05, 0.0)})
    look = ParasiteMap(calibration, cast("Network", Watched(network, slight)))
    whole = scores_of(look, calibration, cells)
    assert len(np.unique(whole)) > len(cells) / 2
    monkeypatch.setattr(parasite_map, "BLOCK", block)
    np.testing.assert_array_equal(scores_of(look, calibration, cells, tile_size), whole)


def test_the_network_that_ships_ranks_the_parasites_of_a_phantom_first(
    malaria: tuple[FieldCalibration, Detections],
) -> None:
    calibration, cells = malaria
    scores = scores_of(ParasiteMap(calibration, load_network("parasites")), calibration, cells)
    infected = cells.of_kind("parasitised RBC")
    assert 5 < np.count_nonzero(infected) < len(cells) / 2
    ahead = scores[infected][:, None] > scores[~infected]
    assert ahead.mean() > 0.9


@pytest.fixture
def watched(network: Network) -> Watched:
    return Watched(network, network.card)


def test_only_where_cells_are_the_map_is_drawn_and_block_by_block(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parasite_map, "BLOCK", 200)
    calibration = calibrated(dotted([], 1000, 900), CELL)
    look = ParasiteMap(calibration, cast("Network", watched))
    corners = np.array([[10, 10], [150, 170], [550, 450], [560, 460], [960, 860]])
    scores_of(look, calibration, boxed(np.concatenate([corners, corners + 24], axis=1)))
    assert len(watched.sides) == 3
    assert max(side for sides in watched.sides for side in sides) <= 200 + SURROUNDINGS


def test_no_cells_have_no_scores_and_need_no_map(watched: Watched) -> None:
    calibration = calibrated(dotted([("parasite", 72, 72, 0.6)]), CELL)
    look = ParasiteMap(calibration, cast("Network", watched))
    for core in (calibration.field.window, Window(10, 10, 10, 10)):
        scores = look(read_tile(calibration.field, 0, core, margin_px(CELL)), boxed(np.zeros((0, 4))))
        assert (scores.shape, scores.dtype) == ((0,), np.float64)
    assert watched.sides == []


WHITE_CELLS_ALONE = {"classes": '["WBC", "RBC"]', "thresholds": '{"WBC": 1, "RBC": 1}'} | {
    "calibration": '{"WBC": [1, 0], "RBC": [1, 0]}'
}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (dots_model(), DETECTS["name"]),
        (classifier_model(CLASSIFIES | {"classes": '["uninfected RBC", "parasitised RBC"]', "thresholds": "{}"}),
         CLASSIFIES["name"]),
        (spots_model(MAPS | WHITE_CELLS_ALONE), MAPS["name"]),
    ],
)  # fmt: skip
def test_a_network_for_something_else_is_refused(tmp_path: Path, model: Any, name: str) -> None:
    calibration = calibrated(dotted([]), CELL)
    with pytest.raises(ConfigError, match=f"{name!r} draws no map of parasites") as caught:
        ParasiteMap(calibration, as_network(model, tmp_path / "other.onnx"))
    assert caught.value.hint


def test_a_network_that_sees_too_many_cells_at_a_time_is_refused(tmp_path: Path) -> None:
    calibration = calibrated(dotted([]), CELL)
    with pytest.raises(ConfigError, match="sees too many red cells at a time: 8 pixels each"):
        ParasiteMap(calibration, changed(tmp_path, rbc_diameter_px="8"))


def test_tiles_reach_as_far_as_a_network_looks_that_is_barely_not_refused(tmp_path: Path) -> None:
    diameter, enlarged = np.ceil(10 * SURROUNDINGS / 2 / MARGIN_DIAMETERS) / 10, 2
    pixels, cells = crowd(2, 24, enlarged)
    calibration = calibrated(pixels, diameter * enlarged)
    with pytest.raises(ConfigError, match="sees too many red cells"):
        ParasiteMap(calibration, changed(tmp_path, rbc_diameter_px=str(diameter - 0.1)))
    look = ParasiteMap(calibration, changed(tmp_path, rbc_diameter_px=str(diameter)))
    whole = scores_of(look, calibration, cells)
    assert len(np.unique(whole)) > len(cells) / 2
    for tile_size in (80, 128, 300):
        np.testing.assert_array_equal(scores_of(look, calibration, cells, tile_size), whole)
