"""Where results are written: folders that are made, may be written to, and are not those that are analysed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

RESULTS_FOLDER: Final = Path("hemato_lab_out")
"""Below it each smear has a folder of its own."""
RESULT_FILES: Final = {
    "report.json": "json",
    "cells.csv": "csv",
    "picture.png": "png",
    "heatmap.png": "heatmap",
    "report.html": "html",
    "report.txt": "txt",
}
"""Name of each file of results and the export format that it has."""
NOTICE_FILE: Final = "NOTICE.txt"
_ANOTHER: Final = "choose another folder with --out"
_IMAGES_FOLDER: Final = "images"
_LONGEST_NAME: Final = 60
"""Characters: short enough for every file system when each takes four bytes."""


def named_path(text: str, option: str) -> Path:
    """Return the path that an option names.

    Raises
    ------
    ConfigError
        If it names none, as an unset variable of a shell does.
    """
    if not text.strip():
        raise ConfigError("the name is empty", subject=option, hint="name a folder or file, . for the current folder")
    return Path(text)


def folder_name(smear_name: str) -> str:
    """Return the name of a smear without signs that mean something to a file system or shell."""
    return re.sub(r"[^\w.-]+", "_", smear_name)[:_LONGEST_NAME].strip("._-") or "smear"


def results_folder(folder: Path, sources: Iterable[str | os.PathLike[str]]) -> Path:
    """Make a folder for the results of some sources, and make sure that they can be written there.

    Raises
    ------
    ConfigError
        If it cannot be made or written to, or if results there would be taken for images, or replace one.
    """
    for source in sources:
        _refuse_source(folder, Path(source))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot be made: {reason}", subject=str(folder), hint=_ANOTHER) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError("may not be written to", subject=str(folder), hint=_ANOTHER)
    for path in (folder / name for name in (*RESULT_FILES, NOTICE_FILE)):
        if path.is_dir():
            raise ConfigError("is a folder where a file must go", subject=str(path), hint=_ANOTHER)
        if path.exists() and not os.access(path, os.W_OK):
            raise ConfigError("may not be written to", subject=str(path), hint=_ANOTHER)
    return folder


def _refuse_source(folder: Path, source: Path) -> None:
    if any(_same(folder, images) for images in (source, source / _IMAGES_FOLDER)):
        raise ConfigError(
            "is the folder that is analysed; its pictures of results would be taken for fields the next time",
            subject=str(folder),
            hint=_ANOTHER,
        )
    if any(_same(folder / name, source) for name in RESULT_FILES):
        raise ConfigError(
            f"holds {source.name}, which is analysed and would be replaced", subject=str(folder), hint=_ANOTHER
        )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False
