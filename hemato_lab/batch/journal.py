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
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import RESULT_FILES
from hemato_lab.batch.inputs import InputFile
from hemato_lab.batch.journal_file import APPLICATION, connected, connected_or_made, foreign, write_ahead
from hemato_lab.batch.model import DONE, FAILED, PENDING, State
from hemato_lab.batch.writing import FULL_HINT, is_full
from hemato_lab.errors import ConfigError, JournalError, StorageFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_Read = TypeVar("_Read")

_VERSION: Final = 1
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
        The file; made when it is missing, for its owner alone, as it names files and says what they are labelled with.
    only_read : bool
        Whether it is looked at alone, also while a batch writes into it: then nothing is made or changed.

    Raises
    ------
    JournalError
        If it cannot be opened, is damaged, or is none.
    StorageFullError
        If there is no room for it.
    """

    def __init__(self, path: Path, *, only_read: bool = False) -> None:
        self.path = path
        with self._named("opened"):
            self._connection = connected(path) if only_read else connected_or_made(path)
            try:
                if only_read:
                    self._look()
                else:
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
        is_new = self.is_new
        if not is_new:
            self._check_kind()
        write_ahead(self._connection)
        self._connection.execute("PRAGMA synchronous = FULL")
        if is_new:
            self._make()

    def _look(self) -> None:
        self._connection.execute("PRAGMA query_only = ON")
        if not self.is_new:
            self._check_kind()

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever noted, not even of what kind it is."""
        return not self._rows("SELECT 1 FROM sqlite_master LIMIT 1")

    def _check_kind(self) -> None:
        if self._pragma("application_id") != APPLICATION:
            raise foreign(self.path)
        if self._pragma("user_version") != _VERSION:
            raise JournalError("is of another version of hemato_lab", subject=str(self.path), hint=_FRESH_HINT)

    def _make(self) -> None:
        with self.writing():
            if not self.is_new:  # another process was as quick
                return
            for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id = {APPLICATION}")
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    def _pragma(self, name: str) -> Any:
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:  # names in its words may be damaged too
            if self._is_for_want_of_room(error):
                raise StorageFullError("there is no room left", subject=str(self.path), hint=FULL_HINT) from error
            hint = "check the disk; if the file is damaged, run with --fresh to do everything again"
            raise JournalError(f"cannot be {what}: {error}", subject=str(self.path), hint=hint) from error

    def _is_for_want_of_room(self, error: Exception) -> bool:
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

    def _read(self, parse: Callable[..., _Read], query: str, values: Sequence[Any] = ()) -> list[_Read]:
        """Return what rows say; all that is read goes through here, as a damaged file may say anything.

        Raises
        ------
        JournalError
            If a row is none that a batch wrote.
        """
        try:
            return [parse(*row) for row in self._rows(query, values)]
        except (ValueError, TypeError, KeyError, RecursionError, ConfigError) as error:
            problem = f"is damaged: a row is none that a batch wrote ({type(error).__name__})"
            raise JournalError(problem, subject=str(self.path), hint=_FRESH_HINT) from error

    def settle(self, settings: Mapping[str, Any]) -> None:
        """Note the settings of the first run, and refuse others later.

        Raises
        ------
        ConfigError
            If earlier results in the folder were made with other settings; says which.
        """
        before = dict(self._read(_setting, "SELECT name, value FROM settings"))
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
        return tuple(self._read(_entry, "SELECT entry FROM smears ORDER BY rowid"))

    def inputs(self) -> dict[str, tuple[InputFile, ...]]:
        """Return the registered files of every smear that has any, by its id."""
        return dict(self._read(_inputs, "SELECT smear_id, inputs FROM smears WHERE inputs <> '[]'"))

    def register(self, smear_id: str, inputs: Iterable[InputFile]) -> None:
        """Note the files of a smear, before they are worked on.

        Not forced: after a power cut they are registered anew.
        """
        with self.writing(forced=False):
            values = json.dumps([one.to_list() for one in inputs])
            self._connection.execute("UPDATE smears SET inputs = ? WHERE smear_id = ?", (values, smear_id))

    def records(self, stage: str) -> dict[str, StageRecord]:
        """Return how a stage ended for every smear that it was tried for, by the smear's id."""
        query = "SELECT smear_id, state, basis, attempts, error_code, error, files FROM stages WHERE stage = ?"
        return dict(self._read(_stage, query, (stage,)))

    def note(self, smear_id: str, stage: str, record: StageRecord, *, without_inputs: bool = False) -> None:
        """Note how a stage of a smear ended.

        Parameters
        ----------
        smear_id, stage : str
            Of which smear what stage.
        record : StageRecord
            How.
        without_inputs : bool
            Whether the smear's files are no longer registered from then on.
        """
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
            if without_inputs:
                self._connection.execute("UPDATE smears SET inputs = '[]' WHERE smear_id = ?", (smear_id,))


def _setting(name: Any, value: Any) -> tuple[str, Any]:
    return _text(name), json.loads(_text(value))


def _entry(entry: Any) -> SmearEntry:
    return SmearEntry.from_dict(_mapping(json.loads(_text(entry))))


def _inputs(smear_id: Any, inputs: Any) -> tuple[str, tuple[InputFile, ...]]:
    found = []
    for name, file_id, signature in json.loads(_text(inputs)):
        found.append(InputFile(_text(name), _text(file_id), tuple(map(_whole, signature))))
    return _text(smear_id), tuple(found)


def _stage(  # noqa: PLR0917 (the columns)
    smear_id: Any, state: Any, basis: Any, attempts: Any, code: Any, error: Any, files: Any
) -> tuple[str, StageRecord]:
    hashes = _mapping(json.loads(_text(files)))
    # Names become paths of files that are replaced and removed.
    if state not in {PENDING, DONE, FAILED} or not hashes.keys() <= set(RESULT_FILES):
        raise ValueError(state)
    known = {name: _text(sha256) for name, sha256 in hashes.items()}
    record = StageRecord(cast("State", state), _text(basis), _whole(attempts), _text(code), _text(error), known)
    return _text(smear_id), record


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError(type(value).__name__)
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(type(value).__name__)
    return value


def _refuse_others(before: Mapping[str, Any], now: Mapping[str, Any], folder: str) -> None:
    differing = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if differing:
        told = "; ".join(f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}" for name in differing)
        raise ConfigError(f"holds results made with other settings: {told}", subject=folder, hint=_FRESH_HINT)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
