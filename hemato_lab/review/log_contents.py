"""What the file of a log of decisions says, read piece by piece as it grows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.errors import DecisionLogError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.review.decision import UNKNOWN_TIME, Decision, read_decision

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT: Final = "hemato_lab decisions"
VERSION: Final = 1
OTHER_FILE: Final = "give another file: --decisions on the command line, decisions= in Python"
_BEGINNING: Final = json.dumps({"format": FORMAT}, separators=(",", ":")).encode("ascii").removesuffix(b"}")
_END_KEPT: Final = 512
"""Bytes of the end that was read, by which a file that something else has written is known."""


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


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a log.

    Attributes
    ----------
    study_id : str
        Of the smear for which the file was made.
    file_ids : frozenset of str
        Of that smear's images; empty where the line does not say them.
    """

    study_id: str
    file_ids: frozenset[str] = frozenset()

    def line(self) -> bytes:
        """Return the line with its end."""
        head: dict[str, Any] = {"format": FORMAT, "version": VERSION, "study_id": self.study_id}
        if self.file_ids:
            head["file_ids"] = sorted(self.file_ids)
        return (json.dumps(head | {"notice": RESEARCH_USE_NOTICE}, separators=(",", ":")) + "\n").encode("ascii")

    def shares_images(self, study_id: str, file_ids: Iterable[str]) -> bool:
        """Tell whether the log is of a smear, or of one that has an image of it."""
        return self.study_id == study_id or not self.file_ids.isdisjoint(file_ids)


class LogContents:
    """The decisions of a file and what of it could not be read.

    Parameters
    ----------
    subject : str
        What errors call the file.

    Attributes
    ----------
    head : Head or None
        None until the first line was read.
    decisions, ids
        Each decision once, in the order of the file.
    size : int
        Bytes that were read, of which `end` are the last ones.
    open_end : bytes
        Of the last line, where its end is missing.
    latest : datetime
        Time of the latest decision.
    starts : dict of str to int
        How many decisions stand in the part of the file up to the end of a line, with or without its newline, by the
        SHA-256 of that part.
    """

    def __init__(self, subject: str) -> None:
        self.head: Head | None = None
        self.decisions: list[Decision] = []
        self.ids: set[str] = set()
        self.size = 0
        self.end = b""
        self.latest = UNKNOWN_TIME
        self.starts: dict[str, int] = {}
        self.open_end = b""
        self._subject = subject
        self._counted = b""
        self._damaged: list[DamagedLine] = []
        self._lines = 0
        self._digest = hashlib.sha256()

    @property
    def damaged(self) -> tuple[DamagedLine, ...]:
        """Lines that could not be read."""
        is_torn = self.open_end != self._counted
        torn = (DamagedLine(self._lines + 1, "the line ends before the decision does"),) if is_torn else ()
        return (*self._damaged, *torn)

    @property
    def sha256(self) -> str:
        """SHA-256 of all that was read, in hex."""
        digest = self._digest.copy()
        digest.update(self.open_end)
        return digest.hexdigest()

    def add(self, added: bytes) -> None:
        """Go on reading.

        Raises
        ------
        DecisionLogError
            If the file is no log of decisions, or of another version.
        """
        self.size += len(added)
        self.end = (self.end + added)[-_END_KEPT:]
        *whole, self.open_end = (self.open_end + added).split(b"\n")
        for line in whole:
            self._lines += 1
            if line != self._counted and not self._take(line):
                what = "decision" if self.head else "head of the log"
                self._damaged.append(DamagedLine(self._lines, f"the line is no {what}"))
            self._counted = b""
            for part in (line, b"\n"):
                self._digest.update(part)
                self.starts[self._digest.hexdigest()] = len(self.decisions)
        # A line that is whole but for its end counts at once, and not once more when that end comes.
        if self.open_end and self._take(self.open_end):
            self._counted = self.open_end

    def _take(self, line: bytes) -> bool:
        """Take over what a line says; tell whether it could be read."""
        if self.head is None:
            self.head = read_head(line, self._subject)
            return self.head is not None
        if not line.strip():
            return True
        decision = decision_of(line)
        if decision is None:
            return False
        if decision.id not in self.ids:
            self.ids.add(decision.id)
            self.decisions.append(decision)
            self.latest = max(self.latest, decision.moment)
        return True

    def shares_images(self, study_id: str, file_ids: frozenset[str]) -> bool:
        """Tell whether the log is of a smear, of one that has an image of it, or decides about one."""
        if self.head is not None and self.head.shares_images(study_id, file_ids):
            return True
        return any(one.file_id in file_ids for one in self.decisions)


def read_head(line: bytes, subject: str) -> Head | None:
    """Return what the first line says, None where it was cut short.

    Raises
    ------
    DecisionLogError
        If it is no head of a log, or one of another version.
    """
    members = _object_of(line)
    if _BEGINNING.startswith(line) or (members is None and line.startswith(_BEGINNING)):
        return None
    if members is None or members.get("format") != FORMAT:
        raise DecisionLogError("is no log of decisions", subject=subject, hint=OTHER_FILE)
    version = members.get("version")
    if version != VERSION:
        is_newer = isinstance(version, int) and version > VERSION
        hint = "update hemato_lab" if is_newer else f"restore the file from a copy, or {OTHER_FILE}"
        raise DecisionLogError(f"was written by another version (format {version})", subject=subject, hint=hint)
    file_ids = members.get("file_ids")
    listed = [one for one in file_ids if isinstance(one, str)] if isinstance(file_ids, list) else []
    return Head(str(members.get("study_id")), frozenset(listed))


def decision_of(line: bytes) -> Decision | None:
    """Return the decision of a line, None where it is none."""
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
