"""Work for tests: each is noted in a file that outlives the process, and some of it is deadly.

Set `LOG` in the environment; a line is written when work is finished, before its result leaves the process.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hemato_lab.batch.folders import CELLS_FILE, REPORT_FILE
from hemato_lab.batch.inputs import refuse_changed
from hemato_lab.batch.model import WorkResult
from hemato_lab.batch.work import carry_out
from hemato_lab.errors import HematoError

if TYPE_CHECKING:
    from hemato_lab.batch.model import Work

LOG: Final = "TESTS_BATCH_LOG"
PAUSE_S: Final = 0.02


def analysed(work: Work) -> WorkResult:
    """The true analysis."""
    result = carry_out(work)
    _note(work)
    return result


def analysed_all(works: tuple[Work, ...]) -> tuple[WorkResult, ...]:
    return tuple(analysed(work) for work in works)


def copied(work: Work) -> WorkResult:
    """Stands for an analysis: two files that follow from the bytes of the first input, after a short while."""
    try:
        refuse_changed(work.entry, work.file_ids)
    except HematoError as error:
        return WorkResult(work.entry.smear_id, error_code=error.code, error=str(error))
    content = Path(work.entry.paths[0]).read_bytes()
    time.sleep(PAUSE_S)
    _note(work)
    return WorkResult(work.entry.smear_id, {REPORT_FILE: b'{"of": "' + content[:9] + b'"}', CELLS_FILE: content * 20})


def copied_all(works: tuple[Work, ...]) -> tuple[WorkResult, ...]:
    return tuple(copied(work) for work in works)


def deadly(work: Work) -> WorkResult:
    """Dies of a smear with the tag ``deadly``: the first so many times that it is tried."""
    lives = int(work.entry.tags.get("deadly", "0"))
    if lives > noted().count(work.entry.smear_id):
        _note(work)
        os.kill(os.getpid(), signal.SIGKILL)
    return copied(work)


def deadly_all(works: tuple[Work, ...]) -> tuple[WorkResult, ...]:
    return tuple(deadly(work) for work in works)


def noted() -> list[str]:
    """Return the smears of the log, one each time that work on it was finished."""
    path = Path(os.environ[LOG])
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _note(work: Work) -> None:
    place = os.environ.get(LOG)
    if place:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(handle, f"{work.entry.smear_id}\n".encode())
        os.close(handle)
