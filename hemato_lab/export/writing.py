"""Choosing the format and writing the file, whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError
from hemato_lab.export import (
    coco,
    csv,
    dicom,
    fhir,
    geojson,
    heatmap,
    html,
    json,
    parquet,
    pdf,
    pictures,
    png,
    text,
    voc,
    yolo,
)

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis

EXPORTERS: Final = {
    "json": json.render,
    "html": html.render,
    "pdf": pdf.render,
    "png": png.render,
    "pictures": pictures.render,
    "csv": csv.render,
    "parquet": parquet.render,
    "txt": text.render,
    "heatmap": heatmap.render,
    "geojson": geojson.render,
    "coco": coco.render,
    "yolo": yolo.render,
    "voc": voc.render,
    "fhir": fhir.render,
    "dicom": dicom.render,
}
"""By format name: from an analysis to the bytes of the file."""

WITH_IMAGES: Final = {"coco": coco.render, "yolo": yolo.render, "voc": voc.render}
"""Those of `EXPORTERS` that put the images of the fields into an archive when they are asked to."""

_OTHER_SUFFIXES: Final = {
    "heatmap": "png",
    "pictures": "zip",
    "coco": "json",
    "yolo": "zip",
    "voc": "zip",
    "fhir": "json",
    "dicom": "zip",
}
"""Of formats whose name is not the file's suffix."""


def render(analysis: Analysis, file_format: str, *, include_images: bool = False) -> bytes:
    """Return the bytes of an analysis in one of `EXPORTERS`.

    Parameters
    ----------
    analysis : Analysis
        What to write.
    file_format : str
        One of `EXPORTERS`.
    include_images : bool
        Whether the images of the fields go along, into an archive; the formats of `WITH_IMAGES` can do that.

    Raises
    ------
    ConfigError
        If the format is not known or takes no images, or the analysis lacks what it needs.
    MissingDependencyError
        If the format needs an optional package that is not installed.
    InputError
        If pixels can no longer be read.
    """
    if file_format not in EXPORTERS:
        raise ConfigError(f"unknown export format {file_format!r}", hint="use one of " + ", ".join(EXPORTERS))
    if not include_images:
        return EXPORTERS[file_format](analysis)
    if file_format not in WITH_IMAGES:
        raise ConfigError(f"the format {file_format} takes no images", hint="use one of " + ", ".join(WITH_IMAGES))
    return WITH_IMAGES[file_format](analysis, include_images=True)


def suffix_of(analysis: Analysis, file_format: str, *, include_images: bool = False) -> str:
    """Return how the name of a file of `render` ends, without the dot: ``zip`` where it is an archive."""
    archived = include_images or (file_format == "geojson" and len(analysis.smear) > 1)
    return "zip" if archived else _OTHER_SUFFIXES.get(file_format, file_format)


def write(analysis: Analysis, path: str | os.PathLike[str], file_format: str | None = None) -> Path:
    """Write an analysis to a file, replacing one that exists only when the new one is complete.

    Parameters
    ----------
    analysis : Analysis
        What to write; an empty one is written too.
    path : path-like
        Where to; its folder must exist.
    file_format : str, optional
        One of `EXPORTERS`; default the suffix of the path.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ConfigError
        If the format is not known, the file cannot be written, or an archive would get the name of a single file.
    """
    target = Path(path)
    ending = target.suffix.lower().lstrip(".")
    chosen = ending if file_format is None else file_format
    if ending == "geojson" and chosen in EXPORTERS and suffix_of(analysis, chosen) == "zip":
        raise ConfigError(
            f"{len(analysis.smear)} fields make an archive with a file each, not one file",
            subject=str(target),
            hint="name a .zip file and the format geojson",
        )
    return write_whole(target, render(analysis, chosen))


def write_whole(target: Path, content: bytes) -> Path:
    """Write bytes to a file, replacing one that exists only when the new one is complete.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    try:
        _replace(target, content)
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", subject=str(target), hint="choose a folder that exists and is yours"
        ) from error
    return target


def _replace(target: Path, content: bytes) -> None:
    unfinished = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with unfinished.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
