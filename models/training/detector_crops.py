"""Training crops of the detector: densities, heat maps, boxes, and where each of them is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from models.training.augmentation import photographed_differently, turned, turned_boxes
from models.training.marked_fields import CHANNELS, GRID_CELLS, Knowledge, MarkedField

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRIDE: Final = 2
"""Side of an output cell in input pixels."""
SIZE_JITTER: Final = 0.2
"""The ruler is seldom wrong by more; natural logarithm, uniform."""
STRETCH: Final = 0.08
UNMARKED_CELL_WEIGHT: Final = 0.35
"""Of a stained place that nobody marked where marking was not exhaustive: less likely a cell than others."""
UNMARKED_AT_BORDER_WEIGHT: Final = 0.7
"""The same where the field's border cuts cells: annotators leave out those of which little shows."""
BORDER: Final = 0.6
"""Width of the field's border, and of the band along an edge of the crop that cuts cells which nobody else cuts; in
red-cell diameters."""
OVERSTEP: Final = 0.16
"""Share of its side by which a crop may reach beyond the field."""
CORE: Final = 0.25
"""Boxes are learned within this share of an object's width and height around its centre."""
_RED, _PARASITE = 0, 3


@dataclass(frozen=True)
class View:
    """What a network sees of a field in training.

    Attributes
    ----------
    red_cell_px : float
        Diameter of a red cell in input pixels.
    side : int
        Of a crop in input pixels.
    """

    red_cell_px: float
    side: int

    @property
    def border_px(self) -> float:
        """Width of `BORDER` in input pixels."""
        return BORDER * self.red_cell_px


DETECTOR_VIEW: Final = View(16.0, 112)
PARASITE_VIEW: Final = View(24.0, 128)


@dataclass(frozen=True)
class Crop:
    """One training example, of s x s input pixels.

    Attributes
    ----------
    density : array of shape (3, s, s), float32
    heat : array of shape (channels, s / STRIDE, s / STRIDE), float32
        1 at an object's centre, falling to 0 beside it.
    weight : array like heat
        Of the loss; 0 where nothing is known.
    box : array of shape (4, s / STRIDE, s / STRIDE), float32
        Distances from the output cell's centre to left, top, right and bottom, in input pixels.
    box_weight : array of shape (s / STRIDE, s / STRIDE), float32
    """

    density: NDArray[np.float32]
    heat: NDArray[np.float32]
    weight: NDArray[np.float32]
    box: NDArray[np.float32]
    box_weight: NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """What is known of each pixel of a crop, arrays of shape (s, s), 0 or 1, float32.

    Attributes
    ----------
    foreground, inside : array
        Stained; in the field.
    at_border : array
        The field's border is near.
    cut_here : array
        So near an edge of the crop, where the field goes on, that only the crop cuts its cells.
    """

    foreground: NDArray[np.float32]
    inside: NDArray[np.float32]
    at_border: NDArray[np.float32]
    cut_here: NDArray[np.float32]


def cut(field: MarkedField, random: np.random.Generator, strength: float = 1.0, view: View = DETECTOR_VIEW) -> Crop:
    """Cut a random crop, often around one of the rarer objects, and change how it was photographed."""
    side = view.side
    scale = view.red_cell_px / GRID_CELLS * np.exp(random.uniform(-SIZE_JITTER, SIZE_JITTER))
    stretch = np.exp(random.uniform(-STRETCH, STRETCH))
    zoom = np.array([scale * stretch, scale / stretch])
    corner = _corner(field, zoom, random, view.side)
    matrix = np.array([[zoom[0], 0, -corner[0] * zoom[0]], [0, zoom[1], -corner[1] * zoom[1]]])
    # OpenCV counts from pixel centres, boxes from outer corners.
    matrix[:, 2] += 0.5 * zoom - 0.5
    density = _warped(field.density, matrix, cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR, side)
    foreground = _warped(field.foreground, matrix, cv2.INTER_NEAREST, side)
    inside = _warped(np.ones(field.foreground.shape, np.bool_), matrix, cv2.INTER_NEAREST, side)
    edges = _edges(field, corner, zoom, view)
    boxes = (field.boxes - np.tile(corner, 2)) * np.tile(zoom, 2)
    turn = int(random.integers(8))
    density = photographed_differently(turned(density, turn), random, strength)
    density[turned(inside, turn) < 0.5] = 0.0
    boxes = turned_boxes(boxes.astype(np.float32), side, side, turn)
    place = Place(turned(foreground, turn), turned(inside, turn), *(turned(edge, turn) for edge in edges))
    heat, weight, box, box_weight = _targets(field, boxes, place)
    return Crop(np.ascontiguousarray(density.transpose(2, 0, 1)), heat, weight, box, box_weight)


def _edges(
    field: MarkedField, corner: NDArray[np.float64], zoom: NDArray[np.float64], view: View
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where the field's border is near, and where the crop alone cuts cells; shape (s, s), 0 or 1."""
    size = np.array(field.density.shape[1::-1])
    side, width = view.side, view.border_px
    places = np.arange(side) + 0.5
    low, high = -corner * zoom, (size - corner) * zoom
    at_border = np.zeros((side, side), np.bool_)
    cut_here = np.zeros((side, side), np.bool_)
    for axis in (0, 1):
        near = (places - low[axis] < width) | (high[axis] - places < width)
        cut = ((low[axis] < 0) & (places < width)) | ((high[axis] > side) & (side - places < width))
        at_border |= near[None, :] if axis == 0 else near[:, None]
        cut_here |= cut[None, :] if axis == 0 else cut[:, None]
    return at_border.astype(np.float32), cut_here.astype(np.float32)


def _corner(
    field: MarkedField, zoom: NDArray[np.float64], random: np.random.Generator, crop: int
) -> NDArray[np.float64]:
    """Choose the crop's first corner in grid cells: anywhere, or so that a rare object is in it."""
    height, width = field.density.shape[:2]
    side = crop / zoom
    rare = np.flatnonzero(((field.channel != _RED) | field.parasitised) & ~field.ignored)
    if len(rare) and random.random() < 0.6:
        box = field.boxes[random.choice(rare)]
        centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2
        corner = centre - side * random.uniform(0.15, 0.85, 2)
    else:
        corner = random.uniform(-0.3, 1.3, 2) * (np.array([width, height]) - side)
    free = np.array([width, height]) - side
    # Smaller fields than the crop lie somewhere in it; larger ones are overstepped by little.
    return np.where(free > 0, np.clip(corner, -OVERSTEP * side, free + OVERSTEP * side), random.uniform(0, 1, 2) * free)


def _warped(
    image: NDArray[np.generic], matrix: NDArray[np.float64], interpolation: int, side: int
) -> NDArray[np.float32]:
    corners = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    low = np.floor(corners @ [-2, -2, 1]).astype(int) - 2
    high = np.ceil(corners @ [side + 1, side + 1, 1]).astype(int) + 3
    x0, y0 = max(0, low[0]), max(0, low[1])
    part = np.ascontiguousarray(image[y0 : max(y0 + 1, high[1]), x0 : max(x0 + 1, high[0])], np.float32)
    if part.size == 0:
        return np.zeros((side, side, *image.shape[2:]), np.float32)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ [x0, y0]
    if interpolation == cv2.INTER_AREA:
        interpolation = cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(part, moved, (side, side), flags=interpolation), np.float32)


def _targets(
    field: MarkedField, boxes: NDArray[np.float32], place: Place
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    side = len(place.foreground)
    size = side // STRIDE
    places = (np.arange(size, dtype=np.float32) + 0.5) * STRIDE
    stained = _coarse(place.foreground, cv2.INTER_AREA) > 0.3
    within = (_coarse(place.inside, cv2.INTER_AREA) > 0.99) & (_coarse(place.cut_here, cv2.INTER_AREA) < 0.5)
    doubt = np.where(_coarse(place.at_border, cv2.INTER_AREA) > 0.5, UNMARKED_AT_BORDER_WEIGHT, UNMARKED_CELL_WEIGHT)
    heat = np.zeros((len(CHANNELS), size, size), np.float32)
    box = np.zeros((4, size, size), np.float32)
    nearest = np.full((size, size), np.inf, np.float32)
    marked = np.zeros((len(CHANNELS), size, size), np.bool_)
    unsure = np.zeros((len(CHANNELS), size, size), np.bool_)
    for index in np.flatnonzero((boxes[:, :2] < side).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)):
        x0, y0, x1, y1 = boxes[index]
        u = (places - (x0 + x1) / 2) / max(x1 - x0, 1.0)
        v = (places - (y0 + y1) / 2) / max(y1 - y0, 1.0)
        distance = u[None, :] ** 2 + v[:, None] ** 2
        covered = distance < 0.25
        channels = [int(field.channel[index])] + [_PARASITE] * bool(field.parasitised[index])
        marked[channels] |= covered
        if not field.has_box[index]:
            covered = distance < 0.36
        centre = np.array([x0 + x1, y0 + y1]) / 2
        if field.ignored[index] or (centre < 0).any() or (centre >= side).any():
            unsure[channels] |= distance < 0.36
            continue
        column, row = np.minimum((centre / STRIDE).astype(int), size - 1)
        for channel in channels:
            spread = np.maximum(0.11 * np.array([x1 - x0, y1 - y0]), 0.75 * STRIDE)
            peak = np.exp(
                -((places - places[column])[None, :] ** 2) / (2 * spread[0] ** 2)
                - (places - places[row])[:, None] ** 2 / (2 * spread[1] ** 2)
            )
            heat[channel] = np.maximum(heat[channel], peak)
        if field.has_box[index]:
            own = (distance < CORE**2) | ((places == places[column])[None, :] & (places == places[row])[:, None])
            own &= distance < nearest
            nearest[own] = distance[own]
            sides = (places[None, :] - x0, places[:, None] - y0, x1 - places[None, :], y1 - places[:, None])
            for which, value in enumerate(sides):
                box[which][own] = np.broadcast_to(value, (size, size))[own]
    weight = _weights(field.knowledge, marked, stained, doubt)
    weight[unsure & (heat < 0.99)] = 0.0
    weight *= within
    return heat, weight, box, np.isfinite(nearest).astype(np.float32) * (box > 0).all(axis=0) * within


def _coarse(image: NDArray[np.float32], interpolation: int) -> NDArray[np.float32]:
    size = len(image) // STRIDE
    return np.asarray(cv2.resize(image, (size, size), interpolation=interpolation), np.float32)


def _weights(
    knowledge: tuple[Knowledge, ...],
    marked: NDArray[np.bool_],
    stained: NDArray[np.bool_],
    doubt: NDArray[np.float64],
) -> NDArray[np.float32]:
    weight = np.zeros(marked.shape, np.float32)
    for channel, known in enumerate(knowledge):
        others = marked[[other for other in range(3) if other != channel]].any(axis=0)
        own = marked[channel]
        weight[channel] = own | others
        if known >= Knowledge.ON_BACKGROUND:
            unmarked_cell = doubt if known == Knowledge.NEARLY_EVERYWHERE else 0.0
            weight[channel] = np.where(own | others | ~stained, 1.0, unmarked_cell)
        if known == Knowledge.EVERYWHERE:
            weight[channel] = 1.0
    return weight
