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
    cost_of = np.zeros(rows)  # of the edge that each row has
    potential = np.zeros(count)
    reached = np.full(count, np.inf)
    came_from = np.zeros(count, np.int64)
    came_at = np.zeros(count)
    settled = np.full(count, -1, np.int64)  # in the search of which row
    touched = np.empty(count, np.int64)
    heap = np.empty(len(columns) + 1)
    waiting = np.empty(len(columns) + 1, np.int64)
    for start in range(rows):
        size = 0
        touches = 0
        row = start
        offset = 0.0
        alone = np.inf  # the shortest way that ends with a row alone
        loner = -1
        end = -1
        while True:
            if price - offset < alone:
                alone = price - offset
                loner = row
            for edge in range(starts[row], starts[row + 1]):
                column = columns[edge]
                if settled[column] == start:  # rounding must not reach it anew: paths would become circles
                    continue
                distance = costs[edge] - potential[column] - offset
                if distance < reached[column] and distance < alone:
                    if reached[column] == np.inf:
                        touched[touches] = column
                        touches += 1
                    reached[column] = distance
                    came_from[column] = row
                    came_at[column] = costs[edge]
                    size = _push(heap, waiting, size, distance, column)
            nearest = -1
            while size > 0 and nearest < 0:
                if heap[0] >= alone:
                    size = 0
                    break
                column = waiting[0]
                size = _pop(heap, waiting, size)
                if settled[column] != start:
                    nearest = column
            if nearest < 0:
                break
            settled[nearest] = start
            if row_of[nearest] < 0:
                end = nearest
                break
            row = row_of[nearest]
            offset = cost_of[row] - potential[nearest] - reached[nearest]
        length = alone if end < 0 else reached[end]
        for index in range(touches):
            column = touched[index]
            if settled[column] == start and column != end:
                potential[column] += reached[column] - length
            reached[column] = np.inf
        if end < 0:
            end = column_of[loner]
            column_of[loner] = -1
            if loner == start:
                continue
        while True:
            row = came_from[end]
            before = column_of[row]
            row_of[end] = row
            column_of[row] = end
            cost_of[row] = came_at[end]
            if row == start:
                break
            end = before
