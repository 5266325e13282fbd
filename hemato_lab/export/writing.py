"""Choosing the format and writing the file, whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError
from hemato_lab.export import csv, heatmap, html, json, png, text

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis

EXPORTERS: Final = {
    "json": json.render,
    "html": html.render,
    "png": png.render,
    "csv": csv.render,
    "txt": text.render,
    "heatmap": heatmap.render,
}
"""By format name, for all but the heat map also the file's suffix: from an analysis to the bytes of the file."""


def render(analysis: Analysis, file_format: str) -> bytes:
    """Return the bytes of an analysis in one of `EXPORTERS`.

    Raises
    ------
    ConfigError
        If the format is not known.
    """
    if file_format not in EXPORTERS:
        raise ConfigError(f"unknown export format {file_format!r}", hint="use one of " + ", ".join(EXPORTERS))
    return EXPORTERS[file_format](analysis)


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
        If the format is not known or the file cannot be written.
    """
    target = Path(path)
    content = render(analysis, target.suffix.lower().lstrip(".") if file_format is None else file_format)
    return write_whole(target, content)


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
