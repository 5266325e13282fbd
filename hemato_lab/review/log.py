"""The log of decisions on disk: lines are added at its end, and none is ever changed or taken away."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.api.locks import RunLock
from hemato_lab.errors import DecisionLogError, JournalError, LockedError
from hemato_lab.report import RESEARCH_USE_NOTICE, local_study_id
from hemato_lab.review.decision import Decision, lines_of, read_decision

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hemato_lab.smear import Smear

FORMAT: Final = "hemato_lab decisions"
VERSION: Final = 1
SUFFIX: Final = ".jsonl"
_PATIENCE_S: Final = 20.0
"""Seconds to wait for another process that writes."""
_BETWEEN_TRIES_S: Final = 0.01
_BINARY: Final = getattr(os, "O_BINARY", 0)
_OTHER_FILE: Final = "give another file: --decisions on the command line, decisions= in Python"
_HINT: Final = f"check the disk and its permissions, or {_OTHER_FILE}"


@dataclass(frozen=True, slots=True)
class DamagedLine:
    """A line that is no decision: cut short when its writer was stopped, or changed by something else.

    Attributes
    ----------
    number : int
        Of the line in the file, from 1.
    reason : str
        For people.
    """

    number: int
    reason: str


class DecisionLog:
    """The decisions about one smear, in a file; safe for threads, and for several processes at a time.

    The file is text, one JSON object a line: the first says what it is, the others are decisions (`Decision`). It holds
    hashes of images, never their names or labels. A new file is readable by its owner alone. When `append` returns,
    its decisions are on the disk.

    Parameters
    ----------
    path : path-like
        The file; made when the first decision is.
    study_id : str
        Of the smear (`hemato_lab.report.local_study_id`).

    Raises
    ------
    DecisionLogError
        If the file cannot be read, is no log of decisions, is of another smear or of a newer version.
    """

    def __init__(self, path: str | os.PathLike[str], study_id: str) -> None:
        self.path = Path(path).expanduser().absolute()
        self.study_id = study_id
        self._guard = threading.RLock()
        self._decisions: list[Decision] = []
        self._known: set[str] = set()
        self._damaged: list[DamagedLine] = []
        self._digest = hashlib.sha256()
        self._read_to = 0
        self._lines = 0
        self._open_end = b""
        self._has_head = False
        self.refresh()

    @classmethod
    def of_smear(cls, smear: Smear, path: str | os.PathLike[str] | None = None) -> DecisionLog:
        """Open the log of a smear: the file given, or that in the user's own folder for data.

        Raises
        ------
        DecisionLogError
            See `DecisionLog`.
        """
        study_id = study_id_of(smear)
        return cls(default_path(study_id) if path is None else path, study_id)

    def __len__(self) -> int:
        return len(self._decisions)

    def __repr__(self) -> str:
        damaged = f", {len(self._damaged)} damaged lines" if self._damaged else ""
        return f"DecisionLog({str(self.path)!r}, {len(self)} decisions{damaged})"

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All decisions in the order in which they were made, withdrawn ones and their withdrawals too."""
        with self._guard:
            return tuple(self._decisions)

    @property
    def damaged(self) -> tuple[DamagedLine, ...]:
        """Lines that could not be read as decisions and are kept as they are."""
        with self._guard:
            torn = (DamagedLine(self._lines + 1, "the line ends before the decision does"),) if self._torn else ()
            return (*self._damaged, *torn)

    @property
    def sha256(self) -> str:
        """SHA-256 of the file as far as it was read, in hex."""
        with self._guard:
            digest = self._digest.copy()
            digest.update(self._open_end)
            return digest.hexdigest()

    def append(self, decisions: Sequence[Decision]) -> None:
        """Add decisions, all or none; when this returns they are on the disk.

        Raises
        ------
        DecisionLogError
            If they cannot be written, would not be read again, or another process keeps the file for too long. None of
            them counts then.
        """
        if not decisions:
            return
        lines = self._lines_of(decisions)
        with self._guard, self._alone():
            self.refresh()
            head = b"" if self._has_head else _head(self.study_id)
            # A line that was cut short stays as it is; what follows begins a line of its own.
            self._write((b"\n" if self._open_end else b"") + head + lines)
            self.refresh()

    def _lines_of(self, decisions: Sequence[Decision]) -> bytes:
        """Return lines that will be read again as these decisions."""
        try:
            lines = lines_of(decisions)
        except ValueError:
            lines = b""
        if [_decision_of(line) for line in lines.splitlines()] != list(decisions):
            problem = "a decision about a cell without a proper place, size or score cannot be kept"
            raise DecisionLogError(problem, subject=str(self.path), hint="analyse the smear again")
        return lines

    def refresh(self) -> bool:
        """Read what was added since, by this or another process; tell whether there was anything.

        Raises
        ------
        DecisionLogError
            See `DecisionLog`.
        """
        with self._guard:
            added = self._added()
            if not added:
                return False
            self._read_to += len(added)
            *whole, self._open_end = (self._open_end + added).split(b"\n")
            for line in whole:
                self._digest.update(line + b"\n")
                self._lines += 1
                self._take_line(line)
            if not self._has_head and self._open_end:
                _is_head(self._open_end, str(self.path), self.study_id)
            elif _decision_of(self._open_end) is not None:
                # Whole but for its end of line: it counts now, and not once more when that end comes.
                self._take_line(self._open_end)
            return True

    def take_in(self, content: bytes | str | os.PathLike[str]) -> int:
        """Add the decisions of another log about the same smear that are not in this one yet.

        Parameters
        ----------
        content : bytes or path
            A log's file, as a page that was sent by mail hands it out.

        Returns
        -------
        int
            How many were added.

        Raises
        ------
        DecisionLogError
            If it cannot be read, is no log or of another smear, or this one cannot be written.
        """
        content, name = (content, "the decisions") if isinstance(content, bytes) else (_bytes_of(content), str(content))
        other = _parsed(content, name, self.study_id)
        with self._guard:
            self.refresh()
            new = [one for one in other if one.id not in self._known]
            self.append(new)
            return len(new)

    @property
    def _torn(self) -> bool:
        return bool(self._open_end) and _decision_of(self._open_end) is None

    def _added(self) -> bytes:
        try:
            with self.path.open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                if size < self._read_to:
                    problem = "has become shorter, so that decisions may be lost"
                    raise DecisionLogError(problem, subject=str(self.path), hint="restore the file from a copy")
                stream.seek(self._read_to)
                return stream.read()
        except FileNotFoundError:
            if self._read_to:
                raise DecisionLogError(
                    "is gone, and its decisions with it", subject=str(self.path), hint="put the file back"
                ) from None
            return b""
        except OSError as error:
            raise self._failed("read", error) from error

    def _take_line(self, line: bytes) -> None:
        if not self._has_head:
            self._has_head = _is_head(line, str(self.path), self.study_id)
            if not self._has_head:
                self._damaged.append(DamagedLine(self._lines, "the line ends before the head of the log does"))
            return
        if not line:
            return
        decision = _decision_of(line)
        if decision is None:
            self._damaged.append(DamagedLine(self._lines, "the line is no decision"))
        elif decision.id not in self._known:
            self._known.add(decision.id)
            self._decisions.append(decision)

    def _write(self, content: bytes) -> None:
        try:
            is_new = not self.path.exists()
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY, 0o600)
            try:
                _write_whole(file, content)
            finally:
                os.close(file)
            if is_new:
                _force_folder(self.path.parent)
        except OSError as error:
            raise self._failed("written", error) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from writing meanwhile."""
        lock = RunLock(self.path.parent, self.path.name)
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                lock.acquire()
                break
            except LockedError as error:
                if time.monotonic() > until:
                    problem = "another process keeps the log of decisions"
                    raise DecisionLogError(problem, subject=str(self.path), hint="end it, then try again") from error
                time.sleep(_BETWEEN_TRIES_S)
            except JournalError as error:
                raise DecisionLogError(error.problem, subject=str(self.path), hint=_HINT) from error
        try:
            yield
        finally:
            lock.release()

    def _failed(self, what: str, error: OSError) -> DecisionLogError:
        problem = f"cannot be {what}: {error.strerror or error}"
        return DecisionLogError(problem, subject=str(self.path), hint=_HINT)


def study_id_of(smear: Smear) -> str:
    """Return the study id of a smear's images in any order."""
    return local_study_id(sorted({one.file_id for one in smear.fields}))


def default_path(study_id: str) -> Path:
    """Return where the log of a study lies in the user's own folder for data."""
    from platformdirs import user_data_path

    return user_data_path("hemato_lab") / "decisions" / f"{study_id}{SUFFIX}"


def log_bytes(decisions: Sequence[Decision], study_id: str) -> bytes:
    """Return the file of a log with these decisions, as `DecisionLog.take_in` reads it."""
    return _head(study_id) + lines_of(decisions)


def _head(study_id: str) -> bytes:
    head = {"format": FORMAT, "version": VERSION, "study_id": study_id, "notice": RESEARCH_USE_NOTICE}
    return (json.dumps(head, separators=(",", ":")) + "\n").encode("ascii")


def _is_head(line: bytes, subject: str, study_id: str) -> bool:
    """Tell whether a line is the head of this log, or only the beginning of it; refuse what is neither."""
    if _head(study_id).startswith(line) and _head(study_id) != line + b"\n":
        return False
    head = _object_of(line)
    if head is None or head.get("format") != FORMAT:
        raise DecisionLogError("is no log of decisions", subject=subject, hint=_OTHER_FILE)
    if head.get("version") != VERSION:
        problem = f"was written by another version (format {head.get('version')})"
        raise DecisionLogError(problem, subject=subject, hint="update hemato_lab")
    if head.get("study_id") != study_id:
        raise DecisionLogError(
            "holds decisions about other images", subject=subject, hint="give every smear a file of its own"
        )
    return True


def _parsed(content: bytes, subject: str, study_id: str) -> list[Decision]:
    head, *lines = content.split(b"\n")
    if not _is_head(head, subject, study_id):
        raise DecisionLogError("is no log of decisions", subject=subject, hint="give the file as it was written")
    found = [_decision_of(line) for line in lines if line]
    return [one for one in found if one is not None]


def _decision_of(line: bytes) -> Decision | None:
    members = _object_of(line)
    if members is None:
        return None
    try:
        return read_decision(members)
    except ValueError:
        return None


def _object_of(line: bytes) -> dict[str, Any] | None:
    try:
        members = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _bytes_of(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise DecisionLogError(problem, subject=str(path), hint="check the file's name") from error


def _write_whole(file: int, content: bytes) -> None:
    """Write all bytes and force them to the disk; where that fails, take away what of them was written."""
    before = os.fstat(file).st_size
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, before)
        raise


def _force_folder(folder: Path) -> None:
    """Force a new file's name to the disk; not every system lets a folder be opened for it."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
