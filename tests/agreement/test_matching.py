from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from hemato_lab.agreement.matching import MOST_NEIGHBOURS, Matching, match_cells, match_points
from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError

LAW = settings(deadline=None, max_examples=100)


def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two readings of up to 60 cells: some moved, some missed, some seen by one alone; now and then very crowded."""
    random = np.random.default_rng(seed)
    side = random.choice([3.0, 8.0, 20.0])
    first = random.random((random.integers(0, 60), 2)) * side
    second = first + random.normal(0, random.choice([0.1, 0.5]), first.shape)
    second = np.vstack([second[random.random(len(second)) < 0.9], random.random((random.integers(0, 6), 2)) * side])
    return first, second[random.permutation(len(second))]


def gain(found: Matching) -> float:
    return float((1.0 - found.distance).sum())


def best_gain(first: np.ndarray, second: np.ndarray) -> float:
    """The same by scipy's assignment on the full matrix of distances cut off at the gate."""
    if not len(first) or not len(second):
        return 0.0
    cut = np.minimum(cdist(first, second), 1.0)
    return float((1.0 - cut[linear_sum_assignment(cut)]).sum())


def test_is_the_best_there_is_on_a_thousand_scenes() -> None:
    for seed in range(1000):
        first, second = scene(seed)
        found = match_points(first, second)
        assert gain(found) == pytest.approx(best_gain(first, second), abs=1e-9), seed
        apart = np.linalg.norm(first[found.first] - second[found.second], axis=1)
        assert np.array_equal(apart, found.distance)
        assert (apart <= 1).all()
        assert sorted([*found.first, *found.first_only]) == list(range(len(first)))
        assert sorted([*found.second, *found.second_only]) == list(range(len(second)))


@LAW
@given(st.integers(0, 10**6))
def test_which_side_comes_first_does_not_matter(seed: int) -> None:
    first, second = scene(seed)
    there, back = match_points(first, second), match_points(second, first)
    assert len(there) == len(back)
    assert gain(there) == pytest.approx(gain(back), abs=1e-9)


def cells(rows: list[tuple[int, float, float, str]]) -> Detections:
    field, x, y, name = (np.array(column) for column in zip(*rows, strict=True))
    return Detections(
        {"field": field, "x": x, "y": y, "radius": np.full(len(rows), 10.0), "name": name, "score": np.ones(len(rows))}
    )


def pairs(found: Matching) -> list[tuple[int, int]]:
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


def test_fields_never_mix() -> None:
    one = cells([(0, 5, 5, "RBC"), (1, 50, 50, "RBC")])
    other = cells([(1, 5, 5, "RBC"), (0, 50, 50, "RBC")])
    assert len(match_cells(one, other, rbc_radius_px=10)) == 0
    assert pairs(match_cells(one, one, rbc_radius_px=10)) == [(0, 0), (1, 1)]


def test_the_gate_is_in_red_cell_radii_of_each_field() -> None:
    one = cells([(0, 0, 0, "RBC"), (1, 0, 0, "RBC")])
    other = cells([(0, 15, 0, "RBC"), (1, 15, 0, "RBC")])
    assert pairs(match_cells(one, other, rbc_radius_px=[10, 20])) == [(1, 1)]
    wide = match_cells(one, other, rbc_radius_px=[10, 20], gate=1.5)
    assert pairs(wide) == [(0, 0), (1, 1)]
    assert wide.distance == pytest.approx([1.0, 0.5])  # in gates


def test_class_aware_pairs_only_like_with_like() -> None:
    one = cells([(0, 0, 0, "RBC"), (0, 4, 0, "blast")])
    other = cells([(0, 0, 0, "blast"), (0, 4, 0, "platelet")])
    assert pairs(match_cells(one, other, rbc_radius_px=10, class_aware=True)) == [(1, 0)]
    assert pairs(match_cells(one, other, rbc_radius_px=10)) == [(0, 0), (1, 1)]


def test_class_aware_takes_a_kind_for_its_wider_name() -> None:
    one = cells([(0, 0, 0, "lymphocyte"), (0, 40, 0, "target cell")])
    other = cells([(0, 0, 0, "WBC"), (0, 40, 0, "sickle cell")])
    assert pairs(match_cells(one, other, rbc_radius_px=10, class_aware=True)) == [(0, 0)]


def test_two_findings_of_one_cell_are_not_crossed() -> None:
    names = ["basophilic stippling", "ring trophozoite", "target cell"]
    one = cells([(0, 7, 7, name) for name in names])
    other = cells([(0, 7, 7, name) for name in reversed(names)])
    assert pairs(match_cells(one, other, rbc_radius_px=10)) == [(0, 2), (1, 1), (2, 0)]


def test_a_crowd_is_refused_instead_of_taking_all_memory() -> None:
    crowd = np.zeros((4 * MOST_NEIGHBOURS, 2))
    with pytest.raises(ConfigError, match="within the gate"):
        match_points(crowd, crowd)


@pytest.mark.parametrize("arguments", [{"gate": 0.0}, {"gate": np.nan}, {"rbc_radius_px": 0.0}, {"rbc_radius_px": []}])
def test_impossible_settings_are_refused(arguments: dict[str, object]) -> None:
    one = cells([(0, 0, 0, "RBC")])
    with pytest.raises(ConfigError):
        match_cells(one, one, **({"rbc_radius_px": 10.0} | arguments))  # type: ignore[arg-type]


def test_a_cell_without_a_place_is_refused() -> None:
    with pytest.raises(ConfigError, match="not finite"):
        match_points(np.array([[np.nan, 0.0]]), np.zeros((1, 2)))


@pytest.mark.parametrize("place", [1e13, -1e300, np.inf])
def test_a_place_in_no_image_is_refused(place: float) -> None:
    with pytest.raises(ConfigError, match="in no image"):
        match_points(np.array([[place, 0.0]]), np.zeros((1, 2)))
