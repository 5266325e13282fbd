"""Write a synthetic slide of any size as a pyramidal TIFF, its truth beside it, in little memory."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zipfile import BadZipFile

import numpy as np

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError, UnreadableInputError
from hemato_lab.phantom.dataset import NOTICE, encode_jpeg
from hemato_lab.phantom.pyramid import PyramidWriter
from hemato_lab.phantom.render import Scene
from hemato_lab.phantom.truth import truth_table
from hemato_lab.smear import RGB, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from hemato_lab.phantom.layout import Placed
    from hemato_lab.phantom.recipe import Recipe

CHUNK_PX: Final = 1024
"""Side of the windows that are rendered one after the other; the pixels do not depend on it."""
_CHUNK_ROWS: Final = 4
"""Rows of chunks whose cells are placed together: placing costs a halo around each group."""
_SUBSAMPLING: Final = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}


def write_slide(
    path: str | PathLike[str],
    recipe: Recipe,
    seed: int,
    width: int,
    height: int,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Path, Path]:
    """Write a slide as BigTIFF (JPEG tiles of 512 px, halved levels, resolution tags) and its truth as ``.truth.npz``.

    Scanners correct the lamp's fall-off, so the slide has none. Memory grows with the width only. Whatever stops the
    writing, an interrupt too, leaves no unfinished file behind.

    Parameters
    ----------
    path : path
        Of the TIFF; the truth's name is the same with ``.truth.npz`` for the suffix.
    progress : callable, optional
        Called as ``progress(done, total)`` in pixels after each window.

    Returns
    -------
    tuple of Path
        Slide and truth.

    Raises
    ------
    ConfigError
        If the file cannot be written or the numbers make no sense.
    """
    slide = Path(path)
    even = replace(recipe, illumination=replace(recipe.illumination, falloff=0.0))
    scene = Scene(even, seed, width, height)
    partial = slide.with_name(slide.name + ".part")
    try:
        slide.parent.mkdir(parents=True, exist_ok=True)
        with (
            partial.open("wb") as stream,
            PyramidWriter(
                stream,
                width,
                height,
                lambda tile: encode_jpeg(tile, even.camera),
                subsampling=_SUBSAMPLING[even.camera.chroma_subsampling],
                um_per_px=even.um_per_px,
                description=f"hemato_lab phantom, recipe {even.name}, seed {seed}. {NOTICE}",
            ) as writer,
        ):
            truth = _stream(scene, writer, progress)
        truth_path = write_truth(slide.with_suffix(".truth.npz"), truth)
        return partial.replace(slide), truth_path
    except OSError as error:
        raise ConfigError(
            f"cannot write the slide: {error.strerror}",
            subject=str(slide),
            hint="choose a folder that you may write to, with room enough",
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_truth(path: Path, truth: Detections) -> Path:
    """Write a table of cells as compressed arrays, one a column; numbers in 32 bit but for x and y."""
    columns = {name: truth[name] for name in truth}
    small = {
        name: column.astype(np.float32) if column.dtype == np.float64 and name not in ("x", "y") else column
        for name, column in columns.items()
    }
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **small)
        return partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_truth(path: str | PathLike[str]) -> Detections:
    """Read a table of cells that `write_truth` wrote.

    Raises
    ------
    UnreadableInputError
        If the file is missing or no such table.
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as columns:
            return Detections({name: np.array(columns[name]) for name in columns.files})
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, ConfigError) as error:
        raise UnreadableInputError(
            "is no table of cells", subject=str(path), hint="give the .truth.npz file beside a synthetic slide"
        ) from error


def _stream(scene: Scene, writer: PyramidWriter, progress: Callable[[int, int], None] | None) -> Detections:
    parts: list[Detections] = []
    done = 0
    for band, placed in _bands(scene):
        row: list[RGB] = []
        for x in range(0, scene.width, CHUNK_PX):
            window = Window(x, band.y0, min(x + CHUNK_PX, scene.width), band.y1)
            cells = scene.draw(scene.near(placed, window))
            row.append(scene.photograph(cells, window))
            parts.append(truth_table(cells, window, scene.recipe.um_per_px))
            done += window.area
            if progress is not None:
                progress(done, scene.window.area)
        writer.write(np.concatenate(row, axis=1))
    return Detections.concatenate(parts).sorted()


def _bands(scene: Scene) -> Iterator[tuple[Window, Placed]]:
    """Yield rows of windows from top to bottom, each with all cells that can matter to it."""
    step = CHUNK_PX * _CHUNK_ROWS
    for top in range(0, scene.height, step):
        bottom = min(top + step, scene.height)
        placed = scene.place(Window(0, top, scene.width, bottom))
        for y in range(top, bottom, CHUNK_PX):
            yield Window(0, y, scene.width, min(y + CHUNK_PX, bottom)), placed
