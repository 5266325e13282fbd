"""One process at a time in a results folder."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hemato_lab.api.locks import RunLock
from hemato_lab.batch.folders import LOCK_FILE
from hemato_lab.batch.writing import FULL_HINT, is_full
from hemato_lab.errors import JournalError, LockedError, StorageFullError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def only_batch_in(out: Path) -> Iterator[None]:
    """Hold the lock of a results folder; it is free again as soon as this process ends, however that happens.

    On a network file system it is as good as that system's locks.

    Raises
    ------
    LockedError
        If another process, or another thread of this one, works in the folder.
    JournalError
        If the lock file cannot be made.
    StorageFullError
        If there is no room for it.
    """
    lock = RunLock(out, LOCK_FILE.removesuffix(".lock"))
    try:
        lock.acquire()
    except LockedError as error:
        problem = "another batch works in this folder now"
        raise LockedError(problem, subject=str(out), hint="wait for it, stop it, or choose another folder") from error
    except JournalError as error:
        if is_full(out):
            raise StorageFullError("there is no room left", subject=str(out), hint=FULL_HINT) from error
        raise
    try:
        yield
    finally:
        lock.release()
