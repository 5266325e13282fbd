"""What is timed: synthetic smears as JPEG, and real ones where the data sets are at hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import simplejpeg
from skimage.filters import threshold_otsu

RED_CELL = np.array([0.12, 0.32, 0.14])
NUCLEUS = np.array([0.45, 0.75, 0.25])


@dataclass(frozen=True)
class Subject:
    """A JPEG with a name; pixels and the mask of cells (green below Otsu's threshold) are made when asked for."""

    name: str
    jpeg: bytes

    @cached_property
    def pixels(self) -> np.ndarray:
        return simplejpeg.decode_jpeg(self.jpeg)

    @cached_property
    def mask(self) -> np.ndarray:
        green = self.pixels[..., 1]
        return green <= threshold_otsu(green)


def draw_cell(density: np.ndarray, centre: np.ndarray, radius: float, stain: np.ndarray, pallor: float) -> None:
    """Add the optical density of a disc that is thinner in the middle."""
    x, y = centre
    y0, y1 = max(0, int(y - radius) - 1), min(density.shape[0], int(y + radius) + 3)
    x0, x1 = max(0, int(x - radius) - 1), min(density.shape[1], int(x + radius) + 3)
    rows, columns = np.mgrid[y0:y1, x0:x1]
    distance = np.hypot(columns - x, rows - y) / radius
    thickness = np.clip((1 - distance) * radius / 1.5, 0, 1) * (1 - pallor * np.exp(-((distance / 0.4) ** 2)))
    density[y0:y1, x0:x1] += thickness[..., None] * stain


def synthetic(width: int, height: int, radius: float, seed: int = 0) -> Subject:
    """A monolayer of red cells, a white cell in a hundred, uneven light, sensor noise, JPEG at quality 90."""
    random = np.random.default_rng(seed)
    density = np.zeros((height, width, 3))
    cells = int(0.55 * width * height / (np.pi * radius**2))
    for _ in range(cells):
        size = radius * random.normal(1, 0.06)
        draw_cell(density, random.uniform((0, 0), (width, height)), size, RED_CELL, random.uniform(0.1, 0.5))
    for _ in range(max(1, cells // 100)):
        draw_cell(density, random.uniform((0, 0), (width, height)), 1.5 * radius, NUCLEUS, 0.0)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = np.array([232, 226, 238]) * (1 - 0.08 * (rows**2 + columns**2))[..., None]
    noisy = light * 10**-density + random.normal(0, 2.0, density.shape)
    pixels = np.ascontiguousarray(np.rint(noisy).clip(0, 255), np.uint8)
    return Subject(f"synthetic {width}x{height}", simplejpeg.encode_jpeg(pixels, quality=90, colorsubsampling="420"))


def real() -> list[Subject]:
    """One field of the bccd set, if the folder that HEMATO_LAB_DATASETS names is there."""
    folder = os.environ.get("HEMATO_LAB_DATASETS")
    files = sorted((Path(folder) / "bccd").rglob("*.jp*g")) if folder else []
    return [Subject(f"bccd {path.stem[:16]}", path.read_bytes()) for path in files[:1]]


def subjects() -> list[Subject]:
    return [synthetic(640, 480, 40), synthetic(1920, 1440, 40), *real()]
