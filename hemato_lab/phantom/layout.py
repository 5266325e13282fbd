"""Where cells lie: a film without end, any part of which can be laid out by itself.

The film is cut into square blocks. Each block draws its own cells from a generator seeded by the smear's seed, the
field and the block's place: a Poisson number of each group at even random places. Cells then give way to each other in
a fixed number of small steps. A step reaches only so far, so what happens beyond a halo of known width cannot be felt,
and a region laid out with its halo has, bit for bit, the cells that the whole film has there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab.phantom.recipe import SIZES, Mix, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

Floats = NDArray[np.float64]
Region = tuple[float, float, float, float]
"""x0, y0, x1, y1 in um on the film; the film's origin is the centre of pixel (0, 0)."""

BLOCK_UM: Final = 64.0
STEPS: Final = 14
STEP_LIMIT_UM: Final = 0.9
"""A cell moves at most this far in one step."""
CONTACT_LIMIT_UM: Final = 18.0
"""Cells farther apart than this are left alone; only two of the largest white cells would touch at more."""
HALO_UM: Final = STEPS * (CONTACT_LIMIT_UM + STEP_LIMIT_UM)
_APART: Final = 1.03
"""Distance in contact lengths that other cells keep: just touching, as none is perfectly round."""
_OVER: Final = 0.62
"""Distance in contact lengths that a cell lying over a neighbour keeps from it."""
_ORIGIN: Final = 1 << 30
"""Added to block numbers, which may be negative, as seeds are not."""
LAYOUT_STREAM: Final = 0
"""First number of the spawn key of a block's own generator; others in this package use other numbers."""


@dataclass(frozen=True)
class Placed:
    """Cells on the film in canonical order: one array each, all of the same length.

    Attributes
    ----------
    name : ndarray of str
    x, y : ndarray
        Centre of area, um.
    diameter : ndarray
        Equivalent diameter, um.
    key : ndarray of int64
        Shape (n, 3): the block's column and row and the number within it. With the seed it is all that a cell's own
        generator needs.
    """

    name: NDArray[np.str_]
    x: Floats
    y: Floats
    diameter: Floats
    key: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.x)

    def select(self, rows: NDArray[np.bool_]) -> Placed:
        """Return the cells of a mask."""
        return Placed(self.name[rows], self.x[rows], self.y[rows], self.diameter[rows], self.key[rows])


def lay_out(recipe: Recipe, seed: int, field: int, region: Region) -> Placed:
    """Return every cell whose centre lies in a region, in canonical order: by block row, block column, number."""
    x0, y0, x1, y1 = region
    grown = (x0 - HALO_UM, y0 - HALO_UM, x1 + HALO_UM, y1 + HALO_UM)
    scattered, over = _scatter(recipe, seed, field, grown)
    x, y = _give_way(scattered, over)
    settled = Placed(scattered.name, x, y, scattered.diameter, scattered.key)
    return settled.select((x >= x0) & (x < x1) & (y >= y0) & (y < y1))


def _scatter(recipe: Recipe, seed: int, field: int, region: Region) -> tuple[Placed, NDArray[np.bool_]]:
    parts = [_block(recipe, seed, field, column, row) for row, column in _blocks(region)]
    name, x, y, diameter, over, key = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Placed(name, x, y, diameter, key), over


def _groups(recipe: Recipe) -> Iterator[tuple[Mix, float]]:
    yield recipe.red_cells, recipe.red_cells_per_mm2
    yield recipe.white_cells, recipe.white_cells_per_mm2
    yield recipe.platelets, recipe.platelets_per_mm2
    yield {"stain precipitate": 1.0}, recipe.precipitate_per_mm2


def _blocks(region: Region) -> Iterator[tuple[int, int]]:
    x0, y0, x1, y1 = (math.floor(edge / BLOCK_UM) for edge in region)
    for row in range(y0, y1 + 1):
        for column in range(x0, x1 + 1):
            yield row, column


def _block(
    recipe: Recipe, seed: int, field: int, column: int, row: int
) -> tuple[NDArray[np.str_], Floats, Floats, Floats, NDArray[np.bool_], NDArray[np.int64]]:
    rng = generator(seed, LAYOUT_STREAM, field, column, row)
    names: list[str] = []
    for mix, density in _groups(recipe):
        count = int(rng.poisson(density * BLOCK_UM**2 * 1e-6))
        if count:
            names += [str(name) for name in rng.choice(list(mix), count, p=list(mix.values()))]
    total = len(names)
    spread = np.array([SIZES[name].variation for name in names])
    mean = np.array([SIZES[name].mean_um for name in names])
    sigma = np.sqrt(np.log1p(spread**2))
    # Cut at 2.5 standard deviations: no cell grows beyond the contact limit.
    normal = np.clip(rng.standard_normal(total), -2.5, 2.5)
    diameter = mean * np.exp(sigma * normal - sigma**2 / 2)
    x = (column + rng.random(total)) * BLOCK_UM
    y = (row + rng.random(total)) * BLOCK_UM
    key = np.column_stack([np.full(total, column), np.full(total, row), np.arange(total)]).astype(np.int64)
    return np.array(names, "<U32"), x, y, diameter, rng.random(total) < recipe.overlap, key


def generator(seed: int, *place: int) -> np.random.Generator:
    """Return the random generator that belongs to a seed and a place, whatever was drawn elsewhere."""
    spawn_key = tuple(number + _ORIGIN for number in place)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=spawn_key)))


def _give_way(cells: Placed, over: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Push cells apart until they only touch, smaller ones the more; return their new x and y."""
    from scipy.spatial import cKDTree

    places = np.column_stack([cells.x, cells.y])
    radius = cells.diameter / 2
    weight = radius**2
    for _ in range(STEPS):
        pairs = cKDTree(places).query_pairs(CONTACT_LIMIT_UM, output_type="ndarray")
        first, second = pairs.T
        apart = places[first] - places[second]
        distance = np.hypot(apart[:, 0], apart[:, 1])
        contact = np.minimum(radius[first] + radius[second], CONTACT_LIMIT_UM)
        contact = contact * np.where(over[first] | over[second], _OVER, _APART)
        close = (distance < contact) & (distance > 0)
        first, second, apart, distance = first[close], second[close], apart[close], distance[close]
        push = apart * ((contact[close] - distance) / distance / (weight[first] + weight[second]))[:, None]
        moved = np.concatenate([first, second])
        other = np.concatenate([second, first])
        shift = np.concatenate([push * weight[second][:, None], -push * weight[first][:, None]])
        # Sums must not depend on the order in which the tree lists the pairs.
        order = np.lexsort((other, moved))
        step = np.column_stack(
            [np.bincount(moved[order], shift[order, axis], minlength=len(places)) for axis in (0, 1)]
        )
        length = np.hypot(step[:, 0], step[:, 1])
        places = places + step * np.minimum(1, STEP_LIMIT_UM / np.maximum(length, 1e-12))[:, None]
    return places[:, 0], places[:, 1]
