"""Keeping a leased job: signs of life while it runs, and how far it is."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from hemato_lab.twin import jobs
from hemato_lab.twin.database import open_database, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hemato_lab.twin.jobs import Job

_SIGN_OF_LIFE_S: Final = jobs.LEASE_S / 4
_PROGRESS_S: Final = 0.25
LONGEST_SILENCE_S: Final = 1800.0
"""Without a tile done for so long, an analysis hangs; the largest slides take a minute a tile."""
HUNG: Final = 75
"""Exit code of a process that ended itself because its work hung."""


class LeaseLostError(Exception):
    """Another worker has the job now."""


class Progress:
    """Notes how far a job is and prolongs its lease, seldom enough to cost nothing; for the thread that analyses."""

    def __init__(self, folder: Path, job: Job) -> None:
        self._connection = open_database(folder, forced=False)
        self._job = job
        self._noted_at = 0.0
        self._heard_at = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Take note that so many tiles of all are done.

        Raises
        ------
        LeaseLostError
            If the job is another's.
        """
        self._heard_at = time.monotonic()
        if time.monotonic() - self._noted_at < _PROGRESS_S:
            return
        self._noted_at = time.monotonic()
        with transaction(self._connection):
            held = jobs.renew(self._connection, self._job, time.time(), min(0.99, done / max(1, total)))
        if not held:
            raise LeaseLostError

    def is_silent(self) -> bool:
        """Tell whether nothing was heard for longer than any step takes."""
        return time.monotonic() - self._heard_at > LONGEST_SILENCE_S

    def close(self) -> None:
        """Close its connection."""
        self._connection.close()


@contextmanager
def signs_of_life(folder: Path, job: Job, *, hangs: Callable[[], bool] | None = None) -> Iterator[None]:
    """Prolong a lease from a thread: some steps are long and tell nothing.

    Parameters
    ----------
    hangs : callable or None
        Tells whether the work will never end; then this process does, so that another one can try.
    """
    ended = threading.Event()

    def live() -> None:
        connection = open_database(folder, forced=False)
        while not ended.wait(_SIGN_OF_LIFE_S):
            if hangs is not None and hangs():
                os._exit(HUNG)
            with suppress(sqlite3.Error), transaction(connection):  # the next sign may get through
                jobs.renew(connection, job, time.time())
        connection.close()

    thread = threading.Thread(target=live, name="twin-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
