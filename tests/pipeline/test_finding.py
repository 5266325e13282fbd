"""Which cells of which detector and which models; a detector of coloured dots stands for a trained one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.classifiers import NETWORKS
from hemato_lab.detections import Detections
from hemato_lab.detectors import SHIPPED_MODEL
from hemato_lab.errors import ConfigError, ModelError
from hemato_lab.networks import model_sha256
from hemato_lab.pipeline import naming
from hemato_lab.pipeline.finding import DEFAULT_TILE_SIZE, LARGEST_SINGLE_TILE, cores_of, make_finder, reported
from hemato_lab.smear import Field, Scale, Smear, Window
from tests.calibrated import calibrated
from tests.networks.graphs import dots_model, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.smear import RGB, Tile

DIAMETER = 24.0
INKS = {"RBC": (120, 255, 255), "WBC": (255, 120, 255), "platelet": (255, 255, 120)}
"""Colours that take up red, green or blue light alone."""


def scored(cells: list[tuple[str, float]]) -> Detections:
    """A table of names with scores."""
    count = len(cells)
    columns: dict[str, Any] = {name: np.zeros(count) for name in ("field", "x", "y", "radius")}
    names, scores = zip(*cells, strict=True)
    return Detections({**columns, "name": np.array(names), "score": np.array(scores)})


def test_each_class_is_reported_from_its_own_score_on() -> None:
    cells = scored([("RBC", 0.4), ("RBC", 0.39), ("WBC", 0.4), ("WBC", 0.7), ("platelet", 0.0)])
    operating = {"RBC": 0.4, "WBC": 0.7, "platelet": 0.0}
    assert reported(cells, operating, None).tolist() == [True, False, False, True, True]


def test_a_stated_score_holds_for_every_class() -> None:
    cells = scored([("RBC", 0.4), ("RBC", 0.5), ("WBC", 0.5), ("platelet", 0.49)])
    operating = {"RBC": 0.9, "WBC": 0.9, "platelet": 0.1}
    assert reported(cells, operating, 0.5).tolist() == [False, True, True, False]
    assert reported(cells, operating, 0.0).all()


def test_what_no_score_was_chosen_for_is_reported_when_certain() -> None:
    cells = scored([("artefact", 0.99), ("artefact", 1.0)])
    assert reported(cells, {"RBC": 0.1}, None).tolist() == [False, True]


@pytest.mark.parametrize(("detector", "named"), [("onnx", True), ("classical", False)])
def test_cells_are_named_unless_the_detector_works_without_models(detector: str, *, named: bool) -> None:
    assert make_finder(detector).names is named
    assert make_finder(detector, names=not named).names is not named


def test_a_detector_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'best'.*onnx, classical"):
        make_finder("best")


@pytest.fixture
def dots(tmp_path: Path) -> Path:
    """File of the detector of dots."""
    path = tmp_path / "dots.onnx"
    path.write_bytes(dots_model().SerializeToString())
    return path


def test_a_model_for_a_detector_without_models_is_refused(dots: Path) -> None:
    with pytest.raises(ConfigError, match="'classical' takes no model"):
        make_finder("classical", model=dots)


def test_a_model_that_cannot_be_read_is_refused_before_any_cell_is_sought(tmp_path: Path) -> None:
    path = tmp_path / "none.onnx"
    with pytest.raises(ModelError, match="cannot be read") as caught:
        make_finder("onnx", model=path)
    assert caught.value.subject == str(path)


RULER = {"ruler": model_sha256("ruler")}
"""Model by which the size of red cells is guessed, whatever finds them."""
NAMING = {name: model_sha256(name) for name in ("parasites", *NETWORKS)}
"""Models by which cells are named: with any detector, parasites are looked for too."""


@pytest.mark.parametrize(
    ("detector", "names", "models"),
    [
        ("onnx", None, {SHIPPED_MODEL: model_sha256(SHIPPED_MODEL)} | NAMING),
        ("onnx", False, {SHIPPED_MODEL: model_sha256(SHIPPED_MODEL)}),
        ("classical", None, {}),
        ("classical", True, NAMING),
    ],
)
def test_every_model_that_is_used_is_told_with_its_sha256(
    detector: str, models: dict[str, str], *, names: bool | None
) -> None:
    assert make_finder(detector, names=names).models() == RULER | models


def test_another_model_stands_in_the_place_of_the_one_that_ships(dots: Path) -> None:
    used = make_finder("onnx", model=dots, names=False).models()
    assert used == RULER | {"tiny detector": sha256_of(dots_model())}


def test_small_fields_are_taken_whole_and_large_ones_in_tiles() -> None:
    side = int(LARGEST_SINGLE_TILE**0.5)

    @dataclass
    class Size:
        width: int
        height: int

        def read(self, window: Window) -> RGB:
            raise AssertionError(f"{window} is read")

    small = Field("small", Size(side, side), "")
    assert cores_of(small, None) == [small.window]
    assert len(cores_of(small, 1000)) == 9
    large = Field("large", Size(DEFAULT_TILE_SIZE + 1, 2 * DEFAULT_TILE_SIZE), "")
    cores = cores_of(large, None)
    assert cores[0] == Window(0, 0, DEFAULT_TILE_SIZE, DEFAULT_TILE_SIZE)
    assert sum(core.area for core in cores) == large.window.area
    assert len(cores) == 4


def dotted(seed: int, width: int = 330, height: int = 280) -> tuple[RGB, dict[str, set[tuple[int, int]]]]:
    """A picture of dots far from each other, and where the dots of each kind are."""
    random = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 255, np.uint8)
    places: dict[str, set[tuple[int, int]]] = {name: set() for name in INKS}
    for row in range(30, height - 30, 40):
        for column in range(30, width - 30, 40):
            x, y = (2 * int(one) for one in (np.array([column, row]) + random.integers(-6, 7, 2)) // 2)
            name = list(INKS)[random.integers(3)]
            pixels[y : y + 2, x : x + 2] = INKS[name]
            places[name].add((x, y))
    return pixels, places


@pytest.fixture
def two_fields() -> tuple[Smear, list[FieldCalibration], list[dict[str, set[tuple[int, int]]]]]:
    made = [dotted(1), dotted(2, 250, 300)]
    calibrations = [calibrated(pixels, DIAMETER, name=name) for name, (pixels, _) in zip("ab", made, strict=True)]
    smear = Smear("dots", tuple(one.field for one in calibrations), {}, Scale.from_rbc_diameter_px(DIAMETER))
    return smear, calibrations, [places for _, places in made]


Seen = tuple[Smear, list["FieldCalibration"], list[dict[str, set[tuple[int, int]]]]]


def run(finder: Any, seen: Seen, tile_size: int | None = None, threads: int = 1, progress: Any = None) -> Detections:
    table: Detections = finder.cells(seen[0], seen[1], tile_size=tile_size, threads=threads, progress=progress)
    return table


def test_every_cell_of_every_field_is_found_once(dots: Path, two_fields: Seen) -> None:
    finder = make_finder("onnx", model=dots, names=False, minimum_score=0.0, measured=False)
    cells = run(finder, two_fields)
    for index, places in enumerate(two_fields[2]):
        for name, expected in places.items():
            rows = cells.select((cells["field"] == index) & (cells["name"] == name))
            # the boxes' middles lie 1 and 2 pixels right of and below the dots'
            assert {(int(x - 1.5), int(y - 2.5)) for x, y in zip(rows["x"], rows["y"], strict=True)} == expected
            assert len(rows) == len(expected)


@pytest.mark.parametrize(("tile_size", "threads"), [(None, 2), (64, 1), (64, 4), (100, 2), (200, 3)])
def test_the_table_does_not_depend_on_tiles_or_threads(
    dots: Path, two_fields: Seen, tile_size: int | None, threads: int
) -> None:
    finder = make_finder("onnx", model=dots, names=False, minimum_score=0.0, measured=False)
    reference = run(finder, two_fields)
    assert reference == reference.sorted()
    assert run(finder, two_fields, tile_size, threads) == reference


def test_only_cells_from_the_operating_scores_of_the_model_on_are_given(dots: Path, two_fields: Seen) -> None:
    every = run(make_finder("onnx", model=dots, names=False, minimum_score=0.0, measured=False), two_fields)
    some = run(make_finder("onnx", model=dots, names=False, measured=False), two_fields)
    least = {"RBC": 0.5, "WBC": 0.25, "platelet": 1.0}
    kept = np.array([score >= least[name] for name, score in zip(every["name"], every["score"], strict=True)])
    assert 0 < np.count_nonzero(kept) < len(every)
    assert some == every.select(kept)


def test_cells_are_named_after_the_uncertain_ones_are_left_out(
    dots: Path, two_fields: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def namer(calibration: FieldCalibration, classifiers: object) -> Callable[[Tile, Detections], Detections]:
        assert classifiers == "loaded"
        assert calibration in two_fields[1]

        def name(tile: Tile, cells: Detections) -> Detections:
            assert set(cells["field"].tolist()) <= {tile.field}
            given.extend(cells["score"].tolist())
            return cells.with_columns(name=np.full(len(cells), "blast"))

        return name

    monkeypatch.setattr(naming, "load_classifiers", lambda: "loaded")
    monkeypatch.setattr(naming, "make_namer", namer)
    cells = run(make_finder("onnx", model=dots, minimum_score=0.9, measured=False), two_fields)
    assert set(cells["name"].tolist()) == {"blast"}
    assert sorted(given) == sorted(cells["score"].tolist())
    assert min(given) >= 0.9


def test_progress_counts_every_tile_once(dots: Path, two_fields: Seen) -> None:
    steps: list[tuple[int, int]] = []
    finder = make_finder("onnx", model=dots, names=False, measured=False)
    run(finder, two_fields, 200, 2, lambda done, total: steps.append((done, total)))
    assert steps == [(done, 8) for done in range(1, 9)]


def test_nothing_found_is_an_empty_table_with_all_columns(dots: Path, two_fields: Seen) -> None:
    finder = make_finder("onnx", model=dots, names=False, minimum_score=1.1, measured=False)
    assert len(run(finder, two_fields)) == 0
    assert set(run(finder, two_fields)) == set(
        run(make_finder("onnx", model=dots, names=False, minimum_score=0.0), two_fields)
    )
