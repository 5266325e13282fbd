"""A run in progress: what its stages share, and the one way in which a result comes to be."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from hemato_lab.batch.folders import LOG_FILE, smear_folder
from hemato_lab.batch.journal import StageRecord
from hemato_lab.batch.model import DONE, FAILED, LOCAL_STAGE, PENDING, Outcome
from hemato_lab.batch.writing import append_private, remove_files, write_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hemato_lab.batch.entries import SmearEntry
    from hemato_lab.batch.journal import Journal
    from hemato_lab.batch.model import Progress, State

_NEVER_TRIED: Final = StageRecord()


class Stage(Protocol):
    """Something that is done with every smear of a batch that it applies to."""

    @property
    def name(self) -> str:
        """Name in the journal."""
        ...

    def applies_to(self, entry: SmearEntry) -> bool:
        """Tell whether it has anything to do with a smear; without, it does not keep the smear from being done."""
        ...

    def carry_out(self, run: Run) -> None:
        """Do it, and commit the result of every smear by `Run.commit` or `Run.fail`, from the thread that calls this.

        Raises
        ------
        HematoError
            If nothing can go on, for whatever smear.
        """
        ...


@dataclass
class Run:
    """A run in progress.

    Attributes
    ----------
    out : Path
        Results folder.
    entries : tuple of SmearEntry
        All smears, with different ids.
    journal : Journal
        Open.
    retry_failed : bool
        Whether what failed before is tried again.
    progress : callable or None
        Told after every commit.
    """

    out: Path
    entries: tuple[SmearEntry, ...]
    journal: Journal
    retry_failed: bool = False
    progress: Progress | None = None
    _records: dict[str, dict[str, StageRecord]] = field(default_factory=dict, repr=False)
    _ended: dict[str, set[str]] = field(default_factory=dict, repr=False)

    def record(self, stage: str, smear_id: str) -> StageRecord:
        """Return how a stage of a smear ended; pending when it was never tried."""
        return self._of(stage).get(smear_id, _NEVER_TRIED)

    def is_done(self, stage: str, smear_id: str) -> bool:
        """Tell whether a stage of a smear is done, so that its results can be used."""
        return self.record(stage, smear_id).state == DONE

    def has_results(self, stage: str, smear_id: str) -> bool:
        """Tell whether every result that the journal knows lies on the disk as it was written."""
        folder = smear_folder(self.out, smear_id)
        files = self.record(stage, smear_id).files
        return bool(files) and all(_sha256_of(folder / name) == sha256 for name, sha256 in files.items())

    def commit(self, stage: str, smear_id: str, files: Mapping[str, bytes], *, basis: str, attempts: int = 1) -> None:
        """Write the results of a stage, then note that it is done, then tell.

        Parameters
        ----------
        files : mapping of str to bytes
            Content of each file by its name in the smear's folder; may be empty.
        basis : str
            See `StageRecord`.
        attempts : int
            Tries of this run.

        Raises
        ------
        StorageFullError, BatchError, JournalError
            If that is not possible; then nothing is noted.
        """
        before = self.record(stage, smear_id)
        folder = smear_folder(self.out, smear_id)
        gone = [name for name in before.files if name not in files]
        if files:
            write_files(folder, files)
        if gone:
            remove_files(folder, gone)
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        self._note(stage, smear_id, StageRecord(DONE, basis, before.attempts + attempts, files=hashes))

    def fail(
        self, stage: str, smear_id: str, code: str, error: str, *, basis: str, attempts: int = 1, log: str = ""
    ) -> None:
        """Note that a stage failed, and why; results of an earlier success are kept.

        Parameters
        ----------
        code, error : str
            What kind of failure, and what went wrong in words.
        basis : str
            See `StageRecord`.
        attempts : int
            Tries of this run.
        log : str
            For the log alone.
        """
        if log:
            self.log(f"{smear_id}, {stage}: {code}\n{log}")
        before = self.record(stage, smear_id)
        record = replace(
            before, state=FAILED, basis=basis, attempts=before.attempts + attempts, error_code=code, error=error
        )
        self._note(stage, smear_id, record)

    def forget(self, stage: str, smear_id: str) -> None:
        """Have a stage of a smear done anew: its files are removed, as they are of something else.

        Before that is noted, so that a run which is killed in between forgets it once more; and together with it the
        input files are no longer registered, so that the next run takes them as they are, as this one would have.
        """
        record, is_local = self.record(stage, smear_id), stage == LOCAL_STAGE
        if record != _NEVER_TRIED or is_local:
            remove_files(smear_folder(self.out, smear_id), record.files)
            forgotten = StageRecord(PENDING, attempts=record.attempts)
            self._write(stage, smear_id, forgotten, without_inputs=is_local)

    def restore(self, stage: str, smear_id: str) -> None:
        """Count a smear whose results are good, and note that a failure after them, if there was one, is over."""
        record = self.record(stage, smear_id)
        if record.state != DONE:
            self._write(stage, smear_id, replace(record, state=DONE, error_code="", error=""))
        self._tell(stage, smear_id)

    def pass_over(self, stage: str, smear_id: str) -> None:
        """Count a smear for which a stage has nothing to do now."""
        self._tell(stage, smear_id)

    def log(self, text: str) -> None:
        """Add to the log; where that is not possible, the log lacks it."""
        with suppress(OSError):
            append_private(self.out / LOG_FILE, f"{text.rstrip()}\n")

    def outcomes(self, stages: Sequence[Stage]) -> tuple[Outcome, ...]:
        """Return how every smear stands after these stages."""
        return tuple(self._outcome(entry, [one for one in stages if one.applies_to(entry)]) for entry in self.entries)

    def _outcome(self, entry: SmearEntry, stages: Sequence[Stage]) -> Outcome:
        records = {stage.name: self.record(stage.name, entry.smear_id) for stage in stages}
        failure = next((one for one in records.values() if one.state == FAILED), None)
        states: dict[str, State] = {name: one.state for name, one in records.items()}
        state: State = FAILED if failure else PENDING if PENDING in states.values() else DONE
        files = {name: sha256 for one in records.values() for name, sha256 in one.files.items()}
        told = failure or _NEVER_TRIED
        return Outcome(entry, state, told.error_code, told.error, files, states)

    def _of(self, stage: str) -> dict[str, StageRecord]:
        if stage not in self._records:
            self._records[stage] = self.journal.records(stage)
        return self._records[stage]

    def _note(self, stage: str, smear_id: str, record: StageRecord) -> None:
        self._write(stage, smear_id, record)
        self._tell(stage, smear_id)

    def _write(self, stage: str, smear_id: str, record: StageRecord, *, without_inputs: bool = False) -> None:
        known = self._of(stage)
        self.journal.note(smear_id, stage, record, without_inputs=without_inputs)
        known[smear_id] = record

    def _tell(self, stage: str, smear_id: str) -> None:
        ended = self._ended.setdefault(stage, set())
        ended.add(smear_id)
        if self.progress is not None:
            self.progress(stage, len(ended), len(self.entries))


def _sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; of one that cannot be read, nothing that could be one."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
