"""Bytes with a name: a file, opened anew for each read.

Nothing here keeps a file open, so that ten thousand images need no ten thousand descriptors, threads share no file
position, and everything can be sent to another process.
"""

from __future__ import annotations

import hashlib
import io
import stat
import time
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from hemato_lab.errors import InputError, IntegrityError, UnreadableInputError
from hemato_lab.formats.failures import cannot_open, damaged

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

Signature = tuple[int, int, int, int, int]
"""Device, inode, length, and times of change: what differs when a file was written to."""

_HASH_CHUNK: Final = 1 << 20
_TICK_NS: Final = 50_000_000
"""File systems note times of change in steps of up to 10 ms."""


class RandomAccess(Protocol):
    """Something whose bytes can be read anywhere."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    def read_at(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from `offset` on; UnreadableInputError where there are fewer."""
        ...


class Stored(Protocol):
    """The bytes of one image, in a file or in a member of an archive."""

    @property
    def label(self) -> str:
        """Name for people: the path below the smear."""
        ...

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    def head(self, size: int) -> bytes:
        """Return the first `size` bytes, or fewer when there are fewer."""
        ...

    def read_all(self) -> bytes:
        """Return all bytes."""
        ...

    def opened(self) -> AbstractContextManager[RandomAccess]:
        """Open for reading anywhere; each call has a position of its own."""
        ...

    def file_id(self) -> str:
        """Hash what is stored now."""
        ...

    def ensure_unchanged(self, file_id: str) -> None:
        """Raise IntegrityError if the bytes are no longer those of `file_id`."""
        ...


def file_id_of(content: bytes) -> str:
    """Return ``sha224-i-`` and the SHA-224 in hex (api/DECISIONS.md row 14)."""
    return "sha224-i-" + hashlib.sha224(content).hexdigest()


def changed(label: str, file_id: str) -> IntegrityError:
    """Return the error of bytes that are not those that were opened."""
    return IntegrityError(
        f"its bytes are no longer those that were opened as {file_id}",
        subject=label,
        hint="open the smear again, when nothing writes to the file",
    )


class ChangeWatch:
    """Decides when bytes must be hashed again, because hashing at each read would cost more than decoding.

    They are hashed again after the operating system reports another length, a write, a move or a change of attributes,
    and as long as the last change is so recent that a further one would show the same time.

    Parameters
    ----------
    signature : Signature
        What was reported before the bytes were hashed.
    """

    def __init__(self, signature: Signature) -> None:
        self._accepted: set[Signature] = set()
        self._accept(signature, time.time_ns())

    def _accept(self, signature: Signature, hashed_from_ns: int) -> None:
        if abs(hashed_from_ns - signature[-1]) > _TICK_NS:
            self._accepted.add(signature)

    def check(self, now: Signature, label: str, file_id: str, hash_again: Callable[[], str]) -> None:
        """Raise IntegrityError if the bytes are no longer those of `file_id`."""
        if now in self._accepted:
            return
        started = time.time_ns()
        try:
            found = hash_again()
        except InputError as error:
            raise changed(label, file_id) from error
        if found != file_id:
            raise changed(label, file_id)
        self._accept(now, started)


class InMemory:
    """Random access to bytes in memory."""

    def __init__(self, content: bytes | memoryview, label: str) -> None:
        self._content = memoryview(content)
        self._label = label

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self._content)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from `offset` on."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise damaged(self._label, stage="read", reason=f"{size} bytes at {offset} lie outside its {self.size}")
        return bytes(self._content[offset : offset + size])


class _OpenFile:
    """Random access to an open file."""

    def __init__(self, handle: io.FileIO, size: int, label: str) -> None:
        self._handle = handle
        self.size = size
        self._label = label

    def read_at(self, offset: int, size: int) -> bytes:
        # The length is checked first: a damaged header must not make read() set gigabytes aside.
        if offset < 0 or size < 0 or offset + size > self.size:
            raise damaged(self._label, stage="read", reason=f"{size} bytes at {offset} lie outside its {self.size}")
        try:
            self._handle.seek(offset)
            parts = []
            while size > 0 and (part := self._handle.read(size)):
                parts.append(part)
                size -= len(part)
        except OSError as error:
            raise cannot_open(self._label, error) from error
        if size > 0:
            raise damaged(self._label, stage="read", reason=f"{size} bytes are missing at its end")
        return parts[0] if len(parts) == 1 else b"".join(parts)


class StoredFile:
    """One regular file.

    Parameters
    ----------
    path : path-like
        The file; kept as an absolute path.
    label : str
        Name for people.

    Raises
    ------
    UnreadableInputError
        If it is missing, empty, not a regular file (a pipe would block for ever), or may not be looked at.
    """

    def __init__(self, path: str | os.PathLike[str], label: str) -> None:
        self.path = Path(path).absolute()
        self.label = label
        try:
            status = self.path.stat()
        except (OSError, ValueError) as error:
            raise _no_status(label, error) from error
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableInputError("is not a regular file", subject=label, hint="give an image file")
        if status.st_size == 0:
            raise UnreadableInputError("is empty (0 bytes)", subject=label, hint="copy it again from its source")
        self.size = status.st_size
        self._watch = ChangeWatch(_signature(status))

    def head(self, size: int) -> bytes:
        """Return the first `size` bytes, or fewer when there are fewer."""
        with self.opened() as access:
            return access.read_at(0, min(size, self.size))

    def read_all(self) -> bytes:
        """Return all bytes."""
        with self.opened() as access:
            return access.read_at(0, self.size)

    @contextmanager
    def opened(self) -> Iterator[RandomAccess]:
        """Open for reading anywhere; each call has a position of its own."""
        try:
            handle = io.FileIO(self.path)
        except OSError as error:
            raise cannot_open(self.label, error) from error
        with handle:
            yield _OpenFile(handle, self.size, self.label)

    def file_id(self) -> str:
        """Hash what is stored now, a megabyte at a time."""
        digest = hashlib.sha224()
        if self.current_signature()[2] != self.size:
            raise damaged(self.label, stage="read", reason="its length changed")
        with self.opened() as access:
            for offset in range(0, self.size, _HASH_CHUNK):
                digest.update(access.read_at(offset, min(_HASH_CHUNK, self.size - offset)))
        return "sha224-i-" + digest.hexdigest()

    def current_signature(self) -> Signature:
        """Return what the operating system says of the file now."""
        try:
            return _signature(self.path.stat())
        except OSError as error:
            raise cannot_open(self.label, error) from error

    def ensure_unchanged(self, file_id: str) -> None:
        """Raise IntegrityError if the bytes are no longer those of `file_id`."""
        self._watch.check(self.current_signature(), self.label, file_id, self.file_id)


def _signature(status: os.stat_result) -> Signature:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _no_status(label: str, error: OSError | ValueError) -> UnreadableInputError:
    if isinstance(error, OSError):
        return cannot_open(label, error)
    return UnreadableInputError(f"is not a possible path: {error}", subject=ascii(label), hint="check the path")
