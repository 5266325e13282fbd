"""The worker processes of a server: started, watched, replaced when they die."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import threading
import uuid
from typing import TYPE_CHECKING, Final

from hemato_lab.twin import jobs
from hemato_lab.twin.database import open_database, transaction

if TYPE_CHECKING:
    from pathlib import Path

_LOOK_S: Final = 0.25
_PAUSE_S: Final = 1.0
"""Before a worker that died is replaced."""
_LOGGER: Final = logging.getLogger(__name__)


class Workers:
    """So many processes that analyse studies of a folder.

    Parameters
    ----------
    folder : Path
        The twin's.
    count : int
        Processes at a time.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped = threading.Event()
        for _ in range(count):
            self._start_one()
        self._thread = threading.Thread(target=self._watch, name="twin-workers", daemon=True)
        self._thread.start()

    def _start_one(self) -> None:
        name = uuid.uuid4().hex[:12]
        # Its standard input stays open for as long as this process lives, and tells it when to end.
        self._processes[name] = subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", "hemato_lab.twin.worker", str(self._folder), name], stdin=subprocess.PIPE
        )

    def _watch(self) -> None:
        connection = open_database(self._folder)
        while not self._stopped.wait(_LOOK_S):
            for name in [name for name, process in self._processes.items() if process.poll() is not None]:
                try:
                    self._replace(connection, name)
                except (OSError, sqlite3.Error) as error:  # a full disk may have room again at the next look
                    _LOGGER.error("a worker cannot be replaced now: %s", type(error).__name__)  # noqa: TRY400
                    self._stopped.wait(_PAUSE_S)
        connection.close()

    def _replace(self, connection: sqlite3.Connection, name: str) -> None:
        with transaction(connection):
            lost = jobs.release(connection, name)
        code = _end(self._processes[name])
        _LOGGER.warning("a worker ended with code %d; jobs to do again: %d", code, lost)
        if not self._stopped.wait(_PAUSE_S):
            self._start_one()
            del self._processes[name]

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that are there now."""
        return [process.pid for process in list(self._processes.values())]

    def stop(self) -> None:
        """End all processes; their jobs are done again at the next start."""
        self._stopped.set()
        self._thread.join()
        for process in self._processes.values():
            process.kill()
            _end(process)
        self._processes.clear()


def _end(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process, give back its pipe, and return its exit code."""
    if process.stdin is not None:
        process.stdin.close()
    return process.wait()
