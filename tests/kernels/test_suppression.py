from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.kernels.suppression import keep_best, stronger_neighbours

LAW = settings(deadline=None, max_examples=100)
Points = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def expected(x: np.ndarray, y: np.ndarray, radius: np.ndarray, score: np.ndarray, separation: float) -> np.ndarray:
    """Compare every point with every point that was kept before."""
    kept = np.zeros(len(x), bool)
    for point in sorted(range(len(x)), key=lambda i: (-score[i], y[i], x[i], i)):
        apart = (x - x[point]) ** 2 + (y - y[point]) ** 2
        kept[point] = not (kept & (apart < (separation * (radius + radius[point]) / 2) ** 2)).any()
    return kept


@st.composite
def points(draw: st.DrawFn) -> Points:
    count = draw(st.integers(0, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x, y = random.uniform(-30, 30, (2, count))
    if draw(st.booleans()):
        x, y = np.round(x / 5) * 5, np.round(y / 5) * 5
    return x, y, random.choice([0.0, 2.0, 5.0, 11.0], count), random.integers(0, 4, count) / 4


@LAW
@given(table=points(), separation=st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_equals_comparing_every_pair(table: Points, separation: float) -> None:
    np.testing.assert_array_equal(keep_best(*table, separation=separation), expected(*table, separation))


@LAW
@given(table=points(), seed=st.integers(0, 2**32 - 1))
def test_does_not_depend_on_the_order_of_the_input(table: Points, seed: int) -> None:
    x, y, _, score = table
    radius = np.full(len(x), 4.0)
    order = np.random.default_rng(seed).permutation(len(x))
    kept, again = keep_best(x, y, radius, score), keep_best(x[order], y[order], radius, score[order])
    one = sorted(zip(x[kept], y[kept], score[kept], strict=True))
    other = sorted(zip(x[order][again], y[order][again], score[order][again], strict=True))
    assert one == other


@LAW
@given(table=points())
def test_what_is_kept_is_apart_and_what_is_dropped_has_a_better_neighbour(table: Points) -> None:
    x, y, radius, score = table
    kept = keep_best(x, y, radius, score)
    apart = np.hypot(x - x[:, None], y - y[:, None])
    limit = (radius + radius[:, None]) / 2
    close = (apart < limit) & ~np.eye(len(x), dtype=bool)
    assert not (close & kept & kept[:, None]).any()
    better = close & kept[:, None] & (score[:, None] >= score)
    assert better.any(axis=0)[~kept].all()


def test_distant_and_negative_coordinates() -> None:
    x = np.array([-1e9, -1e9 + 1, 1e9, 0.0, 0.0])
    kept = keep_best(x, -x, np.full(5, 2.0), np.array([0.1, 0.2, 0.3, 0.4, 0.4]))
    assert kept.tolist() == [False, True, True, True, False]


def test_no_points() -> None:
    assert keep_best(*(np.empty(0),) * 4).shape == (0,)


def test_many_equal_points_leave_one() -> None:
    assert keep_best(*(np.ones(5000),) * 4).sum() == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("column", range(4))
def test_numbers_that_are_not_finite_are_refused(column: int, bad: float) -> None:
    table = [np.ones(3) for _ in range(4)]
    table[column][1] = bad
    with pytest.raises(ValueError, match="finite"):
        keep_best(*table)


def test_negative_radii_and_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        keep_best(np.ones(1), np.ones(1), -np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match="one length"):
        keep_best(np.ones(1), np.ones(1), np.ones(2), np.ones(1))


@given(
    points=st.lists(
        st.tuples(st.integers(-30, 30), st.integers(-30, 30), st.floats(-2, 2, allow_nan=False)), max_size=40
    ),
    reach=st.floats(0, 30),
    share=st.floats(0.1, 1),
)
@settings(max_examples=100, deadline=None)
def test_stronger_neighbours_equal_comparing_every_pair(
    points: list[tuple[int, int, float]], reach: float, share: float
) -> None:
    x, y, strength = np.array(points, float).reshape(-1, 3).T
    near = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2 <= reach * reach
    np.fill_diagonal(near, val=False)
    expected = (near & (share * strength[None, :] > strength[:, None])).sum(axis=1)
    np.testing.assert_array_equal(stronger_neighbours(x, y, strength, reach=reach, share=share), expected)


def test_stronger_neighbours_refuse_what_is_no_point() -> None:
    with pytest.raises(ValueError, match="one length"):
        stronger_neighbours(np.zeros(2), np.zeros(3), np.zeros(3), reach=1, share=1)
    with pytest.raises(ValueError, match="finite"):
        stronger_neighbours(np.zeros(1), np.array([np.nan]), np.zeros(1), reach=1, share=1)
