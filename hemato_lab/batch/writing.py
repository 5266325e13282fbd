"""Files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import BatchError, StorageFullError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LEAST_ROOM: Final = 1 << 16
FULL_HINT: Final = "make room and run the same command again: it goes on where it stopped"


def write_file(path: Path, content: bytes) -> None:
    """Write one file: under another name, forced to the disk, then renamed, and the folder forced.

    Parameters
    ----------
    path : Path
        Where; its folder is made when it is missing.
    content : bytes
        All of it.

    Raises
    ------
    StorageFullError
        If there is no room; an earlier file of that name is untouched.
    BatchError
        If it cannot be written for another reason.
    """
    write_files(path.parent, {path.name: content})


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write several files of a folder, each as `write_file` does; the folder is forced once.

    Raises
    ------
    StorageFullError, BatchError
        As `write_file`; files that came before the one that failed may be written.
    """
    with storage_errors(folder):
        made = _make_folder(folder)
        for name, content in files.items():
            _replace(folder / name, content)
        if files:
            _force_folder(folder)
        for parent in made:
            _force_folder(parent)


def make_folder(folder: Path) -> None:
    """Make a folder with its parents, and have their entries on the disk.

    Raises
    ------
    StorageFullError, BatchError
        As `write_file`.
    """
    with storage_errors(folder):
        for parent in _make_folder(folder):
            _force_folder(parent)


def append_private(path: Path, text: str) -> None:
    """Add to a text file, which is made for its owner alone.

    Raises
    ------
    OSError
        If that is not possible.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8", errors="replace") as stream:
        stream.write(text)


def unfinished(path: Path) -> Path:
    """Return the name under which a file is written before it is whole: one, so that a later try replaces it."""
    return path.with_name(f".{path.name}.part")


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove files, and what a killed run left of them; a folder that is empty then goes too. All is forced.

    Raises
    ------
    BatchError
        If one cannot be removed.
    """
    with storage_errors(folder):
        places = [place for name in names for place in (folder / name, unfinished(folder / name))]
        if sum(map(_remove, places)):
            _force_folder(folder)
        with suppress(OSError):
            folder.rmdir()
            _force_folder(folder.parent)


def is_full(folder: Path) -> bool:
    """Tell whether a folder's disk has no room for even the small files that a database keeps beside it."""
    try:
        return shutil.disk_usage(folder).free < _LEAST_ROOM
    except OSError:
        return False


@contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Turn what the operating system says of a place into typed errors."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFullError("there is no room left", subject=str(place), hint=FULL_HINT) from error
        problem = f"cannot be written: {error.strerror or error}"
        raise BatchError(problem, subject=str(place), hint="check the disk, or choose another folder") from error


def _remove(place: Path) -> bool:
    """Remove a file; tell whether there was one."""
    try:
        place.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder with its parents; return the folders that got a new entry, the innermost first."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
    return [one.parent for one in missing]


def _replace(target: Path, content: bytes) -> None:
    part = unfinished(target)
    try:
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _force_folder(folder: Path) -> None:
    if os.name == "nt":  # where a folder cannot be opened, and renames are forced by themselves
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
