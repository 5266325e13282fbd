"""Files by the hash of their content: written once, never changed, durable before anyone is told (RELIABILITY.md).

A file is written under a temporary name while it is hashed, forced to disk, renamed to its id, and the folder forced to
disk. The same content from any number of requests is one file.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

HEAD_BYTES: Final = 16
"""First bytes that are kept in memory: enough to tell the type."""
_PREFIX: Final = "sha224-i-"
_DIGITS: Final = frozenset("0123456789abcdef")
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Windows forces only what was opened for writing.
_AGAIN: Final = os.O_RDWR | getattr(os, "O_BINARY", 0)


class Incoming:
    """A file that is arriving; it vanishes at the end of its `with` block unless it was kept.

    Attributes
    ----------
    path : Path
        Where its bytes are for now.
    size : int
        Bytes so far.
    head : bytes
        The first of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.head = b""
        self._digest = hashlib.sha224()
        self._handle: int | None = os.open(path, _NEW, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()
        self.path.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._handle is None:
            raise ValueError("the file is finished")
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + piece[:HEAD_BYTES])[:HEAD_BYTES]
        self._digest.update(piece)
        self.size += len(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._handle, rest) :]

    def finish(self) -> None:
        """Take no more bytes, and give back what the operating system lends to an open file."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def file_id(self) -> str:
        """Return the id of what came so far (api/DECISIONS.md row 14)."""
        return _PREFIX + self._digest.hexdigest()

    def force(self) -> None:
        """Finish the file, and return when its bytes are on disk."""
        if self._handle is None:
            self._handle = os.open(self.path, _AGAIN)
        try:
            os.fsync(self._handle)
        finally:
            self.finish()


class Store:
    """The files of a twin.

    Parameters
    ----------
    folder : Path
        The twin's; files are in ``files`` below it, arriving ones in ``incoming``.

    Raises
    ------
    ConfigError
        If the folders cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._files = folder / "files"
        self._incoming = folder / "incoming"
        try:
            for each in (self._files, self._incoming):
                if not each.is_dir():
                    each.mkdir(parents=True, exist_ok=True, mode=0o700)
                    _force_folder(folder)
        except OSError as error:
            raise ConfigError(f"cannot be made: {error.strerror}", subject=str(folder)) from error

    def incoming(self) -> Incoming:
        """Begin a file; use it in a `with` block."""
        return Incoming(self._incoming / uuid.uuid4().hex)

    def keep(self, arrived: Iterable[Incoming]) -> None:
        """Keep files for good; they are on disk when this returns. A content that is there already stays as it is.

        Raises
        ------
        OSError
            If the disk is full or broken; then none of them counts as kept, and those that are there do no harm.
        """
        for one in arrived:
            place = self.path(one.file_id())
            if not (place.exists() and place.stat().st_size == one.size):
                one.force()
                os.replace(one.path, place)  # noqa: PTH105 (one way to the system's calls, which the tests record)
        # Also when all were there: another request may have renamed them just now, and not yet have come this far.
        _force_folder(self._files)

    def path(self, file_id: str) -> Path:
        """Return where a file is, or would be.

        Raises
        ------
        ConfigError
            If the id is none.
        """
        if not _is_id(file_id):
            raise ConfigError("is no id of a file", subject=file_id[:80])
        return self._files / file_id

    def has(self, file_id: str) -> bool:
        """Tell whether a file is there."""
        return self.path(file_id).exists()

    def open(self, file_id: str) -> BinaryIO:
        """Open a file for reading."""
        return self.path(file_id).open("rb")

    def clear_incoming(self) -> None:
        """Remove what an earlier process did not finish; for the start of a server alone, which nothing arrives at."""
        for path in self._incoming.iterdir():
            path.unlink(missing_ok=True)

    def sweep(self, referred: Collection[str]) -> int:
        """Remove files that nobody refers to, as those of uploads that were cut off before they were noted.

        For the start of a server alone: a file that was kept just now is referred to only a moment later.

        Returns
        -------
        int
            Files removed.
        """
        unknown = [path for path in self._files.iterdir() if _is_id(path.name) and path.name not in referred]
        for path in unknown:
            path.unlink(missing_ok=True)
        return len(unknown)


def _is_id(text: str) -> bool:
    digits = text.removeprefix(_PREFIX)
    return text.startswith(_PREFIX) and len(digits) == 56 and set(digits) <= _DIGITS


def _force_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there; the file system keeps names in its own journal
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
