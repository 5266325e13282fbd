"""What was asked of the service and what became of it, on disk, so that nothing is lost or done twice.

One SQLite file: tries of calls that must not be repeated blindly, the studies that came of them with their tags (the
service has no search, api/DECISIONS.md row 28), and the files that it acknowledged. An intent is written before the
call and its outcome after it, so whatever ends the process between the two leaves a trace. Neither tokens nor passwords
nor signed addresses nor names of files are in it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from hemato_lab.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_VERSION: Final = 1
_APPLICATION: Final = 0x48654C6A
"""Marks the file as ours, so that no other database is written into."""
_PATIENCE_S: Final = 30.0
"""Seconds to wait for another process that writes."""
_SCHEMA: Final = """
CREATE TABLE tries (
    request_id TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    run_key TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    workflow INTEGER NOT NULL,
    begun_at REAL NOT NULL,
    outcome TEXT NOT NULL,
    study_id TEXT NOT NULL DEFAULT ''
);
CREATE TABLE studies (
    service TEXT NOT NULL,
    study_id TEXT NOT NULL,
    run_key TEXT NOT NULL,
    workflow INTEGER NOT NULL,
    reference TEXT NOT NULL,
    tags TEXT NOT NULL,
    tasks TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    PRIMARY KEY (service, study_id)
);
CREATE INDEX studies_of_a_run ON studies (service, run_key, created_at);
CREATE TABLE files (
    service TEXT NOT NULL,
    study_id TEXT NOT NULL,
    file_id TEXT NOT NULL,
    remote_ids TEXT NOT NULL,
    size INTEGER NOT NULL,
    acknowledged_at REAL NOT NULL,
    PRIMARY KEY (service, study_id, file_id)
);
"""
OPEN: Final = "open"
TASKS_ASKED: Final = "tasks asked"
TASKS_ACCEPTED: Final = "tasks accepted"
READY: Final = "ready"
FAILED: Final = "failed"
"""States of a study as the journal knows them; "tasks asked" means that the answer is not known."""


@dataclass(frozen=True, slots=True)
class JournalledStudy:
    """One study as the journal knows it.

    Attributes
    ----------
    service : str
        Its base address.
    study_id : str
        The service's id.
    workflow : int
        1 or 2.
    state : str
        ``open``, ``tasks asked``, ``tasks accepted``, ``ready`` or ``failed``.
    tags : mapping
        As given when it was created.
    tasks : tuple of str
        As asked for.
    reference : str
        Our own id of a sample of workflow 2, which signed callbacks carry; empty for workflow 1.
    created_at, changed_at : float
        Unix time.
    """

    service: str
    study_id: str
    workflow: int
    state: str
    tags: Mapping[str, str] = field(repr=False)
    tasks: tuple[str, ...]
    reference: str
    created_at: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class PossibleOrphan:
    """A call that may have made a study whose id never came back.

    Attributes
    ----------
    request_id : str
        ``X-Request-Id`` that it carried; the service's log has it.
    service : str
        Base address.
    workflow : int
        1 or 2.
    begun_at : float
        Unix time.
    """

    request_id: str
    service: str
    workflow: int
    begun_at: float


class Journal:
    """The journal in a file; safe for threads, and for several processes at a time.

    Parameters
    ----------
    path : path-like
        The file; made when it is missing, readable by its owner alone.

    Raises
    ------
    JournalError
        If it cannot be opened, or is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._lock = threading.RLock()
        with self._named("opened"):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(
                self.path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._set_up()
            except BaseException:
                self._connection.close()
                raise

    @classmethod
    def of_user(cls) -> Journal:
        """Open the journal in the user's own folder for such data."""
        from platformdirs import user_state_path

        return cls(user_state_path("hemato_lab") / "journal.sqlite3")

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _set_up(self) -> None:
        with self._writing():
            version = self._pragma("user_version")
            is_new = version == 0 and not self._connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            if is_new:
                for statement in _SCHEMA.split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._connection.execute(f"PRAGMA user_version = {_VERSION}")
            is_ours = self._pragma("application_id") == _APPLICATION
        if not is_ours:
            raise JournalError(
                "is another database, not a journal", subject=str(self.path), hint="give another journal="
            )
        if self._pragma("user_version") != _VERSION:
            problem = f"was written by a newer version (format {version})"
            raise JournalError(problem, subject=str(self.path), hint="update hemato_lab")
        self._write_ahead()
        self._connection.execute("PRAGMA synchronous = FULL")

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _write_ahead(self) -> None:
        """Let readers and a writer work side by side; the switch does not wait for other processes by itself."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        hint = "check the disk, or give another journal="
        try:
            yield
        except sqlite3.ProgrammingError:
            problem, hint = "was closed", "make a new client, or open the journal again"
        except sqlite3.Error as error:
            problem = f"cannot be {what}: {error}"
        except OSError as error:
            problem = f"cannot be {what}: {error.strerror or error}"
        else:
            return
        raise JournalError(problem, subject=str(self.path), hint=hint)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._named("written"):
            try:  # from the first statement on: an interrupt may come as soon as it has an effect
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _unforced(self) -> Iterator[None]:
        with self._named("written"):
            self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA synchronous = FULL")

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock, self._named("read"):
            return self._connection.execute(query, values).fetchall()

    def begin_try(
        self, request_id: str, service: str, *, run_key: str, idempotency_key: str, workflow: int, now: float
    ) -> None:
        """Note that a study is about to be asked for; until more is known it may be an orphan."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO tries (request_id, service, run_key, idempotency_key, workflow, begun_at, outcome) "
                "VALUES (?, ?, ?, ?, ?, ?, 'unknown')",
                (request_id, service, run_key, idempotency_key, workflow, now),
            )

    def unknown_key(self, service: str, run_key: str) -> str | None:
        """Return the idempotency key of a run's latest try whose outcome is not known, None if there is none."""
        query = (
            "SELECT idempotency_key FROM tries WHERE service = ? AND run_key = ? AND outcome = 'unknown' "
            # A key that made a study in another try is used up: with it a new wish would get the old study.
            "AND idempotency_key NOT IN (SELECT idempotency_key FROM tries WHERE outcome = 'made') "
            "ORDER BY rowid DESC LIMIT 1"
        )
        rows = self._rows(query, (service, run_key))
        return rows[0][0] if rows else None

    def end_try(self, request_id: str, outcome: str) -> None:
        """Note how a try ended without a study: ``refused``, or ``unknown``."""
        with self._writing() as connection:
            connection.execute("UPDATE tries SET outcome = ? WHERE request_id = ?", (outcome, request_id))

    def settle(self, request_id: str) -> bool:
        """Note that somebody looked after a possible orphan; tells whether it was one."""
        with self._writing() as connection:
            change = "UPDATE tries SET outcome = 'settled' WHERE request_id = ? AND outcome = 'unknown'"
            return bool(connection.execute(change, (request_id,)).rowcount)

    def add_study(self, request_id: str, study: JournalledStudy, run_key: str = "") -> bool:
        """Note a study that a try made.

        Returns
        -------
        bool
            False, and nothing is noted, if the study is in the journal already: the answer was an old one.
        """
        row = (
            study.service,
            study.study_id,
            run_key,
            study.workflow,
            study.reference,
            json.dumps(dict(study.tags)),
            json.dumps(study.tasks),
            study.state,
            study.created_at,
            study.changed_at,
        )
        with self._writing() as connection:
            places = ", ".join("?" * len(row))
            added = connection.execute(f"INSERT OR IGNORE INTO studies VALUES ({places})", row)  # noqa: S608
            if added.rowcount:
                change = "UPDATE tries SET outcome = 'made', study_id = ? WHERE request_id = ?"
                connection.execute(change, (study.study_id, request_id))
            return bool(added.rowcount)

    def set_state(
        self, service: str, study_id: str, state: str, now: float, *, tasks: Sequence[str] | None = None
    ) -> None:
        """Note what became of a study, and what was asked of it; one that is not in the journal is left out."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE studies SET state = ?, changed_at = ?, tasks = coalesce(?, tasks) "
                "WHERE service = ? AND study_id = ?",
                (state, now, None if tasks is None else json.dumps(list(tasks)), service, study_id),
            )

    def acknowledge(
        self, service: str, study_id: str, files: Mapping[str, tuple[Sequence[str], int]], now: float
    ) -> None:
        """Note that the service has files: our id of each, the ids that it knows it by, and its bytes.

        Not forced to the disk at once: it outlives this process, and after a power cut a file is sent once more.
        """
        with self._lock, self._unforced(), self._writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (service, study_id, file_id, json.dumps(list(remote_ids)), size, now)
                    for file_id, (remote_ids, size) in files.items()
                ],
            )

    def acknowledged(self, service: str, study_id: str) -> dict[str, tuple[str, ...]]:
        """Return the files that the service has: our id of each, and the service's ids."""
        query = "SELECT file_id, remote_ids FROM files WHERE service = ? AND study_id = ? ORDER BY rowid"
        return {file_id: tuple(json.loads(ids)) for file_id, ids in self._rows(query, (service, study_id))}

    def study(self, service: str, study_id: str) -> JournalledStudy | None:
        """Return what is known of a study, None for one that is not in the journal."""
        found = self._studies("WHERE service = ? AND study_id = ?", (service, study_id))
        return found[0] if found else None

    def study_of_run(self, service: str, run_key: str) -> JournalledStudy | None:
        """Return the latest study of a run, None if it has none."""
        found = self._studies("WHERE service = ? AND run_key = ?", (service, run_key))
        return found[0] if found else None

    def studies(self, service: str | None = None, tags: Mapping[str, str] | None = None) -> list[JournalledStudy]:
        """Return the studies of one service or all, the latest first, that have all of these tags."""
        found = self._studies("WHERE service = ?", (service,)) if service is not None else self._studies("", ())
        wanted = dict(tags or {})
        return [one for one in found if wanted.items() <= dict(one.tags).items()]

    def possible_orphans(self, service: str | None = None) -> list[PossibleOrphan]:
        """Return the tries that may have made a study whose id is not known, the latest first."""
        query = "SELECT request_id, service, workflow, begun_at FROM tries WHERE outcome = 'unknown'"
        rows = self._rows(query + " ORDER BY rowid DESC")
        return [PossibleOrphan(*row) for row in rows if service is None or row[1] == service]

    def _studies(self, condition: str, values: Sequence[Any]) -> list[JournalledStudy]:
        columns = "service, study_id, workflow, state, tags, tasks, reference, created_at, changed_at"
        query = f"SELECT {columns} FROM studies {condition} ORDER BY rowid DESC"  # noqa: S608
        return [
            JournalledStudy(row[0], row[1], row[2], row[3], json.loads(row[4]), tuple(json.loads(row[5])), *row[6:])
            for row in self._rows(query, values)
        ]
