"""What callbacks tell: that it is worth looking at a study now, and nothing more (api/DECISIONS.md row 22).

A hint never says how a study stands; whoever is woken reads its status. A hint that is lost, doubled or untrue costs a
request or a little time, and never a result.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_UNHEARD: Final = 100_000
"""Subjects that are remembered while nobody listens for them; the oldest are forgotten first."""


class Hints:
    """Brings hints from the threads that receive them to those who wait; may be used from any thread."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[object, Callable[[], None]]] = {}
        self._unheard: dict[str, None] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        with self._lock:
            return f"Hints({len(self._listeners)} listened for, {len(self._unheard)} unheard)"

    def give(self, subject: str) -> None:
        """Wake all who listen for a subject; if nobody does, keep the hint for the next who will.

        Whatever a wake function raises is passed on, after all of them were called.
        """
        with self._lock:
            wakes = list(self._listeners.get(subject, {}).values())
            if not wakes:
                self._keep(subject)
        # Outside the lock: a wake function may listen or end listening itself.
        with ExitStack() as calls:
            for wake in reversed(wakes):
                calls.callback(wake)

    def listen(self, subject: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Have a function called for each hint about a subject, at once if one came before.

        Parameters
        ----------
        subject : str
            What the hints are about.
        wake : callable
            Called from whatever thread gives the hint, maybe several times, and maybe once more while listening ends.

        Returns
        -------
        callable
            Ends listening; may be called more than once.
        """
        listener = object()

        def end() -> None:
            with self._lock:
                others = self._listeners.get(subject, {})
                others.pop(listener, None)
                if not others:
                    self._listeners.pop(subject, None)

        with self._lock:
            self._listeners.setdefault(subject, {})[listener] = wake
            came_before = subject in self._unheard
            self._unheard.pop(subject, None)
        if came_before:
            try:
                wake()
            except BaseException:
                end()
                raise
        return end

    def _keep(self, subject: str) -> None:
        self._unheard.pop(subject, None)
        self._unheard[subject] = None
        if len(self._unheard) > MOST_UNHEARD:
            del self._unheard[next(iter(self._unheard))]
