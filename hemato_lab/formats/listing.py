"""Which files of a folder, list or archive are the images of a smear, in which order."""

from __future__ import annotations

import os
import re
import stat
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError, UnreadableInputError
from hemato_lab.formats.failures import cannot_open
from hemato_lab.formats.sniffing import is_image_name

if TYPE_CHECKING:
    from collections.abc import Sequence

IMAGES_FOLDER: Final = "images"
ANNOTATIONS_FILE: Final = "annotations.json"
_MOST_LOOKED_AT: Final = 500
"""Entries of a folder without images in which some are sought to name in a hint."""
_DIGITS: Final = re.compile(r"([0-9]+)")


def natural_order(name: str) -> tuple[list[tuple[int, int | str]], str]:
    """Return a sort key that puts ``img2`` before ``img10``; upper and lower case count alike."""
    parts = _DIGITS.split(name.casefold())
    return [(0, int(part)) if part.isdecimal() and part.isascii() else (1, part) for part in parts if part], name


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder that can be looked at; circular links and forbidden paths are not."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def images_in_folder(folder: Path, label: str) -> list[tuple[Path, str]]:
    """Return (path, name below the folder) of the images of a folder in natural order.

    They are those directly in it; of an annotated data set (``images/`` beside ``annotations.json``), and of a folder
    without images of its own, those directly in its ``images/``. Folders below are not searched, so links that form a
    circle do no harm.

    Raises
    ------
    UnreadableInputError
        If the folder may not be listed.
    """
    below = folder / IMAGES_FOLDER
    is_data_set = is_folder(below) and os.access(folder / ANNOTATIONS_FILE, os.F_OK)
    own = [] if is_data_set else _images_directly_in(folder, label)
    if own or not is_folder(below):
        return [(folder / name, name) for name in own]
    return [(below / name, f"{IMAGES_FOLDER}/{name}") for name in _images_directly_in(below, label)]


def folders_with_images(folder: Path, most: int) -> list[Path]:
    """Return the first folders directly in one that hold images, in natural order; what may not be listed is left out.

    Raises
    ------
    UnreadableInputError
        If the folder itself may not be listed.
    """
    try:
        names = sorted((one.name for one in islice(folder.iterdir(), _MOST_LOOKED_AT)), key=natural_order)
    except OSError as error:
        raise cannot_open(str(folder), error) from error
    candidates = (folder / name for name in names if not name.startswith("."))
    return list(islice((one for one in candidates if is_folder(one) and _offers_images(one)), most))


def _offers_images(folder: Path) -> bool:
    try:
        return bool(images_in_folder(folder, str(folder)))
    except UnreadableInputError:
        return False


def _images_directly_in(folder: Path, label: str) -> list[str]:
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError as error:
        raise cannot_open(label, error) from error
    images = (name for name in names if is_image_name(name) and not is_folder(folder / name))
    return sorted(images, key=natural_order)


def listed_files(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[Path, str]]:
    """Return (path, name) of a list of files in natural order of their names.

    A name is the file's own, or its path below the common folder when two files have the same name.

    Raises
    ------
    ConfigError
        If something in the list is no path or a folder, or the same path is listed twice.
    """
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise ConfigError(f"a list of files holds a {type(path).__name__}", hint="give paths, or arrays alone")
        if is_folder(Path(path)):
            raise ConfigError(
                "is a folder among several paths; a folder must come alone",
                subject=os.fspath(path),
                hint="analyse each folder by itself, or list the images",
            )
    absolute = [Path(path).absolute() for path in paths]
    if len(set(absolute)) < len(absolute):
        twice = next(path for path in absolute if absolute.count(path) > 1)
        raise ConfigError("is listed twice and would be counted twice", subject=twice.name, hint="list each file once")
    names = [path.name for path in absolute]
    if len(set(names)) < len(names):
        common = os.path.commonpath([path.parent for path in absolute])
        names = [PurePath(os.path.relpath(path, common)).as_posix() for path in absolute]
    return sorted(zip(absolute, names, strict=True), key=lambda pair: natural_order(pair[1]))
