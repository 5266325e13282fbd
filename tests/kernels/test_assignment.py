from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from hemato_lab.kernels.assignment import ALONE, assign

LAW = settings(deadline=None, max_examples=300)
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def edges(costs: np.ndarray, price: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(costs <= price)
    return np.searchsorted(rows, np.arange(len(costs) + 1)), columns, costs[rows, columns]


def total(column_of: np.ndarray, costs: np.ndarray, price: float) -> float:
    return sum(price if column == ALONE else costs[row, column] for row, column in enumerate(column_of))


def least_total(costs: np.ndarray, price: float) -> float:
    """Every row may also take a column of its own that costs the price, solved on the full matrix."""
    own = np.full((len(costs), len(costs)), price)
    full = np.hstack([np.where(costs <= price, costs, price), own])
    return float(full[linear_sum_assignment(full)].sum())


@LAW
@given(st.data(), SIZES, st.sampled_from([0.25, 1.0, 2.0]), st.sampled_from([4, 2**20]))
def test_is_the_cheapest_as_scipy_finds_it(
    data: st.DataObject, size: tuple[int, int], price: float, steps: int
) -> None:
    costs = data.draw(arrays(np.float64, size, elements=st.floats(0, 2)))
    costs = np.round(costs * steps) / steps  # coarse: many that cost the same
    column_of = assign(*edges(costs, price), size[1], price)
    chosen = column_of[column_of != ALONE]
    assert len(set(chosen.tolist())) == len(chosen)
    assert all(costs[row, column] <= price for row, column in enumerate(column_of) if column != ALONE)
    assert total(column_of, costs, price) == pytest.approx(least_total(costs, price), abs=1e-9)


def test_long_chain_moves_up_by_one() -> None:
    """Each row likes its left neighbour's column best; the last comer pushes all the others on."""
    rows = 2000
    starts = 2 * np.arange(rows + 1)
    columns = np.stack([np.arange(rows), np.arange(rows) + 1], axis=1).ravel()
    costs = np.tile([0.0, 0.5], rows)
    order = np.arange(rows)[::-1]
    turned = np.concatenate([columns[2 * row : 2 * row + 2] for row in order])
    last = np.concatenate([turned, [0]])
    column_of = assign(np.append(starts, 2 * rows + 1), last, np.append(costs, 0.0), rows + 1, 2000.0)
    assert sorted(column_of.tolist()) == list(range(rows + 1))
    assert column_of[-1] == 0
    assert column_of[-2] == 1


def test_without_edges_all_stay_alone() -> None:
    nothing = np.empty(0, np.int64)
    assert assign(np.zeros(4, np.int64), nothing, np.empty(0), 3, 1.0).tolist() == [ALONE] * 3
    assert assign(np.zeros(1, np.int64), nothing, np.empty(0), 0, 1.0).tolist() == []
