"""Cells that are paired by the overlap of their circles, against shapely and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from scipy.optimize import linear_sum_assignment

from hemato_lab.agreement.circles import circle_overlap, match_circles
from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError


def table(rows: list[tuple[int, float, float, float, str]]) -> Detections:
    columns = list(zip(*rows, strict=True)) if rows else [[]] * 5
    named = dict(zip(("field", "x", "y", "radius", "name"), map(np.array, columns), strict=True))
    return Detections({**named, "score": np.ones(len(rows))})


def test_the_overlap_is_that_of_shapely():
    random = np.random.default_rng(5)
    circles = [
        np.column_stack([np.zeros(200), random.uniform(0, 4, (200, 2)), random.uniform(0.5, 3, 200)]) for _ in "ab"
    ]
    circles[1][:20, 1:3] = circles[0][:20, 1:3]  # one centre
    found = circle_overlap(*circles)
    for one, other, overlap in zip(*circles, found, strict=True):
        first, second = (shapely.Point(c[1], c[2]).buffer(c[3], quad_segs=400) for c in (one, other))
        assert overlap == pytest.approx(first.intersection(second).area / first.union(second).area, abs=2e-4)


def test_the_pairs_are_the_best_there_are():
    random = np.random.default_rng(8)
    for _ in range(20):
        rows = [(int(f), x, y, r, "RBC") for f, x, y, r in random.uniform([0, 0, 0, 5], [2, 80, 80, 12], (40, 4))]
        moved = [
            (f, x + dx, y + dy, r, n)
            for (f, x, y, r, n), (dx, dy) in zip(rows, random.normal(0, 2, (40, 2)), strict=True)
        ]
        first, second = table(rows), table(moved[5:])
        matching = match_circles(first, second)
        pairs = np.array([[_overlap(a, b) if a[0] == b[0] else 0.0 for b in moved[5:]] for a in rows])
        gain = np.where(pairs >= 0.25, pairs, 0.0)
        best = gain[linear_sum_assignment(-gain)].sum()
        assert gain[matching.first, matching.second].sum() == pytest.approx(best)
        assert np.allclose(matching.distance, 1 - pairs[matching.first, matching.second])
        assert sorted([*matching.first, *matching.first_only]) == list(range(40))
        assert sorted([*matching.second, *matching.second_only]) == list(range(35))


def _overlap(one, other):
    return float(circle_overlap(np.array([one[:4]], float), np.array([other[:4]], float))[0])


def test_a_platelet_on_a_red_cell_is_not_the_red_cell():
    platelet, red_cell = (0, 52.0, 50.0, 9.0, "platelet"), (0, 50.0, 50.0, 30.0, "RBC")
    matching = match_circles(table([platelet, red_cell]), table([red_cell]))
    assert matching.first.tolist() == [1]
    assert matching.first_only.tolist() == [0]


def test_names_decide_between_circles_that_lie_alike():
    place = (0, 10.0, 10.0, 5.0)
    first, second = table([(*place, "RBC"), (*place, "WBC")]), table([(*place, "WBC"), (*place, "RBC")])
    matching = match_circles(first, second)
    assert matching.second[np.argsort(matching.first)].tolist() == [1, 0]


def test_nothing_and_nonsense():
    none, one = table([]), table([(0, 1.0, 1.0, 1.0, "RBC")])
    assert match_circles(none, one).second_only.tolist() == [0]
    assert match_circles(one, none).first_only.tolist() == [0]
    assert len(match_circles(one, table([(1, 1.0, 1.0, 1.0, "RBC")]))) == 0, "in another field"
    for wrong in ((0, np.nan, 1.0, 1.0, "RBC"), (0, 1.0, 1.0, 0.0, "RBC")):
        with pytest.raises(ConfigError, match="finite place"):
            match_circles(one, table([wrong]))
    with pytest.raises(ConfigError, match="impossible"):
        match_circles(one, one, least_overlap=0)
