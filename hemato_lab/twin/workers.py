"""The worker processes of a server: started, watched, replaced when they die."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Final

from hemato_lab.twin import jobs
from hemato_lab.twin.database import open_database, transaction

_LOOK_S: Final = 0.25
_PAUSE_S: Final = 1.0
"""Before a worker that died is replaced; longer each time for those that die as soon as they start."""
_LONGEST_PAUSE_S: Final = 60.0
_EARLY_S: Final = 10.0
_HOME: Final = str(Path(__file__).resolve().parents[2])
"""Folder that this package is in."""
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
        self._begun: dict[str, float] = {}
        self._early_ends = 0
        self._stopped = threading.Event()
        for _ in range(count):
            self._start_one()
        self._thread = threading.Thread(target=self._watch, name="twin-workers", daemon=True)
        self._thread.start()

    def _start_one(self) -> None:
        name = uuid.uuid4().hex[:12]
        # Its standard input stays open for as long as this process lives, and tells it when to end.
        self._processes[name] = subprocess.Popen(  # noqa: S603 (our own module)
            # -P and the path: what lies in the current folder is not taken for modules of ours.
            [sys.executable, "-P", "-m", "hemato_lab.twin.worker", str(self._folder), name],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at a terminal is for the server, which ends them
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (_HOME, os.environ.get("PYTHONPATH"))))},
        )
        self._begun[name] = time.monotonic()

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
        early = time.monotonic() - self._begun.pop(name) < _EARLY_S and not lost
        self._early_ends = self._early_ends + 1 if early else 0
        pause_s = min(_LONGEST_PAUSE_S, _PAUSE_S * 2**self._early_ends)
        if self._early_ends > 2:
            _LOGGER.error("workers end as soon as they start, so studies wait; the next one starts in %.0f s", pause_s)
        if not self._stopped.wait(pause_s):
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
