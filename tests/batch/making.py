"""Smears for batches: synthetic fields, files that stand for some, and what a results folder holds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import PIL.Image

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.phantom import RECIPES, render_field

if TYPE_CHECKING:
    from pathlib import Path

_STEP = 24


def phantom_entries(folder: Path, count: int, size: tuple[int, int] = (160, 120)) -> list[SmearEntry]:
    """Write fields of a synthetic smear, each another cut of one film, and return a smear of each."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size
    columns = math.ceil(math.sqrt(count))
    pixels, _ = render_field(RECIPES["normal"], 7, width + _STEP * columns, height + _STEP * columns)
    entries = []
    for number in range(count):
        row, column = divmod(number, columns)
        x, y = _STEP * column, _STEP * row
        path = folder / f"field{number:05}.png"
        PIL.Image.fromarray(pixels[y : y + height, x : x + width]).save(path)
        entries.append(SmearEntry(f"smear {number:05}", (str(path),), um_per_px=RECIPES["normal"].um_per_px))
    return entries


def plain_entries(folder: Path, count: int) -> list[SmearEntry]:
    """Write small files that are no images, and return a smear of each: for work that looks at bytes alone."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for number in range(count):
        path = folder / f"file{number:05}.bin"
        path.write_bytes(f"content {number}\n".encode() * 50)
        entries.append(SmearEntry(f"smear {number:05}", (str(path),)))
    return entries


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones too, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
