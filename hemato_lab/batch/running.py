"""`run_batch`: a results folder, its journal, and the stages that every smear goes through."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hemato_lab.batch.analysing import Analysing
from hemato_lab.batch.engines import make_engine
from hemato_lab.batch.folders import (
    CELLS_PARQUET,
    JOURNAL_FILE,
    LOG_FILE,
    NOTICE_FILE,
    PAGE_FILE,
    RESULT_FILES,
    SMEARS_FOLDER,
    SUMMARY_CSV,
    SUMMARY_PARQUET,
    smear_folder,
)
from hemato_lab.batch.journal import Journal
from hemato_lab.batch.journal_file import refuse_foreign
from hemato_lab.batch.lock import only_batch_in
from hemato_lab.batch.model import BatchResult, Settings
from hemato_lab.batch.pinning import digest, pinned
from hemato_lab.batch.run import Run
from hemato_lab.batch.writing import make_folder, remove_files, storage_errors, write_file
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.batch.engines import Engine
    from hemato_lab.batch.entries import SmearEntry
    from hemato_lab.batch.model import Progress
    from hemato_lab.batch.run import Stage

LOCAL: Final = "local"
"""The engine of processes of this machine."""
_OF_ALL: Final = (SUMMARY_CSV, SUMMARY_PARQUET, CELLS_PARQUET, PAGE_FILE, LOG_FILE)
_JOURNAL_FILES: Final = (JOURNAL_FILE, f"{JOURNAL_FILE}-wal", f"{JOURNAL_FILE}-shm")


def run_batch(
    entries: Sequence[SmearEntry],
    out: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    engine: str | Engine = LOCAL,
    workers: int | None = None,
    per_task: int = 1,
    window: int | None = None,
    retry_failed: bool = False,
    fresh: bool = False,
    later: Sequence[Stage] = (),
    progress: Progress | None = None,
) -> BatchResult:
    """Analyse many smears into a results folder; run again after any end, it goes on where it stopped.

    Each result is on the disk, and noted in the journal, before it is counted. However a run ends, the next one works
    on at most `window` smears again, and the results are byte for byte those of an undisturbed run, on every engine and
    with any number of workers. A smear that fails never stops the others.

    Parameters
    ----------
    entries : sequence of SmearEntry
        The smears, with different ids. Those of earlier runs in the same folder that are not among them are left as
        they are; one whose files have other names, or whose scale or tags changed, is analysed anew.
    out : path-like
        Results folder, made when it is missing; `hemato_lab.batch.folders` says what lies where.
    settings : Settings or None
        How smears are analysed, and which files are written; None for the defaults.
    engine : str or Engine
        ``local``, or a Dask cluster: ``tcp://host:8786``, ``local:8``, ``local:2-8``.
    workers : int or None
        Processes of the engine ``local``, and of no other; None for one a processor.
    per_task : int
        Smears of a Dask task; more than one pays where a smear takes a few milliseconds only.
    window : int or None
        Smears in flight at a time; None for twice as many as can be worked on at a time.
    retry_failed : bool
        Whether smears that failed before are tried again; one whose files changed is then analysed as it is now.
    fresh : bool
        Whether results of earlier runs in the folder are removed first.
    later : sequence of Stage
        What is done with the smears after their analysis, in this order.
    progress : callable, optional
        Told after every commit: the stage, the smears that it has ended, and all.

    Returns
    -------
    BatchResult
        How each smear ended.

    Raises
    ------
    ConfigError, ModelError
        If an argument is impossible, or the folder holds results made with other settings.
    LockedError
        If another batch works in the folder.
    JournalError
        If the journal is damaged, or a database of something else.
    StorageFullError
        If there is no room left. What was finished is kept, and the next run goes on from there.
    BatchError
        If nothing can be written, or no worker can be started or reached.
    """
    chosen = settings or Settings()
    _check_distinct(entries)
    agreed = pinned(chosen)
    analysing = Analysing(chosen, digest(agreed), _engine(engine, workers, per_task), window)
    folder = _made_folder(out)
    with only_batch_in(folder):
        if fresh:
            _clear(folder)
        write_file(folder / NOTICE_FILE, f"{RESEARCH_USE_NOTICE}\n".encode())
        with Journal(folder / JOURNAL_FILE) as journal:
            journal.settle(agreed)
            journal.add(entries)
            run = Run(folder, tuple(entries), journal, retry_failed=retry_failed, progress=progress)
            stages: tuple[Stage, ...] = (analysing, *later)
            for stage in stages:
                stage.carry_out(run)
            return BatchResult(folder, run.outcomes(stages))


def _engine(engine: str | Engine, workers: int | None, per_task: int) -> Engine:
    if not isinstance(engine, str):
        return engine
    if engine != LOCAL and workers is not None:
        raise ConfigError("workers are counted for processes of this machine alone", hint="or use local:8 for Dask")
    if engine == LOCAL and per_task != 1:
        raise ConfigError("smears a task are counted for Dask alone", hint="leave it out, or name a Dask cluster")
    processors = os.cpu_count() or 1
    return make_engine(engine, workers=processors if workers is None else workers, per_task=per_task)


def _check_distinct(entries: Sequence[SmearEntry]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        name = smear_folder(Path(), entry.smear_id).name.casefold()
        if (before := seen.get(name)) is not None:
            same = "two smears have this id" if before == entry.smear_id else f"shares its folder with {before!r}"
            raise ConfigError(same, subject=entry.smear_id, hint="give each smear an id of its own")
        seen[name] = entry.smear_id


def _made_folder(out: str | os.PathLike[str]) -> Path:
    folder = Path(out).absolute()
    make_folder(folder)
    return folder


def _clear(folder: Path) -> None:
    """Remove what earlier runs made, and nothing else; the journal last, so that it can be done again after a kill.

    Raises
    ------
    JournalError
        If the journal is a database of something else; then nothing is removed.
    """
    from hemato_lab.batch.agreeing import TABLE_FILES

    journal = folder / JOURNAL_FILE
    with storage_errors(folder):
        refuse_foreign(journal)
        smears = folder / SMEARS_FOLDER
        for one in list(smears.iterdir()) if smears.is_dir() else []:
            if one.is_dir() and not one.is_symlink():
                remove_files(one, RESULT_FILES)
        if journal.exists():  # else a page or a table of that name is someone else's
            remove_files(folder, (*_OF_ALL, *TABLE_FILES.values()))
        for name in _JOURNAL_FILES:
            (folder / name).unlink(missing_ok=True)
