"""Names from tiny classifiers whose answer is the colour of a cell, and the laws of the names of those that ship."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.classifiers import NETWORKS
from hemato_lab.detections import BOX_COLUMNS, Detections
from hemato_lab.detectors.parasite_map import ParasiteMap
from hemato_lab.imaging.tiling import read_tile
from hemato_lab.networks import load_network
from hemato_lab.pipeline.naming import COLUMNS, CellNamer, joint_score, load_classifiers, make_namer
from hemato_lab.smear import Scale
from hemato_lab.vocabulary import TERMS
from tests.calibrated import calibrated
from tests.pipeline.stains import (
    BLUE,
    DIAMETER,
    GREEN,
    PALE,
    PLACES,
    PLANE,
    RED,
    Stain,
    picture_of,
    probabilities,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hemato_lab.classifiers.base import Classification
    from hemato_lab.classifiers.network import NetworkClassifier
    from hemato_lab.smear import Tile
    from tests.calibrated import Array

LAW = settings(deadline=None, max_examples=60)
Stained = tuple[str, Stain]


@dataclass(frozen=True)
class ToldMap:
    """A map of parasites that was told what to say of the cell at each of `PLACES`."""

    scores: Sequence[float]

    def __call__(self, tile: Tile, cells: Detections) -> Array:
        assert tile.core == tile.window
        assert cells["name"].tolist() == ["RBC"] * len(cells)
        places = [PLACES.index((int(x), int(y))) for x, y in zip(cells["x"], cells["y"], strict=True)]
        return np.array([self.scores[place] for place in places], float)


@dataclass(frozen=True)
class Counted:
    """A classifier of which is told how many cells it was asked for."""

    classifier: NetworkClassifier
    asked: list[int] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.classifier, name)

    def classify_densities(self, densities: Array, **options: Any) -> Classification:
        self.asked.append(len(densities))
        return self.classifier.classify_densities(densities, **options)


@pytest.fixture
def malaria(classifiers: Mapping[str, NetworkClassifier]) -> Counted:
    return Counted(classifiers["malaria"])


@pytest.fixture
def name_cells(classifiers: Mapping[str, NetworkClassifier], malaria: Counted) -> Callable[..., Detections]:
    """Name cells, each a square of one stain; what the map says of each, and further columns, are given by name."""
    used = {**classifiers, "malaria": cast("NetworkClassifier", malaria)}

    def named(
        cells: list[Stained], scale: Scale | float = DIAMETER, *, in_map: Sequence[float] = (), **columns: Any
    ) -> Detections:
        calibration = calibrated(picture_of([stain for _, stain in cells]), scale)
        table = found([name for name, _ in cells], **columns)
        look = ToldMap(in_map or [0.0] * len(cells))
        tile = read_tile(calibration.field, 0, calibration.field.window, 0)
        return CellNamer(calibration, used, look)(tile, table)

    return named


def found(names: list[str], **columns: Any) -> Detections:
    """A detector's table of cells at `PLACES`."""
    count = len(names)
    x, y = np.array(PLACES[:count], float).reshape(count, 2).T
    box = dict(zip(BOX_COLUMNS, (x - 15, y - 15, x + 15, y + 15), strict=True))
    base = {"field": np.zeros(count), "x": x, "y": y, "radius": np.full(count, 15.0), "score": np.full(count, 0.9)}
    given = {"on_border": np.zeros(count)} | columns
    return Detections(
        {**base, **box, "name": np.array(names, "<U32"), **{key: np.asarray(one) for key, one in given.items()}}
    )


def by_log_odds(seen_in_map: float, classifier: float, plane: Mapping[str, float]) -> float:
    """The joint probability by its definition, away from 0 and 1."""
    odds = plane["intercept"]
    for part, score in (("map", seen_in_map), ("classifier", classifier)):
        odds += plane[part] * np.log(score / (1 - score))
    return float(1 / (1 + np.exp(-odds)))


SCORE = st.floats(1e-5, 1 - 1e-5)
WEIGHT = st.floats(0.05, 3)


@LAW
@given(SCORE, SCORE, WEIGHT, WEIGHT, st.floats(-4, 4))
def test_two_scores_are_joined_by_their_log_odds(
    seen_in_map: float, classifier: float, first: float, second: float, intercept: float
) -> None:
    plane = {"map": first, "classifier": second, "intercept": intercept}
    joined = joint_score(np.array([seen_in_map]), np.array([classifier]), plane)
    assert joined[0] == pytest.approx(by_log_odds(seen_in_map, classifier, plane), abs=1e-9)


@LAW
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_more_of_either_score_is_never_less_of_both(other: float, low: float, high: float) -> None:
    low, high = sorted((low, high))
    one, two = np.full(2, other), np.array([low, high])
    for joined in (joint_score(one, two, PLANE), joint_score(two, one, PLANE)):
        assert 0 < joined[0] <= joined[1] < 1


def test_certain_scores_are_joined_as_nearly_certain_ones() -> None:
    certain, nearly = np.array([0.0, 1.0]), np.array([1e-6, 1 - 1e-6])
    np.testing.assert_array_equal(joint_score(certain, certain, PLANE), joint_score(nearly, nearly, PLANE))
    assert joint_score(np.zeros(0), np.zeros(0), PLANE).shape == (0,)


def test_a_white_cell_gets_its_type_and_the_probability_of_it(name_cells: Callable[..., Detections]) -> None:
    cells = name_cells([("WBC", RED), ("WBC", GREEN), ("WBC", BLUE)])
    assert cells["name"].tolist() == ["blast", "neutrophil", "lymphocyte"]
    expected = [probabilities(stain, "white-cells").max() for stain in (RED, GREEN, BLUE)]
    np.testing.assert_allclose(cells["name_confidence"], expected, rtol=0, atol=1e-4)
    assert np.isnan(cells["parasite_score"]).all()


def test_a_cell_that_is_not_known_keeps_the_widest_name_and_has_no_confidence(
    name_cells: Callable[..., Detections],
) -> None:
    cells = name_cells([("WBC", PALE), ("RBC", PALE), ("WBC", RED)])
    assert cells["name"].tolist() == ["unclassified WBC", "uncategorised RBC", "blast"]
    assert np.isnan(cells["name_confidence"][:2]).all()
    assert not np.isnan(cells["name_confidence"][2])


def test_a_red_cell_gets_its_shape_and_the_probability_of_it(name_cells: Callable[..., Detections]) -> None:
    cells = name_cells([("RBC", RED), ("RBC", BLUE)])
    assert cells["name"].tolist() == ["sickle cell", "normal RBC"]
    assert cells["name_confidence"][0] == pytest.approx(probabilities(RED, "red-cell-shape")[0], abs=1e-4)


def test_a_size_is_named_only_where_the_scale_does_not_rest_on_red_cells(
    name_cells: Callable[..., Detections],
) -> None:
    independent = name_cells([("RBC", GREEN)], Scale.from_um_per_px(7.5 / DIAMETER))
    assert independent["name"].tolist() == ["macrocyte"]
    chances = probabilities(GREEN, "red-cell-shape")
    assert independent["name_confidence"][0] == pytest.approx(chances[1], abs=1e-4)
    for origin in ("stated red-cell diameter", "estimated from red cells"):
        scale = Scale.from_rbc_diameter_px(DIAMETER, origin=origin)
        resting = name_cells([("RBC", GREEN)], scale)
        assert resting["name"].tolist() == ["normal RBC"]
        assert resting["name_confidence"][0] == pytest.approx(chances[1:].sum(), abs=1e-4)


def test_a_cell_on_the_border_gets_no_shape(name_cells: Callable[..., Detections]) -> None:
    cells = name_cells([("RBC", RED), ("RBC", RED), ("WBC", RED)], on_border=[1.0, 0.0, 1.0])
    assert cells["name"].tolist() == ["uncategorised RBC", "sickle cell", "blast"]
    assert np.isnan(cells["name_confidence"][0])


def test_platelets_are_platelets(name_cells: Callable[..., Detections]) -> None:
    cells = name_cells([("platelet", RED), ("platelet", PALE)], in_map=[0.9, 0.9])
    assert cells["name"].tolist() == ["platelet", "platelet"]
    assert np.isnan([cells[column] for column in COLUMNS]).all()


@pytest.mark.parametrize("border", [0.0, 1.0])
def test_a_parasite_on_which_both_networks_agree_is_named_by_its_stage(
    name_cells: Callable[..., Detections], border: float
) -> None:
    cells = name_cells([("RBC", GREEN), ("RBC", BLUE)], in_map=[0.7, 0.8], on_border=[border, border])
    assert cells["name"].tolist() == ["ring trophozoite", "schizont"]
    for index, stain in enumerate((GREEN, BLUE)):
        uninfected, *stages = probabilities(stain, "malaria")
        joined = by_log_odds([0.7, 0.8][index], 1 - uninfected, PLANE)
        assert cells["parasite_score"][index] == pytest.approx(joined, abs=1e-4)
        assert cells["name_confidence"][index] == pytest.approx(max(stages) / sum(stages), abs=1e-4)


def test_a_cell_in_which_only_the_map_saw_a_parasite_is_named_by_its_shape(
    name_cells: Callable[..., Detections],
) -> None:
    cells = name_cells([("RBC", RED)], in_map=[0.5])
    assert cells["name"].tolist() == ["sickle cell"]
    joined = by_log_odds(0.5, 1 - probabilities(RED, "malaria")[0], PLANE)
    assert cells["parasite_score"][0] == pytest.approx(joined, abs=1e-4)
    assert joined < PLANE["threshold"]


def test_every_red_cell_from_the_least_score_on_is_looked_at_for_parasites(
    name_cells: Callable[..., Detections], malaria: Counted
) -> None:
    """The malaria network may see what the map nearly overlooked; how far it is trusted then is in its plane."""
    least = PLANE["least"]
    in_map, stains = [least, 0.2, least], (BLUE, BLUE, RED)
    cells = name_cells([("RBC", stain) for stain in stains], in_map=in_map)
    expected = [
        by_log_odds(seen, 1 - probabilities(stain, "malaria")[0], PLANE)
        for seen, stain in zip(in_map, stains, strict=True)
    ]
    np.testing.assert_allclose(cells["parasite_score"], expected, rtol=0, atol=1e-4)
    assert expected[2] < least < expected[0] < PLANE["threshold"] < expected[1]
    assert cells["name"].tolist() == ["normal RBC", "schizont", "sickle cell"]
    # A normal cell that may hold a parasite is less surely normal.
    shape = probabilities(BLUE, "red-cell-shape")[1:].sum()  # sizes count as normal
    assert cells["name_confidence"][0] == pytest.approx(shape * (1 - expected[0]), abs=1e-4)
    assert cells["name_confidence"][0] < shape - 0.002
    assert malaria.asked == [3]


def test_a_cell_below_the_least_score_has_that_of_the_map_and_is_not_looked_at(
    name_cells: Callable[..., Detections], malaria: Counted
) -> None:
    """Even where the malaria network would be sure."""
    below = PLANE["least"] - 1e-4
    cells = name_cells([("RBC", BLUE), ("RBC", GREEN), ("WBC", RED)], in_map=[below, 0.0, 1.0])
    np.testing.assert_array_equal(cells["parasite_score"], [np.round(below, 4), 0, np.nan])
    assert cells["name"].tolist() == ["normal RBC", "normal RBC", "blast"]
    assert malaria.asked == []


def test_only_the_cells_from_the_least_score_on_are_looked_at_and_in_their_places(
    name_cells: Callable[..., Detections], malaria: Counted
) -> None:
    kinds: list[Stained] = [
        ("RBC", BLUE),
        ("platelet", RED),
        ("RBC", GREEN),
        ("RBC", BLUE),
        ("RBC", RED),
        ("RBC", BLUE),
    ]
    in_map = [0.01, 0.9, 0.8, 0.0, 0.5, 0.7]
    cells = name_cells(kinds, in_map=in_map)
    joint = {row: by_log_odds(in_map[row], 1 - probabilities(kinds[row][1], "malaria")[0], PLANE) for row in (2, 4, 5)}
    expected = [0.01, np.nan, joint[2], 0.0, joint[4], joint[5]]
    np.testing.assert_allclose(cells["parasite_score"], expected, rtol=0, atol=1e-4)
    assert cells["name"].tolist() == [
        *("normal RBC", "platelet", "ring trophozoite", "normal RBC", "sickle cell", "schizont")
    ]
    assert malaria.asked == [3]


def test_every_other_column_and_the_order_are_kept(name_cells: Callable[..., Detections]) -> None:
    kinds: list[Stained] = [("RBC", GREEN), ("platelet", RED), ("WBC", RED), ("RBC", BLUE), ("WBC", PALE)]
    cells = name_cells(kinds, in_map=[0.9, 0.0, 0.0, 0.0, 0.0], area_um2=np.arange(5.0))
    before = found([name for name, _ in kinds], area_um2=np.arange(5.0))
    assert set(cells) == {*before, *COLUMNS}
    for column in set(before) - {"name"}:
        np.testing.assert_array_equal(cells[column], before[column])
    for name in ("RBC", "WBC", "platelet"):
        np.testing.assert_array_equal(cells.of_kind(name), before.of_kind(name))


def test_no_cells_have_no_names_but_the_columns(name_cells: Callable[..., Detections]) -> None:
    cells = name_cells([])
    assert len(cells) == 0
    assert set(COLUMNS) < set(cells)


def test_cells_are_named_alike_alone_and_in_company(name_cells: Callable[..., Detections]) -> None:
    kinds: list[Stained] = [("RBC", GREEN), ("WBC", GREEN), ("RBC", RED), ("RBC", BLUE)]
    scores = [0.8, 0.0, 0.3, 0.9]
    together = name_cells(kinds, in_map=scores)
    for index, _ in enumerate(kinds):
        hidden = [(name if one == index else "platelet", stain) for one, (name, stain) in enumerate(kinds)]
        alone = name_cells(hidden, in_map=scores)
        assert alone.select(np.array([index])) == together.select(np.array([index]))


@pytest.fixture(scope="module")
def differential(phantom: Callable[..., Any]) -> Tile:
    """A phantom field with white cells."""
    smear = phantom("differential")
    return read_tile(smear.fields[0], 0, smear.fields[0].window, 0)


def test_the_classifiers_that_ship_answer_in_the_vocabulary(differential: Tile) -> None:
    calibration = calibrated(differential.pixels, DIAMETER)
    classifiers = load_classifiers()
    assert set(classifiers) == set(NETWORKS)
    cells = make_namer(calibration, classifiers)(differential, found(["WBC", "RBC"] * 3))
    assert set(cells["name"].tolist()) <= set(TERMS)
    confidence = cells["name_confidence"]
    assert (np.isnan(confidence) | ((confidence > 0) & (confidence <= 1))).all()


def test_parasites_are_looked_for_in_the_map_that_ships(
    differential: Tile, classifiers: Mapping[str, NetworkClassifier], malaria: Counted
) -> None:
    calibration = calibrated(differential.pixels, DIAMETER)
    given = found(["WBC", "RBC"] * 3)
    red = given["name"] == "RBC"
    drawn = ParasiteMap(calibration, load_network("parasites"))(differential, given.select(red))
    used = {**classifiers, "malaria": cast("NetworkClassifier", malaria)}
    scores = make_namer(calibration, used)(differential, given)["parasite_score"]
    assert np.isnan(scores[~red]).all()
    assert ((scores[red] == drawn) | (drawn >= PLANE["least"])).all()
    assert sum(malaria.asked) == np.count_nonzero(drawn >= PLANE["least"])


def test_the_malaria_network_that_ships_says_how_it_goes_with_the_map() -> None:
    plane = load_classifiers()["malaria"].with_map
    assert set(plane) == {"map", "classifier", "intercept", "threshold", "least"}
    assert plane["least"] < plane["threshold"]
