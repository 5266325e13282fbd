"""The file of a journal: how it is opened, and told from the databases of others."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION: Final = 0x48654C62
"""Marks the file as ours, so that no other database is written into."""
_APPLICATION_AT: Final = slice(68, 72)
"""Where that mark stands in the file."""
_SQLITE: Final = b"SQLite format 3\0"
"""How every database of SQLite begins."""
_PATIENCE_S: Final = 30.0
_BETWEEN_TRIES_S: Final = 0.01
_FOREIGN_HINT: Final = "choose another results folder, or move that file elsewhere"


def refuse_foreign(path: Path) -> None:
    """Refuse to take a file for a journal that is to be removed, when it is a database of something else.

    A journal that is damaged passes, and so does what is no database at all, or has nothing in it.

    Raises
    ------
    JournalError
        If it holds what is not ours, or cannot be told from it.
    OSError
        If it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_APPLICATION_AT.stop)
    except FileNotFoundError:
        return
    if not head.startswith(_SQLITE) or head[_APPLICATION_AT] == APPLICATION.to_bytes(4, "big"):
        return
    try:
        with closing(connected(path)) as connection:
            connection.execute("PRAGMA query_only = ON")
            if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                return
            # What was written last may stand beside the file.
            if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION:
                return
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise foreign(path) from error
    raise foreign(path)


def foreign(path: Path) -> JournalError:
    """Return the error of a database of something else."""
    return JournalError("is another database, not a journal", subject=str(path), hint=_FOREIGN_HINT)


def connected(path: Path) -> sqlite3.Connection:
    """Open a file that is there, to look at it.

    Not as read-only for SQLite: it would leave files beside it, and could not take up what a killed run left.
    """
    address = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=_PATIENCE_S, isolation_level=None)


def connected_or_made(path: Path) -> sqlite3.Connection:
    """Open a file, which is made for its owner alone when it is missing."""
    with suppress(OSError):  # SQLite says what is wrong, and makes the files beside it like it
        path.touch(mode=0o600)
    return sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)


def write_ahead(connection: sqlite3.Connection) -> None:
    """Have changes written beside the file first, so that it can be read meanwhile.

    SQLite does not wait here when two processes do so at a time, lest each wait for the other.
    """
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_BETWEEN_TRIES_S)
        else:
            return
