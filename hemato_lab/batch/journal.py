"""What a batch has done, on disk, so that a run which ends at any moment can be taken up again.

One SQLite file in the results folder, written by the coordinator alone: the settings that all results share, the smears
with the hashes of their files, and for each smear and stage how it ended and the hashes of its results. A result is
noted after its files are on the disk, and told to the user after it is noted.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.inputs import InputFile
from hemato_lab.batch.model import PENDING, State
from hemato_lab.batch.writing import FULL_HINT, is_full
from hemato_lab.errors import ConfigError, JournalError, StorageFullError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_VERSION: Final = 1
_APPLICATION: Final = 0x48654C62
"""Marks the file as ours, so that no other database is written into."""
_PATIENCE_S: Final = 30.0
_SCHEMA: Final = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE smears (smear_id TEXT PRIMARY KEY, entry TEXT NOT NULL, inputs TEXT NOT NULL DEFAULT '[]');
CREATE TABLE stages (
    smear_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    state TEXT NOT NULL,
    basis TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    error_code TEXT NOT NULL,
    error TEXT NOT NULL,
    files TEXT NOT NULL,
    PRIMARY KEY (smear_id, stage)
);
"""
_FRESH_HINT: Final = "choose another results folder, or run with --fresh to do everything again"


@dataclass(frozen=True, slots=True)
class StageRecord:
    """How one stage of one smear ended.

    Attributes
    ----------
    state : str
        ``pending``, ``done`` or ``failed``.
    basis : str
        What the results rest on besides the settings, as the stage words it; with another basis it is done again.
    attempts : int
        How often it was tried, over all runs.
    error_code, error : str
        Why it failed; empty otherwise.
    files : mapping of str to str
        SHA-256 in hex of each result by its name in the smear's folder; a failure keeps those of an earlier success.
    """

    state: State = PENDING
    basis: str = ""
    attempts: int = 0
    error_code: str = ""
    error: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


class Journal:
    """The journal of a results folder, for the thread that opened it.

    Parameters
    ----------
    path : Path
        The file; made when it is missing.

    Raises
    ------
    JournalError
        If it cannot be opened, is damaged, or is none.
    StorageFullError
        If there is no room for it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._named("opened"):
            self._connection = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
            try:
                self._set_up()
            except BaseException:
                self._connection.close()
                raise

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _set_up(self) -> None:
        if self._pragma("quick_check") != "ok":
            raise JournalError("is damaged", subject=str(self.path), hint=_FRESH_HINT)
        is_new = not self._connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        if not is_new and self._pragma("application_id") != _APPLICATION:
            raise JournalError("is another database, not a journal", subject=str(self.path), hint=_FRESH_HINT)
        if not is_new and self._pragma("user_version") != _VERSION:
            raise JournalError("is of another version of hemato_lab", subject=str(self.path), hint=_FRESH_HINT)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if is_new:
            self._make()

    def _make(self) -> None:
        with self.writing():
            for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    def _pragma(self, name: str) -> Any:
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._is_for_want_of_room(error):
                raise StorageFullError("there is no room left", subject=str(self.path), hint=FULL_HINT) from error
            hint = "check the disk; if the file is damaged, run with --fresh to do everything again"
            raise JournalError(f"cannot be {what}: {error}", subject=str(self.path), hint=hint) from error

    def _is_for_want_of_room(self, error: sqlite3.Error) -> bool:
        """Tell whether the disk is full; files beside the database that find no room are plain errors for SQLite."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
        if code not in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:
            return bool(code == sqlite3.SQLITE_FULL)
        return is_full(self.path.parent)

    @contextmanager
    def writing(self, *, forced: bool = True) -> Iterator[None]:
        """Make one change of all that is written inside; none of it when that fails.

        Parameters
        ----------
        forced : bool
            Whether the change is on the disk when this ends; else it outlives this process, not a power cut.
        """
        with self._named("written"):
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if forced else 'NORMAL'}")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._named("read"):
            return self._connection.execute(query, values).fetchall()

    def settle(self, settings: Mapping[str, Any]) -> None:
        """Note the settings of the first run, and refuse others later.

        Raises
        ------
        ConfigError
            If earlier results in the folder were made with other settings; says which.
        """
        before = {name: json.loads(value) for name, value in self._rows("SELECT name, value FROM settings")}
        if before:
            _refuse_others(before, settings, str(self.path.parent))
            return
        with self.writing():
            rows = [(name, json.dumps(value)) for name, value in settings.items()]
            self._connection.executemany("INSERT INTO settings VALUES (?, ?)", rows)

    def add(self, entries: Iterable[SmearEntry]) -> None:
        """Note the smears of a run; those of earlier runs stay."""
        statement = (
            "INSERT INTO smears (smear_id, entry) VALUES (?, ?) "
            "ON CONFLICT (smear_id) DO UPDATE SET entry = excluded.entry WHERE entry <> excluded.entry"
        )
        with self.writing():
            rows = ((entry.smear_id, json.dumps(entry.to_dict())) for entry in entries)
            self._connection.executemany(statement, rows)

    def entries(self) -> tuple[SmearEntry, ...]:
        """Return all smears, in the order in which they were first noted."""
        rows = self._rows("SELECT entry FROM smears ORDER BY rowid")
        return tuple(SmearEntry.from_dict(json.loads(entry)) for (entry,) in rows)

    def inputs(self) -> dict[str, tuple[InputFile, ...]]:
        """Return the registered files of every smear that has any, by its id."""
        rows = self._rows("SELECT smear_id, inputs FROM smears WHERE inputs <> '[]'")
        return {smear_id: tuple(map(InputFile.from_list, json.loads(inputs))) for smear_id, inputs in rows}

    def register(self, smear_id: str, inputs: Iterable[InputFile]) -> None:
        """Note the files of a smear, before they are worked on.

        Not forced: after a power cut they are registered anew.
        """
        with self.writing(forced=False):
            values = json.dumps([one.to_list() for one in inputs])
            self._connection.execute("UPDATE smears SET inputs = ? WHERE smear_id = ?", (values, smear_id))

    def records(self, stage: str) -> dict[str, StageRecord]:
        """Return how a stage ended for every smear that it was tried for, by the smear's id."""
        rows = self._rows(
            "SELECT smear_id, state, basis, attempts, error_code, error, files FROM stages WHERE stage = ?", (stage,)
        )
        return {row[0]: StageRecord(row[1], row[2], row[3], row[4], row[5], json.loads(row[6])) for row in rows}

    def note(self, smear_id: str, stage: str, record: StageRecord) -> None:
        """Note how a stage of a smear ended."""
        row = (
            smear_id,
            stage,
            record.state,
            record.basis,
            record.attempts,
            record.error_code,
            record.error.encode("utf-8", "replace").decode(),
            json.dumps(dict(record.files)),
        )
        with self.writing():
            self._connection.execute("INSERT OR REPLACE INTO stages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def _refuse_others(before: Mapping[str, Any], now: Mapping[str, Any], folder: str) -> None:
    differing = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if differing:
        told = "; ".join(f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}" for name in differing)
        raise ConfigError(f"holds results made with other settings: {told}", subject=folder, hint=_FRESH_HINT)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
