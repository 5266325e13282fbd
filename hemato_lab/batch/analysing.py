"""The first stage: every smear analysed on our own machines."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from hemato_lab.batch.folders import smear_folder
from hemato_lab.batch.inputs import first_changed, input_names, register
from hemato_lab.batch.model import FAILED, LOCAL_STAGE, PENDING, Work
from hemato_lab.batch.writing import remove_files
from hemato_lab.errors import ConfigError, HematoError, InputChangedError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.batch.engines import Engine
    from hemato_lab.batch.entries import SmearEntry
    from hemato_lab.batch.inputs import InputFile
    from hemato_lab.batch.model import Settings, WorkResult
    from hemato_lab.batch.run import Run

Verdict = Literal["keep", "leave", "refuse", "go on", "anew"]
"""Of a smear when its turn comes: its results are kept; it stays failed; its files changed; it is analysed, with the
files that were registered, or as if nothing were known of it."""
_WINDOW: Final = 2
"""Smears in flight for each that can be worked on at a time: while one is written, the worker has the next."""


class Analysing:
    """Analyses the smears of a run, a window at a time.

    Parameters
    ----------
    settings : Settings
        How, and which files are written.
    agreed : str
        Digest of all that the settings stand for.
    engine : Engine
        Where; it is closed at the end.
    window : int or None
        Smears in flight at a time; None for twice as many as can be worked on at a time.

    Raises
    ------
    ConfigError
        If the window is impossible.
    """

    name = LOCAL_STAGE

    def __init__(self, settings: Settings, agreed: str, engine: Engine, window: int | None = None) -> None:
        if window is not None and window < 1:
            raise ConfigError(f"a window of {window} smears is impossible", hint="use 1 or more")
        self._settings = settings
        self._agreed = agreed
        self._engine = engine
        self._window = window

    def applies_to(self, entry: SmearEntry) -> bool:  # noqa: ARG002
        """Every smear is analysed."""
        return True

    def carry_out(self, run: Run) -> None:
        """Analyse what is not done yet; the next smear is handed over only after a result is on the disk."""
        with closing(self._engine) as engine:
            outstanding = self._outstanding(run)
            in_flight: dict[str, Work] = {}
            while True:
                self._fill(engine, outstanding, in_flight)
                if not in_flight:
                    return
                for result in engine.wait():
                    _commit(run, in_flight.pop(result.smear_id), result)
                    self._fill(engine, outstanding, in_flight)

    def _fill(self, engine: Engine, outstanding: Iterator[Work], in_flight: dict[str, Work]) -> None:
        while works := tuple(islice(outstanding, self._room(engine, len(in_flight)))):
            in_flight.update((work.entry.smear_id, work) for work in works)
            engine.submit(works)

    def _room(self, engine: Engine, in_flight: int) -> int:
        """Return how many smears the next task may hold; none when the window has no room for a whole one."""
        window = self._window or _WINDOW * engine.capacity * engine.per_task
        size = min(engine.per_task, window)
        return size if in_flight + size <= window else 0

    def _outstanding(self, run: Run) -> Iterator[Work]:
        registered = run.journal.inputs()
        for entry in run.entries:
            inputs = self._to_analyse(run, entry, registered.get(entry.smear_id, ()))
            if inputs:
                yield Work(_for_workers(entry), tuple(one.file_id for one in inputs), self._settings, self._agreed)

    def _to_analyse(self, run: Run, entry: SmearEntry, inputs: tuple[InputFile, ...]) -> tuple[InputFile, ...]:
        """Return the registered files of a smear that is to be analysed; nothing when it is done or has failed."""
        verdict = _verdict(run, entry, inputs)
        if verdict == "go on":
            return inputs or self._registered(run, entry)
        if verdict == "anew":
            run.forget(self.name, entry.smear_id)
            return self._registered(run, entry)
        if verdict == "refuse":
            self._fail(run, entry, _changed(entry, inputs), attempts=0)
        elif verdict == "keep":
            run.restore(self.name, entry.smear_id)
        else:
            run.pass_over(self.name, entry.smear_id)
        return ()

    def _registered(self, run: Run, entry: SmearEntry) -> tuple[InputFile, ...]:
        try:
            inputs = register(entry)
        except InputError as error:
            self._fail(run, entry, error)
            return ()
        run.journal.register(entry.smear_id, inputs)
        return inputs

    def _fail(self, run: Run, entry: SmearEntry, error: HematoError, attempts: int = 1) -> None:
        """Note that a smear cannot be analysed; earlier results are kept, and nothing else."""
        if not run.record(self.name, entry.smear_id).files:
            _remove_unfinished(run, entry.smear_id, self._settings)
        run.fail(self.name, entry.smear_id, error.code, str(error), basis=_basis(entry), attempts=attempts)


def _verdict(run: Run, entry: SmearEntry, inputs: tuple[InputFile, ...]) -> Verdict:
    """Decide about a smear by what the journal knows of it, its files, and its results on the disk."""
    record = run.record(LOCAL_STAGE, entry.smear_id)
    other_files = bool(inputs) and input_names(entry.paths) != tuple(one.name for one in inputs)
    if other_files or (record.state != PENDING and record.basis != _basis(entry)):
        return "anew"
    had_changed = record.error_code == InputChangedError.code
    if record.state == FAILED and not had_changed:
        return "anew" if run.retry_failed else "leave"
    if first_changed(entry, inputs):
        return "refuse" if not had_changed else "anew" if run.retry_failed else "leave"
    if record.state == PENDING or not record.files:
        return "go on"
    return "keep" if run.has_results(LOCAL_STAGE, entry.smear_id) else "anew"


def _commit(run: Run, work: Work, result: WorkResult) -> None:
    smear_id, basis = work.entry.smear_id, _basis(work.entry)
    if not result.error_code:
        run.commit(LOCAL_STAGE, smear_id, result.files, basis=basis, attempts=result.attempts)
        return
    _remove_unfinished(run, smear_id, work.settings)
    code, error = result.error_code, result.error
    run.fail(LOCAL_STAGE, smear_id, code, error, basis=basis, attempts=result.attempts, log=result.log)


def _remove_unfinished(run: Run, smear_id: str, settings: Settings) -> None:
    """Remove what a run left that was killed while it wrote the files of a smear."""
    remove_files(smear_folder(run.out, smear_id), settings.files)


def _for_workers(entry: SmearEntry) -> SmearEntry:
    """Return what an analysis needs of an entry: who the patient is, and who else read the smear, stays here."""
    return replace(entry, patient="", remote_study_id="", reference="")


def _basis(entry: SmearEntry) -> str:
    """Return what of an entry its results depend on, as a digest: tags are not repeated in clear."""
    names = list(input_names(entry.paths))
    scale = [entry.um_per_px, entry.rbc_diameter_px]
    plain = json.dumps({"files": names, "scale": scale, "tags": dict(entry.tags)}, sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def _changed(entry: SmearEntry, inputs: tuple[InputFile, ...]) -> InputChangedError:
    problem = f"{first_changed(entry, inputs)} is not what an earlier run registered, or cannot be read any more"
    hint = "restore it, or run with --retry-failed to analyse it as it is now"
    return InputChangedError(problem, subject=entry.smear_id, hint=hint)
