"""Optimal one-to-one assignment on a sparse graph, in memory that grows with its edges alone.

Rows are taken one after the other; each is joined to a free column along the shortest augmenting path (Jonker and
Volgenant, Computing 38 (1987) 325-340), which a heap over the columns reached so far finds. Any row may also stay alone
at a price: that ends most paths after a few steps, and no path goes on beyond it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hemato_lab.kernels._compiled import kernel, readonly, writable

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALONE: Final = -1
"""Stands for the column of a row that has none."""


def assign(
    starts: NDArray[np.int64], columns: NDArray[np.int64], costs: NDArray[np.float64], count: int, price: float
) -> NDArray[np.int64]:
    """Choose for every row one of its columns or none, no column twice, at the least sum of costs and prices.

    Parameters
    ----------
    starts : (rows + 1,) int64
        Where each row's edges begin in the next two arrays.
    columns : (edges,) int64
        Column of each edge, below `count`.
    costs : (edges,) float64
        Its cost, at least 0 and finite.
    count : int
        Number of columns.
    price : float
        Of a row that stays alone; edges that cost more are never chosen.

    Returns
    -------
    (rows,) int64
        Chosen column of each row, `ALONE` where there is none.
    """
    column_of = np.full(len(starts) - 1, ALONE, np.int64)
    if len(columns):
        _assign(
            np.ascontiguousarray(starts, np.int64),
            np.ascontiguousarray(columns, np.int64),
            np.ascontiguousarray(costs, np.float64),
            int(count),
            float(price),
            column_of,
        )
    return column_of


@kernel()
def _push(distances: NDArray[np.float64], nodes: NDArray[np.int64], size: int, distance: float, node: int) -> int:
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if distances[parent] <= distance:
            break
        distances[place] = distances[parent]
        nodes[place] = nodes[parent]
        place = parent
    distances[place] = distance
    nodes[place] = node
    return size + 1


@kernel()
def _pop(distances: NDArray[np.float64], nodes: NDArray[np.int64], size: int) -> int:
    """Remove the nearest; the last one takes its place and sinks."""
    size -= 1
    distance, node = distances[size], nodes[size]
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and distances[child + 1] < distances[child]:
            child += 1
        if distances[child] >= distance:
            break
        distances[place] = distances[child]
        nodes[place] = nodes[child]
        place = child
    distances[place] = distance
    nodes[place] = node
    return size


@kernel()
def _shortest_path(
    start: int,
    starts: NDArray[np.int64],
    columns: NDArray[np.int64],
    costs: NDArray[np.float64],
    price: float,
    row_of: NDArray[np.int64],
    cost_of: NDArray[np.float64],
    potential: NDArray[np.float64],
    reached: NDArray[np.float64],
    came_from: NDArray[np.int64],
    came_at: NDArray[np.float64],
    settled: NDArray[np.int64],
    touched: NDArray[np.int64],
    heap: NDArray[np.float64],
    waiting: NDArray[np.int64],
) -> tuple[int, int, float, int]:
    """Return the free column at its end (-1: none), else the row that it leaves alone, its length, columns touched."""
    size, touches, row, offset = 0, 0, start, 0.0
    alone, loner = np.inf, -1
    while True:
        if price - offset < alone:
            alone, loner = price - offset, row
        for edge in range(starts[row], starts[row + 1]):
            column = columns[edge]
            distance = costs[edge] - potential[column] - offset
            # Rounding must not reach a settled column anew: paths would become circles.
            if settled[column] != start and distance < reached[column] and distance < alone:
                if reached[column] == np.inf:
                    touched[touches] = column
                    touches += 1
                reached[column], came_from[column], came_at[column] = distance, row, costs[edge]
                size = _push(heap, waiting, size, distance, column)
        while size > 0 and settled[waiting[0]] == start:
            size = _pop(heap, waiting, size)
        if size == 0 or heap[0] >= alone:
            return -1, loner, alone, touches
        nearest = waiting[0]
        settled[nearest] = start
        if row_of[nearest] < 0:
            return nearest, -1, reached[nearest], touches
        row = row_of[nearest]
        offset = cost_of[row] - potential[nearest] - reached[nearest]


@kernel(
    types.void(
        readonly(types.int64, 1),
        readonly(types.int64, 1),
        readonly(types.float64, 1),
        types.int64,
        types.float64,
        writable(types.int64, 1),
    )
)
def _assign(
    starts: NDArray[np.int64],
    columns: NDArray[np.int64],
    costs: NDArray[np.float64],
    count: int,
    price: float,
    column_of: NDArray[np.int64],
) -> None:
    rows = len(starts) - 1
    row_of = np.full(count, -1, np.int64)
    cost_of, potential = np.zeros(rows), np.zeros(count)  # of the edge that each row has; of each column
    reached, came_from, came_at = np.full(count, np.inf), np.zeros(count, np.int64), np.zeros(count)
    settled, touched = np.full(count, -1, np.int64), np.empty(count, np.int64)  # in the search of which row
    heap, waiting = np.empty(len(columns) + 1), np.empty(len(columns) + 1, np.int64)
    for start in range(rows):
        end, loner, length, touches = _shortest_path(
            start, starts, columns, costs, price, row_of, cost_of, potential,
            reached, came_from, came_at, settled, touched, heap, waiting,
        )  # fmt: skip
        for column in touched[:touches]:
            if settled[column] == start and column != end:
                potential[column] += reached[column] - length
            reached[column] = np.inf
        if end < 0:
            end = column_of[loner]
            column_of[loner] = -1
        while end >= 0:  # from the end back to the start, every row moves on to the column after its own
            row = came_from[end]
            before = column_of[row]
            row_of[end], column_of[row], cost_of[row] = row, end, came_at[end]
            end = -1 if row == start else before
