"""Training crops of the ruler: parts of fields in which red cells have a known size, and pictures of other things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from models.training.augmentation import photographed_differently, turned
from models.training.marked_fields import GRID_CELLS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.training.marked_fields import MarkedField

SIDE: Final = 128
"""Of a crop in pixels of the input."""
NOMINAL_PX: Final = 16.0
"""Diameter of a red cell in the middle of what the network can tell, in pixels of the input."""
BINS_AN_OCTAVE: Final = 8
OCTAVES: Final = 1.25
"""The network tells sizes from this much below the nominal one to this much above."""
SIZES: Final = tuple(
    round(NOMINAL_PX * 2.0 ** (step / BINS_AN_OCTAVE), 4)
    for step in range(-round(OCTAVES * BINS_AN_OCTAVE), round(OCTAVES * BINS_AN_OCTAVE) + 1)
)
"""Diameters that the network tells apart; the last class, after these, is none of them."""
SHOWN_OCTAVES: Final = (2.4, 2.1)
"""Sizes that are shown, so much below and above the nominal one."""
IN_RANGE_SHARE: Final = 0.75
BLUR: Final = 0.09
"""Spread of the size that is learned around the annotated one, in octaves: annotations scatter by some per cent."""
LEAST_STAINED: Final = 0.05
"""Of a crop, and of its area in red cells at least `LEAST_CELLS`: with less, no size can be told."""
LEAST_CELLS: Final = 0.8
OTHER_THINGS_SHARE: Final = 0.1
"""Share of the crops that show no blood at all."""
_PICTURES: Final = ("astronaut", "brick", "camera", "chelsea", "coffee", "grass", "gravel", "page", "text", "moon")


@dataclass(frozen=True)
class SizedCrop:
    """One example.

    Attributes
    ----------
    density : array of shape (3, SIDE, SIDE), float32
    chance : array of shape (len(SIZES) + 1,), float32
        Of every size, and of none of them.
    """

    density: NDArray[np.float32]
    chance: NDArray[np.float32]


def sized_crop(field: MarkedField, random: np.random.Generator, strength: float = 1.0) -> SizedCrop:
    """Cut a random part of a field at a random size and change how it was photographed."""
    low, high = SHOWN_OCTAVES
    if random.random() < IN_RANGE_SHARE:
        low = high = OCTAVES
    octave = random.uniform(-low, high)
    zoom = NOMINAL_PX * 2.0**octave / GRID_CELLS
    stretch = np.exp(random.uniform(-0.06, 0.06))
    density, stained = _cut(field, np.array([zoom * stretch, zoom / stretch]), random)
    turn = int(random.integers(8))
    density = photographed_differently(turned(density, turn), random, strength)
    inside = turned(stained, turn) >= 0
    density[~inside] = 0.0
    cells = np.count_nonzero(stained > 0) / (np.pi / 4 * (NOMINAL_PX * 2.0**octave) ** 2)
    told = cells >= LEAST_CELLS and np.mean(stained > 0) >= LEAST_STAINED
    return SizedCrop(np.ascontiguousarray(density.transpose(2, 0, 1)), chances(octave if told else None))


def chances(octave: float | None) -> NDArray[np.float32]:
    """Return the chance of every size for a size in octaves from the nominal one; None is none."""
    result = np.zeros(len(SIZES) + 1, np.float32)
    if octave is None or abs(octave) > OCTAVES + 0.5 / BINS_AN_OCTAVE:
        result[-1] = 1.0
        return result
    steps = np.log2(np.array(SIZES) / NOMINAL_PX)
    result[:-1] = np.exp(-0.5 * ((steps - octave) / BLUR) ** 2)
    return result / result.sum()


def _cut(
    field: MarkedField, zoom: NDArray[np.float64], random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return densities, and 1 where stained, 0 where not, -1 beyond the field."""
    height, width = field.density.shape[:2]
    free = np.array([width, height]) - SIDE / zoom
    # A field that is smaller than the crop lies at its first corner, as when it is read.
    corner = np.where(free > 0, random.uniform(0, 1, 2) * free, 0.0)
    low = np.floor(corner).astype(int)
    high = np.minimum(np.ceil(corner + SIDE / zoom).astype(int) + 1, [width, height])
    density = field.density[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    stained = field.foreground[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    # Shrinking by halves averages what linear interpolation would leave out.
    while zoom.max() < 0.6 and min(density.shape[:2]) >= 4:
        size = density.shape[1] // 2, density.shape[0] // 2
        density = cv2.resize(density[: 2 * size[1], : 2 * size[0]], size, interpolation=cv2.INTER_AREA)
        stained = cv2.resize(stained[: 2 * size[1], : 2 * size[0]], size, interpolation=cv2.INTER_AREA)
        corner, low, zoom = corner / 2, low / 2, zoom * 2
    matrix = np.array([[zoom[0], 0, 0], [0, zoom[1], 0]])
    matrix[:, 2] = (low - corner + 0.5) * zoom - 0.5
    size = (SIDE, SIDE)
    density = cv2.warpAffine(density, matrix, size, flags=cv2.INTER_LINEAR)
    mask: Any = (-1.0,)
    stained = cv2.warpAffine(stained, matrix, size, flags=cv2.INTER_NEAREST, borderValue=mask)
    return np.asarray(density, np.float32), np.where(stained < 0, -1, stained > 0.5).astype(np.float32)


def load_pictures() -> list[NDArray[np.float32]]:
    """Return pictures of other things, as densities, from those that scikit-image ships."""
    from skimage import color, data

    pictures = []
    for name in _PICTURES:
        image = getattr(data, name)()
        image = color.gray2rgb(image) if image.ndim == 2 else image[..., :3]
        pictures.append(-np.log10(np.maximum(image.astype(np.float32), 1) / 255) * 2.2)
    return pictures


def other_thing(pictures: list[NDArray[np.float32]], random: np.random.Generator) -> SizedCrop:
    """Return a part of a picture without blood at a random size, or clouds, or a regular pattern."""
    kind = random.random()
    if kind < 0.5:
        picture = pictures[random.integers(len(pictures))]
        side = int(min(*picture.shape[:2], SIDE * 2.0 ** random.uniform(-1.5, 2)))
        top, left = (int(random.integers(length - side + 1)) for length in picture.shape[:2])
        part = picture[top : top + side, left : left + side]
        density = np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)
    else:
        shade = _clouds(random) if kind < 0.75 else _pattern(random)
        colour = random.uniform(0.5, 1.5, 3) if random.random() < 0.5 else np.ones(3)
        density = (shade[..., None] * colour).astype(np.float32)
    density = photographed_differently(turned(density, int(random.integers(8))), random, 1.0)
    return SizedCrop(np.ascontiguousarray(density.transpose(2, 0, 1)), chances(None))


def _clouds(random: np.random.Generator) -> NDArray[np.float64]:
    noise = random.normal(0, 1, (SIDE, SIDE))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0 ** random.uniform(-1, 4.5))
    return np.asarray(random.uniform(0, 0.4) + smooth / max(float(smooth.std()), 1e-6) * random.uniform(0.02, 0.3))


def _pattern(random: np.random.Generator) -> NDArray[np.float64]:
    """Chequers, stripes, or a grid of squares or lines, at any angle."""
    period, angle = 2.0 ** random.uniform(2, 5.5), random.uniform(0, np.pi) * (random.random() < 0.5)
    rows, columns = np.indices((SIDE, SIDE)) + random.uniform(0, 2 * period, 2)[:, None, None]
    across = (columns * np.cos(angle) + rows * np.sin(angle)) / period
    down = (rows * np.cos(angle) - columns * np.sin(angle)) / period
    filled = random.uniform(0.15, 0.85)
    one, other = across % 1 < filled, down % 1 < filled
    chequers = (np.floor(across) + np.floor(down)) % 2 < 1
    shape = (chequers, one, one & other, one | other)[random.integers(4)]
    return np.asarray(shape * random.uniform(0.1, 0.7) + random.uniform(0, 0.2))
