"""One piece of long work beside the notebook: with progress, stopped when asked, its failures told in one line."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hemato_lab.errors import HematoError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.pipeline.steps import Progress


class _StoppedError(Exception):
    """Unwinds work whose user no longer wants it."""


@dataclass
class Work:
    """Work in a thread of its own.

    Attributes
    ----------
    on_progress : callable
        Told what is done and the total.
    on_done : callable
        Told the result, in the thread of the work.
    on_failed : callable
        Told in one line why there is no result.
    """

    on_progress: Progress
    on_done: Callable[[Any], None]
    on_failed: Callable[[str], None]
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is work under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, task: Callable[[Progress], Any]) -> None:
        """Begin a task that is given a callback for its progress."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, args=(task,), name="hemato_lab work", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the task to end; it does so at its next step."""
        self._stopped.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the task; return whether it has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.is_running

    def _run(self, task: Callable[[Progress], Any]) -> None:
        try:
            result = task(self._advance)
            self._advance_if_wanted()
            self.on_done(result)
        except _StoppedError:
            self.on_failed("stopped")
        except HematoError as error:
            self.on_failed(str(error))
        except Exception as error:  # noqa: BLE001 (nobody else would hear of it)
            self.on_failed(unexpected(error))

    def _advance(self, done: int, total: int) -> None:
        self._advance_if_wanted()
        self.on_progress(done, total)

    def _advance_if_wanted(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError


def unexpected(error: Exception) -> str:
    """Return what a user is told of an error that nobody foresaw."""
    return f"this did not work, and it is a fault of hemato_lab ({type(error).__name__}: {error}); please report it"
