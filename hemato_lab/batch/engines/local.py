"""Work in processes of this machine: started when needed, replaced when they die, ended with the coordinator."""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, cast

from hemato_lab.batch.engines import TRIES
from hemato_lab.batch.engines.environment import worker_environment
from hemato_lab.batch.engines.frames import receive, send
from hemato_lab.batch.model import Work, WorkResult
from hemato_lab.batch.work import carry_out
from hemato_lab.errors import BatchError, WorkerDiedError

_LOOK_S: Final = 0.5
"""Longest time for which an interrupt waits where the system does not end a wait by itself."""
_HOME: Final = str(Path(__file__).resolve().parents[3])
"""Folder that this package is in."""
_LOGGER: Final = logging.getLogger(__name__)

Task: TypeAlias = Callable[[Work], WorkResult]
"""From a work to its result; a function of a module, so that a worker finds it by its name."""


class LocalEngine:
    """Processes that each do one work at a time, so that one that dies tells which work it died of.

    Parameters
    ----------
    workers : int
        Processes.
    task : callable
        What is done with each.
    """

    per_task = 1

    def __init__(self, workers: int, task: Task = carry_out) -> None:
        self.capacity = workers
        self._task = task
        self._waiting: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[WorkResult | BaseException] = queue.SimpleQueue()
        self._slots: list[_Slot] = []
        self._in_flight = 0

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that are there now."""
        return [number for slot in self._slots if (number := slot.process_id) is not None]

    def submit(self, works: tuple[Work, ...]) -> None:
        """Hand over work; a process is started for it unless there are as many as there may be."""
        for work in works:
            self._in_flight += 1
            self._waiting.put(work)
            if len(self._slots) < min(self.capacity, self._in_flight):
                self._slots.append(_Slot(self._task, self._waiting, self._finished))

    def wait(self) -> list[WorkResult]:
        """Wait until something is finished and return all that is.

        Raises
        ------
        BatchError
            If workers cannot be started.
        """
        found = [self._next()]
        with suppress(queue.Empty):
            while True:
                found.append(self._finished.get_nowait())
        for one in found:
            if isinstance(one, BaseException):
                raise one
        self._in_flight -= len(found)
        return [one for one in found if isinstance(one, WorkResult)]

    def _next(self) -> WorkResult | BaseException:
        while True:
            with suppress(queue.Empty):
                return self._finished.get(timeout=_LOOK_S)

    def close(self) -> None:
        """End all processes, also in the midst of work."""
        for slot in self._slots:
            slot.stop()
            self._waiting.put(None)
        for slot in self._slots:
            slot.join()
        self._slots.clear()


class _Slot:
    """One process, its successors, and the thread that hands it work."""

    def __init__(
        self,
        task: Task,
        waiting: queue.SimpleQueue[Work | None],
        finished: queue.SimpleQueue[WorkResult | BaseException],
    ) -> None:
        self._process: _Process | None = None
        self._task = task
        self._waiting = waiting
        self._finished = finished
        self._stopped = False
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="batch-worker", daemon=True)
        self._thread.start()

    @property
    def process_id(self) -> int | None:
        """Of its process now; None while there is none."""
        process = self._process
        return None if process is None else process.process_id

    def _run(self) -> None:
        try:
            while (work := self._waiting.get()) is not None and not self._stopped:
                result = self._carried_out(work)
                if result is not None:
                    self._finished.put(result)
        except BaseException as error:  # noqa: BLE001 (raised again in the coordinator's thread)
            self._finished.put(error)
        finally:
            self._end()

    def _carried_out(self, work: Work) -> WorkResult | None:
        """Return the result of a work; None when this was stopped before."""
        for attempt in range(1, TRIES + 1):
            process = self._process or self._new_process()
            if process is None:
                return None
            try:
                process.send((self._task, work))
                result: WorkResult = process.receive()
            except (OSError, EOFError):
                code = self._end()
                if self._stopped:
                    return None
                _LOGGER.warning("a worker ended with code %s while it worked on %s", code, work.entry.smear_id)
            else:
                return replace(result, attempts=attempt)
        return died(work, TRIES)

    def _new_process(self) -> _Process | None:
        """Start a process and wait until it is ready; None when this was stopped before.

        Raises
        ------
        BatchError
            If processes end before they are ready.
        """
        for _ in range(TRIES):
            with suppress(OSError, EOFError):
                with self._guard:
                    if self._stopped:
                        return None
                    process = self._process = _Process()
                process.receive()
                return process
            self._end()
        raise BatchError("worker processes end as soon as they start", hint="their messages say why; then run again")

    def _end(self) -> int | None:
        with self._guard:
            process, self._process = self._process, None
        return None if process is None else process.end()

    def stop(self) -> None:
        """End the process; what it works on is lost."""
        with self._guard:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def join(self) -> None:
        """Wait until nothing of it is left."""
        self._thread.join()


class _Process:
    """A worker process and the two pipes to it; its input stays open for as long as this process lives."""

    def __init__(self) -> None:
        path = os.pathsep.join(filter(None, (_HOME, os.environ.get("PYTHONPATH"))))
        self._popen = subprocess.Popen(
            # -P and the path: what lies in the current folder is not taken for modules of ours.
            [sys.executable, "-P", "-m", "hemato_lab.batch.engines.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at a terminal is for the coordinator, which ends them
            env={**worker_environment(os.environ), "PYTHONPATH": path},
        )
        self._to = cast("IO[bytes]", self._popen.stdin)
        self._from = cast("IO[bytes]", self._popen.stdout)

    @property
    def process_id(self) -> int:
        """Its number."""
        return self._popen.pid

    def send(self, content: Any) -> None:
        """Hand over an object; OSError when the process is gone."""
        send(self._to, content)

    def receive(self) -> Any:
        """Wait for an object; EOFError when the process is gone."""
        return receive(self._from)

    def kill(self) -> None:
        """End the process; whoever waits for it learns so."""
        self._popen.kill()

    def end(self) -> int:
        """End the process, give back its pipes, and return its exit code."""
        self._popen.kill()
        for pipe in (self._to, self._from):
            with suppress(OSError):
                pipe.close()
        return self._popen.wait()


def died(work: Work, attempts: int) -> WorkResult:
    """Return the result of a work that no worker survived."""
    problem = f"the process that worked on it died, {attempts} times"
    hint = "it may need more memory than there is: try again with --retry-failed and fewer workers"
    error = WorkerDiedError(problem, subject=work.entry.smear_id, hint=hint)
    return WorkResult(work.entry.smear_id, error_code=error.code, error=str(error), attempts=attempts)
