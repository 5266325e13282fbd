"""What other microscopes, stains and cameras do to a picture, done to optical densities.

Every function takes and returns densities of shape (height, width, 3), float32, and draws from the given generator
only, so that a seed and a step number fix every crop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Densities = NDArray[np.float32]

WHITE: Final = 235.0
"""Stored value of the background when densities are taken back to a picture."""
_SRGB_EXPONENT: Final = 2.2


def photographed_differently(density: Densities, random: np.random.Generator, strength: float = 1.0) -> Densities:
    """Return the same cells in another stain, light, focus and camera.

    Parameters
    ----------
    density : array of shape (height, width, 3)
    random : numpy.random.Generator
    strength : float
        1 is as strong as the differences between laboratories; 0 changes nothing.
    """
    changed = _stained(density, random, strength)
    changed = _lit(changed, random, strength)
    changed = _focused(changed, random, strength)
    if random.random() < 0.5:
        grain = random.uniform(0, 0.05 * strength)
        changed = changed + random.normal(0, 1, changed.shape).astype(np.float32) * np.float32(grain)
    if random.random() < 0.35:
        changed = _compressed(changed, random)
    return np.ascontiguousarray(changed, np.float32)


def _stained(density: Densities, random: np.random.Generator, strength: float) -> Densities:
    """Other dyes, thickness and sensor filters: gains, a gamma, and channels that leak into each other."""
    gain = np.exp(random.normal(0, 0.25 * strength) + random.normal(0, 0.15 * strength, 3))
    leak = np.eye(3) + random.normal(0, 0.07 * strength, (3, 3))
    if random.random() < 0.1 * strength:
        grey = np.full((3, 3), 1 / 3)
        leak = leak + random.uniform(0, 0.8) * (grey - leak)
    mixed = density @ (leak * gain).astype(np.float32)
    exponent = np.exp(random.normal(0, 0.12 * strength))
    return np.asarray(np.sign(mixed) * np.abs(mixed) ** np.float32(exponent), np.float32)


def _lit(density: Densities, random: np.random.Generator, strength: float) -> Densities:
    """Return densities against a background that was estimated a little wrong, and otherwise at the other side."""
    height, width = density.shape[:2]
    level = random.normal(0, 0.02 * strength) + random.normal(0, 0.012 * strength, 3)
    slope = random.normal(0, 0.02 * strength, 2)
    plane = slope[0] * np.linspace(-1, 1, width)[None, :] + slope[1] * np.linspace(-1, 1, height)[:, None]
    return np.asarray(density + (plane[..., None] + level).astype(np.float32), np.float32)


def _focused(density: Densities, random: np.random.Generator, strength: float) -> Densities:
    """Out of focus, or sharpened by the camera."""
    chance = random.random()
    if chance < 0.45:
        return np.asarray(cv2.GaussianBlur(density, (0, 0), random.uniform(0.2, 0.2 + 1.1 * strength)), np.float32)
    if chance < 0.65:
        blurred = cv2.GaussianBlur(density, (0, 0), 1.0)
        return np.asarray(density + np.float32(random.uniform(0, 0.9 * strength)) * (density - blurred), np.float32)
    return density


def _compressed(density: Densities, random: np.random.Generator) -> Densities:
    """To stored values, through JPEG, and back."""
    light = 10.0 ** -np.clip(density, -0.1, 3.0)
    stored = np.clip(WHITE * light ** (1 / _SRGB_EXPONENT), 1, 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 92))])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR).astype(np.float32)
    return np.asarray(-np.log10(np.maximum(decoded, 1) / WHITE) * _SRGB_EXPONENT, np.float32)


def turned(density: Densities, turn: int) -> Densities:
    """Return one of the eight images that quarter turns and a mirror make; 0 is the image itself."""
    rotated = np.rot90(density, turn % 4)
    return np.ascontiguousarray(rotated[:, ::-1] if turn >= 4 else rotated)


def turned_boxes(boxes: NDArray[np.float32], width: float, height: float, turn: int) -> NDArray[np.float32]:
    """Return boxes after `turned` was applied to an image of the given size before the turn."""
    turned_so_far = boxes.copy()
    for _ in range(turn % 4):
        x0, y0, x1, y1 = turned_so_far.T
        turned_so_far = np.stack([y0, width - x1, y1, width - x0], axis=1)
        width, height = height, width
    if turn >= 4:
        x0, y0, x1, y1 = turned_so_far.T
        turned_so_far = np.stack([width - x1, y0, width - x0, y1], axis=1)
    return turned_so_far
