"""A lock that ends with its process, however that ends."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import JournalError, LockedError

if TYPE_CHECKING:
    from pathlib import Path

_TRIES: Final = 20
_BETWEEN_TRIES_S: Final = 0.01
_HELD: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""What SQLite says when another one has the lock; more detail may stand in the bits above these."""


class RunLock:
    """Keeps one run to one process and thread at a time.

    The lock is that of an empty SQLite file beside the journal, which the operating system gives free when the process
    dies, on every platform; a file that only exists would outlive a ``kill -9``.

    Parameters
    ----------
    folder : Path
        Where lock files are.
    key : str
        Letters and digits.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._path = folder / f"{key}.lock"
        self._connection: sqlite3.Connection | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        LockedError
            If another one has it.
        JournalError
            If the lock file cannot be made.
        """
        problem = ""
        for _ in range(_TRIES):
            problem = self._try()
            if not problem:
                return
            time.sleep(_BETWEEN_TRIES_S)
        raise JournalError(f"cannot be locked: {problem}", subject=str(self._path), hint="check the disk, or try again")

    def _try(self) -> str:
        """Take the lock; return what was in the way, empty when it is ours.

        Whoever had it removes the file: it may vanish while we open it, and then our lock is one of no file.
        """
        connection = None
        problem, is_held = "its file vanished", False
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path.touch(mode=0o600)
            opened = self._path.stat().st_ino
            connection = sqlite3.connect(self._path, timeout=0.0, isolation_level=None, check_same_thread=False)
            connection.execute("BEGIN EXCLUSIVE")
            if self._path.stat().st_ino == opened:
                self._connection = connection
                return ""
        except (OSError, sqlite3.Error) as error:
            problem, is_held = str(error), getattr(error, "sqlite_errorcode", 0) & 0xFF in _HELD
        if connection is not None:
            connection.close()
        if is_held:
            raise LockedError("the same run is under way in another process or thread", hint="wait for it, or stop it")
        return problem

    def release(self) -> None:
        """Give the lock free; does nothing when it is not held."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        # Removed while the lock is held; Windows keeps open files, and an empty lock file does no harm.
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        connection.close()
