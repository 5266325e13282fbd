"""What the twin remembers: one SQLite file, and one thread that writes to it for the server.

The write-ahead log lets readers and the worker processes go on while the server writes. Every commit of the server and
of a finished job is forced to disk (``synchronous=FULL``) before anyone is told of it (RELIABILITY.md, "Durability").
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Result = TypeVar("Result")

FILE_NAME: Final = "twin.sqlite3"
_VERSION: Final = 1
_BUSY_S: Final = 30.0
_MOST_AT_ONCE: Final = 64
"""Changes that share one commit."""
_SCHEMA: Final = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE organisations (
    organisation_id TEXT PRIMARY KEY,
    issuer TEXT NOT NULL UNIQUE,            -- what tokens of its keys name as iss
    name TEXT NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE users (
    user_id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations,
    email TEXT NOT NULL UNIQUE,
    screen_name TEXT NOT NULL,
    password TEXT,                          -- scrypt, NULL for devices that sign their own tokens
    roles TEXT NOT NULL,                    -- JSON list
    regions TEXT NOT NULL,                  -- JSON list
    disabled INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE keys (
    key_id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations,
    public_key_pem TEXT NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE studies (
    study_id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations,
    created_by TEXT NOT NULL,
    created REAL NOT NULL,
    tags TEXT NOT NULL,                     -- JSON object
    rbc_diameter REAL,                      -- px
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'queued', 'processing', 'ready', 'failed')),
    progress REAL NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',
    tasks TEXT NOT NULL DEFAULT '[]',       -- JSON list
    callback_url TEXT NOT NULL DEFAULT '',
    source TEXT NOT NULL DEFAULT ''         -- JSON of workflow 2: what is downloaded, empty for workflow 1
) WITHOUT ROWID;
CREATE INDEX studies_of_organisation ON studies (organisation_id, created);
CREATE TABLE tags (
    study_id TEXT NOT NULL REFERENCES studies,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (study_id, key)
) WITHOUT ROWID;
CREATE INDEX tags_by_value ON tags (key, value);
CREATE TABLE files (
    study_id TEXT NOT NULL REFERENCES studies,
    file_id TEXT NOT NULL,
    name TEXT NOT NULL,                     -- as the user calls it, empty for none
    kind TEXT NOT NULL CHECK (kind IN ('jpeg', 'png', 'zip')),
    size INTEGER NOT NULL,                  -- bytes
    archive_id TEXT,                        -- of the ZIP that held it
    PRIMARY KEY (study_id, file_id)
) WITHOUT ROWID;
CREATE INDEX files_by_id ON files (file_id);
CREATE TABLE idempotency (
    organisation_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    study_id TEXT NOT NULL REFERENCES studies,
    PRIMARY KEY (organisation_id, key)
) WITHOUT ROWID;
CREATE TABLE jobs (
    job_id INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id TEXT NOT NULL REFERENCES studies,
    kind TEXT NOT NULL CHECK (kind IN ('analyse', 'download')),
    parameters TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'leased', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    worker TEXT NOT NULL DEFAULT '',
    lease TEXT NOT NULL DEFAULT '',         -- changes with each lease: who lost it cannot finish the job
    lease_until REAL NOT NULL DEFAULT 0,
    created REAL NOT NULL
);
CREATE INDEX jobs_by_state ON jobs (state, kind, job_id);
CREATE TABLE reports (                      -- with row ids, as its rows are too long to be an index

    study_id TEXT NOT NULL REFERENCES studies,
    version INTEGER NOT NULL,
    job_id INTEGER NOT NULL UNIQUE REFERENCES jobs,
    results TEXT NOT NULL,                  -- JSON of the documented report
    task_results TEXT NOT NULL,             -- JSON of the later dialect, by task
    created REAL NOT NULL,
    PRIMARY KEY (study_id, version)
);
CREATE TABLE callbacks (
    callback_id INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id TEXT NOT NULL REFERENCES studies,
    event TEXT NOT NULL,                    -- what it tells of, a study has each event once
    url TEXT NOT NULL,                      -- signed by the user: secret
    body TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL,
    problem TEXT NOT NULL DEFAULT '',
    UNIQUE (study_id, event)
);
CREATE INDEX callbacks_due ON callbacks (state, next_at);
"""


def open_database(folder: Path, *, forced: bool = True, shared: bool = False) -> sqlite3.Connection:
    """Open the database of a twin's folder, making it if there is none; for the calling thread alone.

    Parameters
    ----------
    folder : Path
        Exists; only its owner should be able to read it.
    forced : bool
        Whether every commit reaches the disk before it returns. What may be lost, as progress, need not.
    shared : bool
        Whether another thread than the calling one will use it.

    Raises
    ------
    ConfigError
        If it cannot be opened, or a newer version wrote it.
    """
    path = folder / FILE_NAME
    try:
        _make_file(path)
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=not shared)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if forced else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, path)
    except (OSError, sqlite3.DatabaseError) as error:
        problem = f"cannot be opened: {error}"
        raise ConfigError(problem, subject=str(path), hint="choose another folder with --data") from error
    return connection


def _make_file(path: Path) -> None:
    """Make the file, for its owner alone, if there is none.

    One that is there is not even opened: to close it would let go of all locks that this process has on it, and another
    process would then delete the log that is in use (sqlite.org/howtocorrupt.html section 2.2).
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    if version == 0:
        with transaction(connection):
            if _version(connection) == 0:  # another process may have been faster
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
    elif version != _VERSION:
        problem = f"was written by another version (format {version}, this one reads {_VERSION})"
        raise ConfigError(problem, subject=str(path), hint="use the version that made it, or a new folder")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


class transaction:  # noqa: N801 (reads as a statement)
    """Everything in the `with` block, or nothing; one writer at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


class Writer:
    """Writes for many requests with one connection; changes that wait at the same time share one commit.

    A change is a function of the connection. It is answered only when its commit is on disk. One that raises is undone
    alone, and its error goes to who asked for it.

    Parameters
    ----------
    folder : Path
        The twin's.
    """

    def __init__(self, folder: Path) -> None:
        self._waiting: queue.SimpleQueue[tuple[Callable[..., Any], Future[Any]] | None] = queue.SimpleQueue()
        connection = open_database(folder, shared=True)
        self._thread = threading.Thread(target=self._run, args=(connection,), name="twin-writer", daemon=True)
        self._thread.start()

    def submit(self, change: Callable[[sqlite3.Connection], Result]) -> Future[Result]:
        """Have a change made; the future is done when it is on disk."""
        future: Future[Result] = Future()
        self._waiting.put((change, future))
        return future

    def run(self, change: Callable[[sqlite3.Connection], Result]) -> Result:
        """Make a change and wait for it."""
        return self.submit(change).result()

    def close(self) -> None:
        """Make the changes that wait, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self, connection: sqlite3.Connection) -> None:
        stopped = False
        while not stopped:
            changes = [self._waiting.get()]
            while len(changes) < _MOST_AT_ONCE and not self._waiting.empty():
                changes.append(self._waiting.get())
            stopped = None in changes
            _commit(connection, [each for each in changes if each is not None])
        connection.close()


def _commit(connection: sqlite3.Connection, changes: list[tuple[Callable[..., Any], Future[Any]]]) -> None:
    """Make changes in one transaction, and answer once it is committed."""
    outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
    try:
        with transaction(connection):
            for change, future in changes:
                if future.set_running_or_notify_cancel():
                    outcomes.append((future, *_outcome(connection, change)))
    except sqlite3.Error as error:
        for _, future in changes:
            if not future.cancelled():
                future.set_exception(error)
        return
    for future, result, problem in outcomes:
        if problem is None:
            future.set_result(result)
        else:
            future.set_exception(problem)


def _outcome(connection: sqlite3.Connection, change: Callable[..., Any]) -> tuple[Any, BaseException | None]:
    connection.execute("SAVEPOINT one_change")
    try:
        result = change(connection)
    except Exception as error:  # noqa: BLE001 (goes to who asked)
        connection.execute("ROLLBACK TO one_change")
        connection.execute("RELEASE one_change")
        return None, error
    connection.execute("RELEASE one_change")
    return result, None
