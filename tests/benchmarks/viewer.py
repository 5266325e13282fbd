"""The kernel's side of the viewer: ``python -m tests.benchmarks.viewer``; exit status 1 when a goal is missed.

Opens a pyramid of 40,000 x 40,000 pixels and photographs of 12 and 50 megapixels, shows each for the first time, zooms
in by 12 steps, and counts time and bytes. The browser's side is timed by ``python -m tests.benchmarks.browser``.
"""

from __future__ import annotations

import math
import resource
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg

import hemato_lab as hl
from hemato_lab.formats.caching import TILES, WHOLE_IMAGES
from hemato_lab.formats.deep_zoom import REDUCED, TILE_SIDE, DeepZoom
from hemato_lab.phantom.pyramid import PyramidWriter
from hemato_lab.phantom.recipes import RECIPES
from hemato_lab.phantom.render import render_field

if TYPE_CHECKING:
    from hemato_lab.smear import RGB, Smear
    from hemato_lab.widgets.smear_viewer import SmearViewer

VIEW = (960, 600)
"""The viewer on a laptop, in pixels of the screen."""
STEPS = 12
FIRST_VIEW_S = 1.0
ZOOMING_BYTES = 1_000_000
TILES_A_MESSAGE = 12


def rendered_patch(side: int = 2048) -> RGB:
    """A piece of a synthetic film, whose borders do not meet when it is repeated."""
    pixels, _ = render_field(RECIPES["normal"], 8, side, side)
    return pixels


def write_repeated(path: Path, patch: RGB, side: int) -> Path:
    """Write a pyramid of `side` x `side` pixels, filled with one patch; equal tiles are compressed once."""
    known: dict[int, bytes] = {}

    def encode(tile: RGB) -> bytes:
        key = zlib.crc32(tile)
        if key not in known:
            known[key] = simplejpeg.encode_jpeg(tile, quality=85, colorspace="RGB", colorsubsampling="420")
        return known[key]

    across = -(-side // patch.shape[1])
    with (
        path.open("w+b") as stream,
        PyramidWriter(
            stream, side, side, encode, subsampling=(2, 2), um_per_px=0.15, description="repeated patch"
        ) as writer,
    ):
        for top in range(0, side, patch.shape[0]):
            rows = np.tile(patch[: side - top], (1, across, 1))[:, :side]
            for start in range(0, len(rows), 256):
                writer.write(rows[start : start + 256])
    return path


def tiles_in_view(size: tuple[int, int], zoom: float, levels: int) -> list[tuple[int, int, int, int]]:
    """The tiles of field 0 that a view on its middle needs: of the level whose pixels are nearest to the screen's."""
    level = min(levels - 1, max(0, round(-math.log2(zoom))))
    side = TILE_SIDE * 2**level
    keys = []
    spans = []
    for whole, shown in zip(size, VIEW, strict=True):
        low, high = whole / 2 - shown / zoom / 2, whole / 2 + shown / zoom / 2
        spans.append(range(max(0, int(low // side)), int(min(whole - 1, high) // side) + 1))
    keys += [(0, level, column, row) for row in spans[1] for column in spans[0]]
    return keys


def ask(viewer: SmearViewer, keys: list[tuple[int, int, int, int]]) -> int:
    """Ask for tiles as the browser does and return the bytes of the answers."""
    spent = 0
    for start in range(0, len(keys), TILES_A_MESSAGE):
        request = {"kind": "tiles", "request": "1", "wanted": keys[start : start + TILES_A_MESSAGE]}
        answer = viewer.answer(request)
        assert answer.content["failed"] == []
        spent += sum(map(len, answer.buffers))
    return spent


@dataclass(frozen=True)
class Row:
    subject: str
    open_s: float
    first_view_s: float
    first_view_bytes: int
    zooming_bytes: int
    slowest_step_s: float
    memory_mb: float


def measure(subject: str, path: Path) -> Row:
    from hemato_lab.widgets.smear_viewer import SmearViewer

    for cache in (TILES, WHOLE_IMAGES, REDUCED):
        cache.clear()
    started = time.perf_counter()
    smear: Smear = hl.open_smear(path)
    opened = time.perf_counter()
    viewer = SmearViewer(smear)
    viewer.answer({"kind": "hello", "request": "0"})
    size = (smear.fields[0].width, smear.fields[0].height)
    levels = len(DeepZoom(smear.fields[0]).levels)
    fit = min(VIEW[0] / size[0], VIEW[1] / size[1])
    seen = tiles_in_view(size, fit, levels)
    first_bytes = ask(viewer, seen)
    shown = time.perf_counter()
    known, spent, slowest = set(seen), 0, 0.0
    # Twelve steps lead from the whole picture to its pixels.
    factor = max(1.25, (1 / fit) ** (1 / STEPS))
    for step in range(1, STEPS + 1):
        wanted = [key for key in tiles_in_view(size, min(1.0, fit * factor**step), levels) if key not in known]
        before = time.perf_counter()
        spent += ask(viewer, wanted)
        slowest = max(slowest, time.perf_counter() - before)
        known.update(wanted)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Row(subject, opened - started, shown - opened, first_bytes, spent, slowest, memory)


def photograph(path: Path, patch: RGB, width: int, height: int) -> Path:
    across, down = -(-width // patch.shape[1]), -(-height // patch.shape[0])
    pixels = np.ascontiguousarray(np.tile(patch, (down, across, 1))[:height, :width])
    path.write_bytes(simplejpeg.encode_jpeg(pixels, quality=92, colorspace="RGB", colorsubsampling="420"))
    return path


def main() -> int:
    patch = rendered_patch()
    with tempfile.TemporaryDirectory() as folder:
        made = {
            "pyramid 40,000 x 40,000": write_repeated(Path(folder) / "pyramid.tif", patch, 40_000),
            "JPEG of 12 megapixels": photograph(Path(folder) / "12.jpg", patch, 4032, 3024),
            "JPEG of 50 megapixels": photograph(Path(folder) / "50.jpg", patch, 8192, 6144),
        }
        rows = [measure(subject, path) for subject, path in made.items()]
    print(f"{'subject':<26}{'open s':>8}{'first view s':>14}{'its kB':>8}{'12 steps kB':>13}{'slowest s':>11}{'MB':>7}")
    for row in rows:
        print(
            f"{row.subject:<26}{row.open_s:8.2f}{row.first_view_s:14.3f}{row.first_view_bytes / 1000:8.0f}"
            f"{row.zooming_bytes / 1000:13.0f}{row.slowest_step_s:11.3f}{row.memory_mb:7.0f}"
        )
    met = all(row.first_view_s < FIRST_VIEW_S and row.zooming_bytes < ZOOMING_BYTES for row in rows)
    print("met" if met else "MISSED", f"first view < {FIRST_VIEW_S:g} s, 12 steps < {ZOOMING_BYTES // 1000} kB")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
