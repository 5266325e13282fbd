"""The classical detector on synthetic fields whose every cell is known, and the laws of its table."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from hemato_lab.detections import BASE_COLUMNS, Detections
from hemato_lab.detectors import DETECTORS, make_detector
from hemato_lab.detectors.features import FEATURES
from hemato_lab.errors import ConfigError
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.tiling import margin_px, read_tile, tile_cores, tiles
from hemato_lab.smear import ArraySource, Field, Scale, Window
from hemato_lab.vocabulary import DETECTOR_CLASSES, PLATELET, RBC, WBC

RECIPES = ("normal", "differential", "acute_leukaemia", "malaria", "sickle")
SHARES = ("circularity", "solidity", "pallor_ratio", "on_border", "overlapped", "score")


@pytest.mark.parametrize("recipe", RECIPES)
def test_red_cells_are_found(phantom, recipe: str):
    found = phantom(recipe).scores(RBC)
    assert found.truth > 40
    assert found.f1 >= 0.9


@pytest.mark.parametrize("recipe", ["differential", "acute_leukaemia"])
def test_white_cells_are_found(phantom, recipe: str):
    found = phantom(recipe).scores(WBC)
    assert found.truth >= 4
    assert found.f1 >= 0.9


def test_hardly_a_white_cell_is_invented(phantom):
    """Most of these fields hold none; schizonts and giant platelets are the tempting ones."""
    invented = sum(
        len(phantom(recipe).cells.named(WBC)) - len(phantom(recipe).pairs(WBC).found) for recipe in ("normal", "sickle")
    )
    assert invented <= 1


@pytest.mark.parametrize("recipe", ["normal", "sickle", "iron_deficiency"])
def test_platelets_are_found(phantom, recipe: str):
    found = phantom(recipe).scores(PLATELET)
    assert found.truth >= 5
    assert found.f1 >= 0.7


def test_few_platelets_are_invented_where_there_are_few(phantom):
    for recipe in ("malaria", "acute_leukaemia"):
        found = phantom(recipe)
        invented = len(found.cells.named(PLATELET)) - len(found.pairs(PLATELET).found)
        assert invented <= 0.03 * len(found.cells)


def test_one_cell_is_reported_once(phantom):
    """No two cells of a class have centres so near that a single cell of half the normal diameter would hold both."""
    for recipe in RECIPES:
        cells = phantom(recipe).first_field
        for name, nearest in ((RBC, 40 * 0.2), (WBC, 40 * 0.5), (PLATELET, 40 * 0.1)):
            one = cells.named(name)
            apart = np.hypot(one["x"][:, None] - one["x"], one["y"][:, None] - one["y"])
            np.fill_diagonal(apart, np.inf)
            assert apart.min(initial=np.inf) > nearest, (recipe, name)


@pytest.mark.parametrize("radius", [12, 15])
def test_a_large_platelet_is_no_red_cell_as_well(detect_pixels, radius: int):
    rows, columns = np.indices((300, 400))
    pixels = np.full((300, 400, 3), 230, np.uint8)
    for x, y in product(range(50, 400, 75), (60, 240)):
        pixels[np.hypot(columns - x, rows - y) <= 20] = (205, 160, 165)
    pixels[np.hypot(columns - 200, rows - 150) <= radius] = (140, 110, 180)
    cells = detect_pixels(pixels, 40.0)
    assert len(cells.named(RBC)) == 10
    platelets = cells.named(PLATELET)
    np.testing.assert_allclose([platelets["x"], platelets["y"]], [[200], [150]], atol=1)


@pytest.mark.parametrize(("rbc_px", "size"), [(20.0, (400, 300)), (60.0, (800, 600)), (90.0, (900, 700))])
def test_magnification_changes_nothing(phantom, rbc_px: float, size: tuple[int, int]):
    found = phantom("normal", 2, rbc_px, size).scores(RBC)
    assert found.truth > 10
    assert found.f1 >= 0.93


def test_every_column_is_finite_and_in_range(phantom):
    for recipe in RECIPES:
        cells = phantom(recipe).cells
        assert tuple(cells) == (*BASE_COLUMNS, *FEATURES)
        assert set(cells["name"].tolist()) <= set(DETECTOR_CLASSES)
        red = cells["name"] == RBC
        assert np.isnan(cells["pallor_ratio"][~red]).all()
        for name in (*FEATURES, "x", "y", "radius", "score"):
            measured = cells[name][red] if name == "pallor_ratio" else cells[name]
            assert np.isfinite(measured).all(), (recipe, name)
        for name in SHARES:
            measured = cells[name][red] if name == "pallor_ratio" else cells[name]
            assert ((measured >= 0) & (measured <= 1)).all(), (recipe, name)
        for name in ("area_um2", "equivalent_diameter_um", "minor_axis_um", "perimeter_um", "radius"):
            assert (cells[name] > 0).all(), (recipe, name)
        assert (cells["major_axis_um"] >= cells["minor_axis_um"]).all()
        assert (np.abs(cells["orientation_rad"]) <= np.pi / 2 + 1e-9).all()
        assert set(np.unique(cells["on_border"])) | set(np.unique(cells["overlapped"])) <= {0.0, 1.0}


def test_columns_agree_with_each_other(phantom):
    """Closed forms: equivalent diameter of an area, its radius in pixels, area below that of the hull and ellipse."""
    found = phantom("sickle")
    cells = found.cells.named(RBC)
    um = found.smear.scale.um_per_px
    np.testing.assert_allclose(cells["area_um2"], np.pi / 4 * cells["equivalent_diameter_um"] ** 2, rtol=1e-9)
    np.testing.assert_allclose(cells["radius"], cells["equivalent_diameter_um"] / (2 * um), rtol=1e-9)
    ellipse = np.pi / 4 * cells["major_axis_um"] * cells["minor_axis_um"]
    assert (cells["area_um2"] < 1.1 * ellipse).all()


def test_boxes_hold_their_centres_and_stay_on_the_field(phantom):
    for recipe in RECIPES:
        cells = phantom(recipe).cells
        assert ((cells["x_min"] <= cells["x"]) & (cells["x"] <= cells["x_max"])).all()
        assert ((cells["y_min"] <= cells["y"]) & (cells["y"] <= cells["y_max"])).all()
        assert (cells["x_min"] >= -0.5).all()
        assert (cells["y_min"] >= -0.5).all()
        assert (cells["x_max"] <= 719.5).all()
        assert (cells["y_max"] <= 539.5).all()


def test_a_box_at_the_border_is_on_border(phantom):
    for recipe in RECIPES:
        cells = phantom(recipe).cells
        at_border = (cells["x_min"] < 0) | (cells["y_min"] < 0) | (cells["x_max"] > 719) | (cells["y_max"] > 539)
        assert (cells["on_border"][at_border] == 1).all()
        far = (cells["x_min"] > 3) & (cells["y_min"] > 3) & (cells["x_max"] < 716) & (cells["y_max"] < 536)
        assert (cells["on_border"][far] == 0).all()


@pytest.fixture(scope="module")
def single(phantom) -> tuple[Detections, Detections]:
    """Single whole red cells of two fields and their truth."""
    found, truth = phantom("normal").pairs(RBC)
    alone = (truth["overlapped"] == 0) & (truth["on_border"] == 0) & (found["overlapped"] == 0)
    assert np.count_nonzero(alone) > 60
    return found.select(alone), truth.select(alone)


@pytest.mark.parametrize(
    ("column", "median", "tenth"),
    [
        ("area_um2", 0.07, 0.12),
        ("equivalent_diameter_um", 0.035, 0.06),
        ("major_axis_um", 0.04, 0.07),
        ("minor_axis_um", 0.04, 0.07),
        ("perimeter_um", 0.05, 0.08),
    ],
)
def test_single_cells_are_measured_right(single, column: str, median: float, tenth: float):
    """Against the drawn outline: the median, and nine cells of ten."""
    found, truth = single
    error = found[column] / truth[column] - 1
    assert abs(np.median(error)) < median
    assert np.quantile(np.abs(error), 0.9) < tenth


def test_single_cells_lie_where_they_were_drawn(single):
    found, truth = single
    off = np.hypot(found["x"] - truth["x"], found["y"] - truth["y"])
    assert np.median(off) < 0.5
    assert np.quantile(off, 0.95) < 2.0
    for side in ("x_min", "y_min", "x_max", "y_max"):
        assert np.quantile(np.abs(found[side] - truth[side]), 0.9) < 2.5


def test_measured_size_follows_true_size(single):
    """Not only the mean is right: large cells measure large."""
    found, truth = single
    assert np.corrcoef(found["equivalent_diameter_um"], truth["equivalent_diameter_um"])[0, 1] > 0.95


def test_long_cells_measure_long_and_turned_as_drawn(phantom):
    ratios, turns = [], []
    for recipe in ("sickle", "iron_deficiency", "acute_leukaemia"):
        found, truth = phantom(recipe).pairs(RBC)
        drawn = truth["major_axis_um"] / truth["minor_axis_um"]
        long = (
            (drawn > 1.25) & (truth["name"] != "sickle cell") & (truth["on_border"] == 0) & (truth["overlapped"] == 0)
        )
        ratios.append((found["major_axis_um"] / found["minor_axis_um"] / drawn)[long])
        turns.append(np.abs(np.sin(found["orientation_rad"] - truth["orientation_rad"]))[long])
    ratio, turn = np.concatenate(ratios), np.concatenate(turns)
    assert len(ratio) >= 8
    assert np.median(np.abs(ratio - 1)) < 0.06
    assert np.median(turn) < 0.05


def test_pallor_grows_from_spherocytes_to_hypochromic_cells(phantom):
    def median(recipe: str, name: str) -> float:
        found, truth = phantom(recipe).pairs(RBC)
        chosen = (truth["name"] == name) & (truth["overlapped"] == 0) & (truth["on_border"] == 0)
        assert np.count_nonzero(chosen) >= 5
        return float(np.median(found["pallor_ratio"][chosen]))

    spherocyte = median("spherocytosis", "spherocyte")
    normal = median("spherocytosis", "normal RBC")
    hypochromic = median("iron_deficiency", "hypochromic cell")
    assert spherocyte < 0.1 < normal < hypochromic < 0.95


def test_nuclei_are_denser_than_red_cells_in_red_light(phantom):
    """Haemoglobin and eosin hardly absorb red light, azure dye does (DOMAIN.md section 8)."""
    cells = phantom("acute_leukaemia").cells
    assert cells.named(WBC)["od_red"].min() > 1.5 * np.median(cells.named(RBC)["od_red"])


def test_white_cells_are_measured_whole(phantom):
    """Not their nuclei alone: the equivalent diameter is that of the drawn outline."""
    errors = []
    for recipe in ("differential", "acute_leukaemia"):
        found, truth = phantom(recipe).pairs(WBC)
        whole = truth["on_border"] == 0
        errors.append((found["equivalent_diameter_um"] / truth["equivalent_diameter_um"] - 1)[whole])
    assert abs(np.median(np.concatenate(errors))) < 0.15


MIRRORS = {
    "left to right": (lambda pixels: pixels[:, ::-1], lambda x, y: (719 - x, y)),
    "upside down": (lambda pixels: pixels[::-1], lambda x, y: (x, 539 - y)),
    "quarter turn": (np.rot90, lambda x, y: (y, 719 - x)),
    "half turn": (lambda pixels: pixels[::-1, ::-1], lambda x, y: (719 - x, 539 - y)),
}


@pytest.mark.parametrize("motion", MIRRORS)
@pytest.mark.parametrize("recipe", ["normal", "acute_leukaemia"])
def test_a_moved_field_has_moved_cells(phantom, detect_pixels, recipe: str, motion: str):
    found = phantom(recipe)
    move_pixels, move_points = MIRRORS[motion]
    moved = detect_pixels(move_pixels(found.smear.fields[0].read()), found.smear.scale.rbc_diameter_px)
    for name in DETECTOR_CLASSES:
        before, after = found.first_field.named(name), moved.named(name)
        assert abs(len(after) - len(before)) <= 0.02 * len(before) + 1
        x, y = move_points(before["x"], before["y"])
        nearest = np.hypot(x[:, None] - after["x"], y[:, None] - after["y"]).min(axis=1, initial=np.inf)
        assert np.count_nonzero(nearest > 3) <= 0.03 * len(before) + 1


def test_a_shifted_field_has_shifted_cells(phantom, detect_pixels):
    """Cut off at left and top: cells away from the cut stay where they are on the film."""
    found = phantom("normal")
    moved = detect_pixels(found.smear.fields[0].read()[23:, 37:], found.smear.scale.rbc_diameter_px)
    cells = found.first_field
    before = cells.select((cells["x"] > 37 + 60) & (cells["y"] > 23 + 60))
    nearest = np.hypot(before["x"][:, None] - 37 - moved["x"], before["y"][:, None] - 23 - moved["y"]).min(
        axis=1, initial=np.inf
    )
    assert np.count_nonzero(nearest > 3) <= 0.03 * len(before) + 1


def test_tiles_own_the_cells_of_the_field(phantom):
    """Together they hold each cell of the whole field exactly once, to the last bit; each lies on its own core."""
    smear = phantom("acute_leukaemia").smear
    field, scale = smear.fields[0], smear.scale
    calibration = calibrate(field, scale)
    detector = make_detector("classical", calibration)
    whole = detector(read_tile(field, 0, field.window, 0))
    parts = []
    for tile in tiles(field, 0, 150, margin_px(scale.rbc_diameter_px)):
        cells = detector(tile)
        assert all(tile.core.owns(x, y) for x, y in zip(cells["x"], cells["y"], strict=True))
        assert cells == cells.sorted()
        parts.append(cells)
    assert len(parts) == len(tile_cores(field, 150)) == 20
    straddling = np.floor((whole["x_min"] + 0.5) / 150) != np.floor((whole["x_max"] + 0.5) / 150)
    assert np.count_nonzero(straddling) > 10
    assert Detections.concatenate(parts).sorted() == whole


def test_the_index_of_the_field_is_kept(phantom):
    smear = phantom("normal").smear
    detector = make_detector("classical", calibrate(smear.fields[0], smear.scale))
    cells = detector(read_tile(smear.fields[0], 7, Window(100, 100, 400, 300), 240))
    assert set(cells["field"].tolist()) == {7}


def flat(value: int, width: int = 320, height: int = 240) -> Field:
    return Field("flat", ArraySource(np.full((height, width, 3), value, np.uint8)), "sha224-i-00")


@pytest.mark.parametrize("value", [0, 1, 128, 254, 255])
def test_a_flat_field_has_no_cells(value: int):
    field = flat(value)
    detector = make_detector("classical", calibrate(field, Scale.from_rbc_diameter_px(40.0)))
    cells = detector(read_tile(field, 0, field.window, 0))
    assert len(cells) == 0
    assert cells.features == FEATURES


def test_noise_alone_has_no_cells(detect_pixels):
    noise = np.random.default_rng(0).normal(215, 4, (300, 400, 3))
    assert len(detect_pixels(np.clip(noise, 0, 255).astype(np.uint8), 40.0)) == 0


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 300), (300, 1), (2, 2), (9, 7)])
def test_a_field_smaller_than_a_cell_is_no_error(phantom, width: int, height: int):
    pixels = phantom("normal").smear.fields[0].read()[100 : 100 + height, 100 : 100 + width]
    field = Field("small", ArraySource(np.ascontiguousarray(pixels)), "sha224-i-00")
    detector = make_detector("classical", calibrate(field, Scale.from_rbc_diameter_px(40.0)))
    cells = detector(read_tile(field, 0, field.window, 0))
    assert cells.features == FEATURES
    assert all(field.window.owns(x, y) for x, y in zip(cells["x"], cells["y"], strict=True))


def test_an_empty_tile_has_an_empty_table_with_all_columns(phantom):
    smear = phantom("normal").smear
    detector = make_detector("classical", calibrate(smear.fields[0], smear.scale))
    cells = detector(read_tile(smear.fields[0], 0, Window(10, 10, 10, 10), 0))
    assert len(cells) == 0
    assert cells.features == FEATURES


def test_an_unknown_detector_is_refused_with_the_known_ones():
    field = flat(200)
    with pytest.raises(ConfigError, match="no detector is called 'best'") as caught:
        make_detector("best", calibrate(field, Scale.from_rbc_diameter_px(40.0)))
    assert all(name in str(caught.value) for name in DETECTORS)
