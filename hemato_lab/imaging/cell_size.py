"""How large red cells are in a field, as a network sees it: the first guess of the ruler.

The network is shown parts of the field at every size that halving gives, and says for each part how large a red cell is
in it, within little more than an octave to either side of its nominal size, or that no size can be told. What it says
of the same diameter at neighbouring sizes must agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hemato_lab.errors import ModelError
from hemato_lab.imaging.network_grid import network_density
from hemato_lab.imaging.sampling import sample_windows
from hemato_lab.imaging.working import WorkingGrid
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.imaging.illumination import Illumination
    from hemato_lab.networks import Network
    from hemato_lab.smear import RGB, Field

SIZE_NETWORK: Final = "ruler"
"""Network that tells the size of red cells."""
CROPS_A_LEVEL: Final = 4
"""Parts of a region that are shown at each size, at most."""
WHOLE_PIXELS: Final = 100_000
"""From this size on down a region is shown whole, and halved further."""
SMALLEST_SIDE: Final = 24
"""Of a region that is still shown, in pixels of the input."""
LARGEST_SHARE_OF_FIELD: Final = 0.5
"""A red cell is no wider than this share of the field's shorter side."""
REGIONS_OF_A_SLIDE: Final = 4
AROUND: Final = 0.25
"""Octaves around the likeliest size within which all that is said counts as the same size."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CellSize:
    """What the network says of a field.

    Attributes
    ----------
    diameter_px : float
        Likeliest diameter of a red cell in pixels of the field.
    evidence : float
        In [0, 1]: how surely the parts of the field show red cells of this size; 0 where no part was shown.
    """

    diameter_px: float
    evidence: float


def read_cell_size(field: Field, illumination: Illumination, network: Network) -> CellSize:
    """Ask the network for the size of a field's red cells.

    Parameters
    ----------
    field : Field
        Read whole, or at a few places when it is a slide.
    illumination : Illumination
        Of the field.
    network : Network
        One that tells sizes.

    Raises
    ------
    ModelError
        If the network is for something else.
    """
    card = network.card
    if card.task != "size":
        raise ModelError("does not tell the size of red cells", subject=card.name, hint="choose another model")
    sizes = np.log2(np.array(card.sizes_px))
    step = float(sizes[1] - sizes[0])
    said: dict[int, Floats] = {}
    for region in _regions(field):
        pixels = field.read(region)
        for halvings, crops in _levels(_Region(field, region, pixels, illumination), card.crop_px or 0):
            (logits,) = network.run(crops * np.float32(card.gain))
            chance = special.softmax(logits.astype(np.float64) / card.calibration["temperature"], axis=1)
            said[halvings] = said.get(halvings, 0.0) + chance[:, :-1].sum(axis=0)
    if not said:
        return CellSize(float(2.0 ** sizes.mean()), 0.0)
    return _likeliest(said, float(sizes[0]), step, LARGEST_SHARE_OF_FIELD * min(field.width, field.height))


def _regions(field: Field) -> list[Window]:
    """Return the field, or some of the windows that a slide is measured on: one in each row, in another column each."""
    windows = sample_windows(field)
    if len(windows) <= REGIONS_OF_A_SLIDE:
        return list(windows)
    rows = sorted({window.y0 for window in windows})
    by_row = [[window for window in windows if window.y0 == y] for y in rows]
    # Of four columns the second, fourth, first and third.
    places = ((2 * index + 1) % (len(row) + 1) % len(row) for index, row in enumerate(by_row))
    return [row[place] for row, place in zip(by_row, places, strict=True)][:REGIONS_OF_A_SLIDE]


@dataclass(frozen=True, slots=True)
class _Region:
    """A part of a field that was read."""

    field: Field
    window: Window
    pixels: RGB
    illumination: Illumination

    def density(self, part: Window, halvings: int) -> NDArray[np.float32]:
        """Return the densities of a part of it after halving, shape (3, height, width)."""
        grid = WorkingGrid(self.field.width, self.field.height, 0.5**halvings)
        rows = slice(part.y0 - self.window.y0, part.y1 - self.window.y0)
        columns = slice(part.x0 - self.window.x0, part.x1 - self.window.x0)
        return network_density(self.pixels[rows, columns], part, grid, self.illumination)[1]


def _levels(region: _Region, side: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield how often a region was halved, and parts of it, shape (n, 3, side, side)."""
    window, halvings = region.window, 0
    whole: NDArray[np.float32] | None = None
    while min(window.width, window.height) >> halvings >= SMALLEST_SIDE:
        if whole is not None:
            whole = _halved(whole)
        elif window.area >> (2 * halvings) <= WHOLE_PIXELS:
            whole = region.density(window, halvings)
        if whole is None:
            parts = iter([region.density(part, halvings) for part in _parts(window, side << halvings)])
        else:
            parts = _cut(whole, side)
        yield halvings, np.stack([_padded(part, side) for part in parts])
        halvings += 1


def _halved(density: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = density.shape[1] // 2 * 2, density.shape[2] // 2 * 2
    even = density[:, :height, :width]
    return (even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]) * np.float32(0.25)


def _parts(region: Window, side: int) -> list[Window]:
    """Return evenly spread windows of a region, `CROPS_A_LEVEL` at most."""
    columns = _starts(region.width, side)
    rows = _starts(region.height, side)
    return [
        Window(
            region.x0 + x,
            region.y0 + y,
            region.x0 + min(x + side, region.width),
            region.y0 + min(y + side, region.height),
        )
        for y in rows
        for x in columns
    ]


def _starts(length: int, side: int) -> list[int]:
    """Return where the parts of a side begin: one in the middle of nearly all of it, else one at either quarter."""
    if length <= side:
        return [0]
    if length < 1.5 * side:
        return [(length - side) // 2]
    return (
        [(length - 2 * side) // 4, length - side - (length - 2 * side) // 4]
        if length > 2 * side
        else [0, length - side]
    )


def _cut(density: NDArray[np.float32], side: int) -> Iterator[NDArray[np.float32]]:
    for part in _parts(Window(0, 0, density.shape[2], density.shape[1]), side):
        yield density[:, part.y0 : part.y1, part.x0 : part.x1]


def _padded(density: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    canvas = np.zeros((3, side, side), np.float32)
    height, width = min(side, density.shape[1]), min(side, density.shape[2])
    canvas[:, :height, :width] = density[:, :height, :width]
    return canvas


def _likeliest(said: dict[int, Floats], first: float, step: float, largest: float) -> CellSize:
    """Return the size that is likeliest by all levels that could show it.

    Parameters
    ----------
    said : mapping of int to array of shape (sizes,)
        By halvings, chances of every size, summed over the parts.
    first, step : float
        Binary logarithm of the first size in pixels of the input, and of the ratio between neighbours.
    largest : float
        Diameter in pixels of the field.
    """
    octave = round(1 / step)
    count = len(next(iter(said.values())))
    total = np.zeros(count + octave * max(said))
    seen = np.zeros(len(total))
    for halvings, chance in said.items():
        shown = slice(octave * halvings, octave * halvings + count)
        # Parts without cells say nothing against the others.
        total[shown] += chance / max(1.0, float(chance.sum()))
        seen[shown] += 1
    mean = total / np.maximum(seen, 1)
    mean[first + step * np.arange(len(mean)) > np.log2(max(largest, 1e-9))] = 0.0
    reach = max(1, round(AROUND / step))
    together = np.convolve(mean, np.ones(2 * reach + 1), mode="same")
    best = int(np.argmax(together))
    around = np.arange(max(0, best - reach), min(len(mean), best + reach + 1))
    weight = mean[around]
    place = float(np.sum(around * weight) / weight.sum()) if weight.sum() > 0 else float(best)
    return CellSize(round(float(2.0 ** (first + step * place)), 4), round(min(1.0, float(together[best])), 4))
