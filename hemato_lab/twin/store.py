"""Files by the hash of their content: written once, never changed, durable before anyone is told (RELIABILITY.md).

A file is written under a temporary name while it is hashed, forced to disk, renamed to its id, and the folder forced to
disk. The same content from any number of requests is one file.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD_BYTES: Final = 16
"""First bytes that are kept in memory: enough to tell the type."""
_PREFIX: Final = "sha224-i-"


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
        self._file: BinaryIO = path.open("xb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + piece[:HEAD_BYTES])[:HEAD_BYTES]
        self._digest.update(piece)
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) :]
        self.size += len(piece)

    def file_id(self) -> str:
        """Return the id of what came so far (api/DECISIONS.md row 14)."""
        return _PREFIX + self._digest.hexdigest()

    def force(self) -> None:
        """Return when its bytes are on disk."""
        os.fsync(self._file.fileno())


class Store:
    """The files of a twin.

    Parameters
    ----------
    folder : Path
        The twin's; files are in ``files`` below it, arriving ones in ``incoming``.
    """

    def __init__(self, folder: Path) -> None:
        self._files = folder / "files"
        self._incoming = folder / "incoming"
        try:
            for each in (self._files, self._incoming):
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"cannot be made: {error.strerror}", subject=str(folder)) from error

    def incoming(self) -> Incoming:
        """Begin a file; use it in a `with` block."""
        return Incoming(self._incoming / uuid.uuid4().hex)

    def keep(self, arrived: Iterable[Incoming]) -> None:
        """Keep files for good; they are on disk when this returns. A content that is there already stays as it is."""
        for one in arrived:
            place = self.path(one.file_id())
            if not place.exists():
                one.force()
                one.path.replace(place)
        self._force_folder()

    def _force_folder(self) -> None:
        if os.name == "nt":
            return  # folders cannot be opened there; the file system keeps names in its own journal
        handle = os.open(self._files, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def path(self, file_id: str) -> Path:
        """Return where a file is, or would be.

        Raises
        ------
        ConfigError
            If the id is none.
        """
        digits = file_id.removeprefix(_PREFIX)
        if len(digits) != 56 or not set(digits) <= set("0123456789abcdef"):
            raise ConfigError("is no id of a file", subject=file_id[:80])
        return self._files / file_id

    def has(self, file_id: str) -> bool:
        """Tell whether a file is there."""
        return self.path(file_id).exists()

    def clear_incoming(self) -> None:
        """Remove what an earlier process did not finish; for the start of a server alone."""
        for path in self._incoming.iterdir():
            path.unlink(missing_ok=True)
