"""The bytes of a smear's files: registered once by their hash, and known again later."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from hemato_lab.errors import InputError, IntegrityError, NoImagesError
from hemato_lab.formats.failures import cannot_open
from hemato_lab.formats.listing import is_folder
from hemato_lab.formats.stored import StoredFile, file_id_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.batch.entries import SmearEntry

_TICK_NS: Final = 50_000_000
"""File systems note times of change in steps of up to 10 ms."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file as it was when its smear was registered.

    Attributes
    ----------
    name : str
        Its path below the folder that the smear's files share.
    file_id : str
        ``sha224-i-`` and the SHA-224 of its bytes.
    signature : tuple of int
        Length, inode and times of change, by which it is known again without reading it; empty when the last change
        was so recent that a further one would look the same.
    """

    name: str
    file_id: str
    signature: tuple[int, ...]

    def to_list(self) -> list[Any]:
        """Return it as a JSON array."""
        return [self.name, self.file_id, list(self.signature)]

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> Self:
        """Return what `to_list` wrote."""
        return cls(values[0], values[1], tuple(values[2]))


def register(entry: SmearEntry) -> tuple[InputFile, ...]:
    """Hash the files of a smear as they are now.

    Raises
    ------
    UnreadableInputError
        If one is missing, no regular file, or cannot be read. An empty file is registered like any other.
    NoImagesError
        If a folder stands where images should be.
    """
    return tuple(_register(path, name) for path, name in zip(entry.paths, input_names(entry.paths), strict=True))


def input_names(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the names of files below the folder that they share: they stay when the whole folder is moved."""
    common = os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120
    return tuple(Path(os.path.relpath(path, common)).as_posix() for path in paths)


def first_changed(entry: SmearEntry, registered: Sequence[InputFile]) -> str:
    """Return the path of the first file of a smear that no longer holds what was registered, or cannot be read.

    Files are read only where the operating system does not report the same as then. Empty when none changed, or
    nothing was registered.
    """
    pairs = zip(entry.paths, registered, strict=False)
    return next((path for path, one in pairs if not _is_the_same(path, one)), "")


def _is_the_same(path: str, registered: InputFile) -> bool:
    try:
        return _signature(path) == registered.signature or file_id(path) == registered.file_id
    except InputError:
        return False


def refuse_changed(entry: SmearEntry, file_ids: Sequence[str]) -> tuple[InputFile, ...]:
    """Hash the files of a smear, refuse bytes that are not those of the ids, and return the files as they are now.

    Raises
    ------
    IntegrityError
        If there are others.
    UnreadableInputError
        If one is missing or cannot be read.
    """
    found = register(entry)
    for path, one, expected in zip(entry.paths, found, file_ids, strict=True):
        if one.file_id != expected:
            raise changed_bytes(path)
    return found


def changed_bytes(path: str) -> IntegrityError:
    """Return the error of a file that was written to after it was registered."""
    problem = "its bytes are no longer those that were registered"
    return IntegrityError(problem, subject=path, hint="restore the file, or retry when nothing writes to it")


def file_id(path: str) -> str:
    """Hash a file; an empty one has an id too, because whoever opens the smear decides what to make of it.

    Raises
    ------
    UnreadableInputError
        If it is missing, no regular file, or cannot be read.
    NoImagesError
        If it is a folder.
    """
    if is_folder(Path(path)):
        raise NoImagesError("the folder holds no image", subject=path, hint="list images, a slide or an archive")
    status = _status(path)
    is_empty = stat.S_ISREG(status.st_mode) and status.st_size == 0
    return file_id_of(b"") if is_empty else StoredFile(path, path).file_id()


def _register(path: str, name: str) -> InputFile:
    before, now_ns = _signature(path), time.time_ns()
    found = file_id(path)
    # Bytes that are written while they are hashed leave another signature, and are hashed again when it matters.
    settled = before == _signature(path) and abs(now_ns - before[-1]) > _TICK_NS
    return InputFile(name, found, before if settled else ())


def _signature(path: str) -> tuple[int, ...]:
    status = _status(path)
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _status(path: str) -> os.stat_result:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        raise cannot_open(path, error) from error
    except ValueError as error:
        raise NoImagesError(f"is not a possible path: {error}", subject=ascii(path), hint="check the path") from error
    return status
