"""The log of decisions on disk: lines are added at its end, and none is ever changed or taken away."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from hemato_lab.api.locks import RunLock
from hemato_lab.errors import DecisionLogError, JournalError, LockedError
from hemato_lab.review.decision import Decision, lines_of, read_decision
from hemato_lab.review.log_contents import OTHER_FILE, DamagedLine, Head, LogContents
from hemato_lab.review.log_places import LogPlace, default_place, file_ids_of, study_id_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from hemato_lab.smear import Smear

_PATIENCE_S: Final = 20.0
"""Seconds to wait for another process that writes."""
_BETWEEN_TRIES_S: Final = 0.01
_BINARY: Final = getattr(os, "O_BINARY", 0)
_HINT: Final = f"check the disk and its permissions, or {OTHER_FILE}"


class DecisionLog:
    """The decisions about one smear, in a file; safe for threads, and for several processes at a time.

    The file is text, one JSON object a line: the first says what it is, the others are decisions (`Decision`). It holds
    hashes of images, never their names or labels. A new file is readable by its owner alone; who may read a file that
    holds decisions already is left as it is. When `append` returns, its decisions are on the disk.

    Parameters
    ----------
    path : path-like
        The file; made when the first decision is.
    study_id : str
        Of the smear (`hemato_lab.report.local_study_id`).
    file_ids : collection of str
        Of the smear's images. A file that was made for other images is accepted when it shares one of them.
    remark : str
        For people, how the file was chosen.

    Attributes
    ----------
    path, study_id, file_ids, remark
        See the parameters.
    rereads : int
        How often the file was found to be another one, with no decision missing, and was read from its start.

    Raises
    ------
    DecisionLogError
        If the file cannot be read, is no log of decisions, is of another smear or of another version.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        study_id: str,
        file_ids: Collection[str] = (),
        *,
        remark: str = "",
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self.study_id = study_id
        self.file_ids = frozenset(file_ids)
        self.remark = remark
        self.rereads = 0
        self._guard = threading.RLock()
        self._contents = LogContents(str(self.path))
        self._file: tuple[int, int] | None = None
        self._left_out: list[DamagedLine] = []
        self.refresh()

    @classmethod
    def of_smear(cls, smear: Smear, path: str | os.PathLike[str] | None = None) -> DecisionLog:
        """Open the log of a smear: the file given, or that in the user's own folder for data.

        Without a file, the log of these images is taken, in any order; where there is none, one that shares images with
        the smear. ``remark`` says so.

        Raises
        ------
        DecisionLogError
            See `DecisionLog`.
        """
        place = default_place(smear) if path is None else LogPlace(Path(path), "")
        return cls(place.path, study_id_of(smear), file_ids_of(smear), remark=place.remark)

    def __len__(self) -> int:
        return len(self._contents.decisions)

    def __repr__(self) -> str:
        lines = len(self._contents.damaged)
        damaged = f", {lines} damaged {'line' if lines == 1 else 'lines'}" if lines else ""
        return f"DecisionLog({str(self.path)!r}, {len(self)} decisions{damaged})"

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All decisions in the order of the file, withdrawn ones and their withdrawals too.

        It is the order in which they were made here; what was taken in from another log follows when it was taken in.
        """
        with self._guard:
            return tuple(self._contents.decisions)

    @property
    def damaged(self) -> tuple[DamagedLine, ...]:
        """Lines that could not be read as decisions and are kept as they are."""
        with self._guard:
            return self._contents.damaged

    @property
    def left_out(self) -> tuple[DamagedLine, ...]:
        """Lines of the logs that were taken in by this object and could not be read; they are not in this log."""
        with self._guard:
            return tuple(self._left_out)

    @property
    def sha256(self) -> str:
        """SHA-256 of the file as far as it was read, in hex."""
        with self._guard:
            return self._contents.sha256

    def decided_up_to(self, sha256s: Collection[str]) -> tuple[Decision, ...]:
        """Return the decisions that the file held when its SHA-256 was one of these; of several states the last."""
        with self._guard:
            return tuple(
                self._contents.decisions[: max((self._contents.starts.get(one, 0) for one in sha256s), default=0)]
            )

    def append(self, decisions: Sequence[Decision]) -> None:
        """Add decisions, all or none; when this returns they are on the disk.

        None of them is dated before what the log holds already, so that a clock that was set back, or a wrong one of
        another reader, does not put what is decided now behind what was decided before.

        Raises
        ------
        DecisionLogError
            If they cannot be written, would not be read again, or another process keeps the file for too long. None of
            them counts then.
        """
        if not decisions:
            return
        self._lines_of(decisions)
        with self._guard, self._alone():
            self.refresh()
            latest = self._contents.latest
            time_of_latest = latest.isoformat(timespec="microseconds")
            self._add([one if one.moment >= latest else replace(one, time=time_of_latest) for one in decisions])

    def _add(self, decisions: Sequence[Decision]) -> None:
        """Write decisions as they are; the file must be kept from others and be read to its end."""
        head = b"" if self._contents.head else Head(self.study_id, self.file_ids).line()
        # A line that was cut short stays as it is; what follows begins a line of its own.
        self._write((b"\n" if self._contents.open_end else b"") + head + self._lines_of(decisions))
        self.refresh()

    def _lines_of(self, decisions: Sequence[Decision]) -> bytes:
        """Return lines that will be read again as these decisions."""
        for one in decisions:
            try:
                read_decision(json.loads(one.line()))
            except ValueError as error:
                where = f"at ({one.x:g}, {one.y:g}) with the radius {one.radius:g}"
                problem = f"a decision about the {one.name or 'cell'} {where} cannot be kept: {error}"
                raise DecisionLogError(problem, subject=str(self.path), hint="analyse the smear again") from error
        return lines_of(decisions)

    def refresh(self) -> bool:
        """Read what was added since, by this or another process; tell whether there was anything.

        A file that something else has put in place of the one that was read, as programs that synchronise folders do,
        is read from its start.

        Raises
        ------
        DecisionLogError
            See `DecisionLog`; also if decisions that were read before are not in the file any more.
        """
        with self._guard:
            try:
                with self.path.open("rb") as stream:
                    return self._read(stream)
            except FileNotFoundError:
                if self._contents.size:
                    raise DecisionLogError(
                        "is gone, and its decisions with it", subject=str(self.path), hint="put the file back"
                    ) from None
                return False
            except OSError as error:
                raise self._failed("read", error) from error

    def _read(self, stream: BinaryIO) -> bool:
        known, status = self._contents, os.fstat(stream.fileno())
        file = (status.st_dev, status.st_ino)
        if status.st_size < known.size:
            problem = "has become shorter, so that decisions may be lost"
            raise DecisionLogError(problem, subject=str(self.path), hint="restore the file from a copy")
        stream.seek(known.size - len(known.end))
        is_same = self._file in {None, file} and stream.read(len(known.end)) == known.end
        if not is_same:
            stream.seek(0)
            if hashlib.sha256(stream.read(known.size)).hexdigest() != known.sha256:
                stream.seek(0)
                self._start_again(stream.read())
                self._file = file
                return True
        added = stream.read()
        if added:
            known.add(added)
            self._check_images(known, str(self.path))
        self._file = file
        return bool(added)

    def _start_again(self, content: bytes) -> None:
        """Take over a file that is not the one that was read, if it holds every decision of that one."""
        found = LogContents(str(self.path))
        found.add(content)
        self._check_images(found, str(self.path))
        missing = len(self._contents.ids - found.ids)
        if missing:
            what = "a decision is" if missing == 1 else f"{missing} decisions are"
            problem = f"was replaced or changed by something else, and {what} missing from it"
            hint = "put the file back from a copy; the decisions of two files come together by DecisionLog.take_in"
            raise DecisionLogError(problem, subject=str(self.path), hint=hint)
        self._contents = found
        self.rereads += 1

    def _check_images(self, contents: LogContents, subject: str) -> None:
        if contents.head is not None and not contents.shares_images(self.study_id, self.file_ids):
            hint = "give every smear a file of its own"
            raise DecisionLogError("holds decisions about other images", subject=subject, hint=hint)

    def take_in(self, content: bytes | str | os.PathLike[str]) -> int:
        """Add the decisions of another log about images of this smear that are not in this one yet.

        They keep their times. Of decisions about one cell the later one holds, so that the clocks of the two computers
        decide where both logs say something about it.

        Parameters
        ----------
        content : bytes or path
            A log's file, as a page that was sent by mail hands it out. Lines that cannot be read are passed over and
            listed in ``left_out``.

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
        other = LogContents(name)
        other.add(content)
        if other.head is None:
            raise DecisionLogError("is no log of decisions", subject=name, hint="give the file as it was written")
        self._check_images(other, name)
        with self._guard, self._alone():
            self.refresh()
            new = [one for one in other.decisions if one.id not in self._contents.ids]
            if new:
                self._add(new)
            self._left_out += other.damaged
            return len(new)

    def _write(self, content: bytes) -> None:
        try:
            is_new = not self.path.exists()
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY, 0o600)
            try:
                if not os.fstat(file).st_size and hasattr(os, "fchmod"):
                    os.fchmod(file, 0o600)
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


def log_bytes(decisions: Sequence[Decision], study_id: str, file_ids: Collection[str] = ()) -> bytes:
    """Return the file of a log of these images with these decisions, as `DecisionLog.take_in` reads it."""
    return Head(study_id, frozenset(file_ids)).line() + lines_of(decisions)


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
