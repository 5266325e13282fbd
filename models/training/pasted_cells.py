"""Red cells of other smears pasted over those of a field, so that neither a stain nor a slide gives parasites away.

Cells with and without parasites are pasted alike: the seam itself must mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from models.training.cells import STAGES, TASKS, load_cells
from models.training.marked_fields import CHANNELS, GRID_CELLS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from models.training.marked_fields import MarkedField

SOURCES: Final = ("nih_malaria_cells", "iml_malaria")
"""Sets whose crops hold whole cells."""
MOST_UNINFECTED: Final = 2000
MOST_PASTED: Final = 6
INFECTED_SHARE: Final = 0.5
RADIUS: Final = 0.6
"""Of the disc that is pasted, and the width over which it fades, in red-cell diameters."""
FADE: Final = 0.08
STAINED: Final = 0.08
"""Density from which on a pixel counts for the strength of the dyes."""
_SEED: Final = 41


@dataclass(frozen=True)
class SpareCells:
    """Cells to paste: densities (n, side, side, 3), float16, on the fields' grid, and whether each holds a parasite."""

    density: NDArray[np.float16]
    infected: NDArray[np.bool_]


def load_spare_cells(folder: Path, cache: Path) -> SpareCells:
    """Return the cells of the training split that may be pasted."""
    task = TASKS["malaria"]
    cells = load_cells(task, folder, cache, "train")
    infected = ~cells.allowed[:, STAGES.index("uninfected RBC")]
    usable = np.isin(cells.source, SOURCES)
    clean = np.random.default_rng(_SEED).permutation(np.flatnonzero(usable & ~infected))[:MOST_UNINFECTED]
    chosen = np.concatenate([np.flatnonzero(usable & infected), clean])
    side = round(task.patch * GRID_CELLS / task.shape.rbc_diameter_px)
    resized = [
        cv2.resize(cells.patches[row].astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) for row in chosen
    ]
    return SpareCells(np.stack(resized).astype(np.float16), infected[chosen])


def with_pasted_cells(field: MarkedField, spare: SpareCells, random: np.random.Generator) -> MarkedField:
    """Return the field with some of its red cells, all near one of them, covered by others.

    Parameters
    ----------
    field : MarkedField
        Left as it is.
    spare : SpareCells
    random : numpy.random.Generator
    """
    red = np.flatnonzero((field.channel == CHANNELS.index("RBC")) & ~field.parasitised & ~field.ignored)
    if len(red) == 0:
        return field
    centre = (field.boxes[:, :2] + field.boxes[:, 2:]) / 2
    first = random.choice(red)
    nearest = red[np.argsort(np.hypot(*(centre[red] - centre[first]).T))][: 3 * MOST_PASTED]
    places = random.permutation(nearest)[: random.integers(1, MOST_PASTED + 1)]
    density, parasitised = field.density.copy(), field.parasitised.copy()
    for place in places:
        infected = random.random() < INFECTED_SHARE
        cell = spare.density[random.choice(np.flatnonzero(spare.infected == infected))].astype(np.float32)
        if _paste(density, cell, centre[place], random):
            parasitised[place] = infected
    return replace(field, density=density, parasitised=parasitised)


def _paste(
    density: NDArray[np.float16], cell: NDArray[np.float32], centre: NDArray[np.float32], random: np.random.Generator
) -> bool:
    """Paste a cell, turned and as strongly dyed as what it covers; False where it would leave the field."""
    side = len(cell)
    x, y = (np.round(centre).astype(int) - side // 2).tolist()
    if x < 0 or y < 0 or x + side > density.shape[1] or y + side > density.shape[0]:
        return False
    below = density[y : y + side, x : x + side].astype(np.float32)
    steps = np.arange(side) - (side - 1) / 2
    distance = np.hypot(steps[None, :], steps[:, None]) / GRID_CELLS
    share = np.clip((RADIUS - distance) / FADE, 0, 1)[..., None].astype(np.float32)
    turned = np.rot90(cell[:, ::-1] if random.random() < 0.5 else cell, random.integers(4))
    ratio = _dye_strength(below[distance < RADIUS]) / _dye_strength(turned[distance < RADIUS])
    dyed = turned * np.clip(ratio, 0.4, 2.5).astype(np.float32)
    density[y : y + side, x : x + side] = (below + share * (dyed - below)).astype(np.float16)
    return True


def _dye_strength(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    stained = pixels[pixels.max(axis=1) > STAINED]
    return np.maximum(np.median(stained, axis=0), 0.03) if len(stained) > 20 else np.full(3, 0.3, np.float32)
