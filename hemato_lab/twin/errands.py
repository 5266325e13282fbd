"""Work of the server in the background, in threads: downloads and callbacks, whatever is due next."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hemato_lab.twin.callbacks import Courier
from hemato_lab.twin.database import open_database
from hemato_lab.twin.downloads import Downloader
from hemato_lab.twin.fetching import Fetcher

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from hemato_lab.twin.service import Service, Settings

DOWNLOAD_S: Final = 1800.0
"""Seconds that one file may take to download."""
CALL_S: Final = 15.0
"""Seconds that one callback may take."""
CALLERS: Final = 4
"""Callbacks at a time: a receiver that hangs must not hold up the others."""
_LOOK_S: Final = 0.2
_AFTER_PROBLEM_S: Final = 2.0
_LOGGER: Final = logging.getLogger(__name__)


class Errand:
    """Repeats a step for as long as there is something to do, and looks again now and then.

    Parameters
    ----------
    name : str
        For logs.
    settings : Settings
        Of the twin.
    step : callable
        Does one thing with a connection at a time (Unix time, the machine's: leases and waits are about real
        processes, whatever clock the twin shows), and tells whether there was anything to do.
    """

    def __init__(self, name: str, settings: Settings, step: Callable[[sqlite3.Connection, float], bool]) -> None:
        self._settings = settings
        self._step = step
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"twin-{name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        connection = open_database(self._settings.folder)
        while not self._stopped.is_set():
            try:
                busy = self._step(connection, time.time())
            except Exception as error:  # noqa: BLE001 (what is due stays due; the thread has to live)
                _LOGGER.error("%s: %s", threading.current_thread().name, type(error).__name__)  # noqa: TRY400
                self._stopped.wait(_AFTER_PROBLEM_S)
                continue
            if not busy:
                self._stopped.wait(_LOOK_S)
        connection.close()

    def stop(self, wait_s: float) -> None:
        """End after the step that runs now; what is cut off is done again at the next start."""
        self._stopped.set()
        self._thread.join(wait_s)


class Errands:
    """The downloads and the callbacks of a server."""

    def __init__(self, service: Service) -> None:
        settings = service.settings
        patient = replace(settings.fetch, total_s=max(DOWNLOAD_S, settings.fetch.total_s))
        brisk = replace(settings.fetch, total_s=min(CALL_S, settings.fetch.total_s))
        self._fetchers = Fetcher(patient), Fetcher(brisk)
        downloader = Downloader(settings, service.store, self._fetchers[0])
        courier = Courier(self._fetchers[1], lambda: service.base_url, documented=settings.documented_callbacks)
        self._errands = (
            Errand("downloads", settings, downloader.step),
            *(Errand(f"callbacks-{number}", settings, courier.step) for number in range(CALLERS)),
        )

    def stop(self, wait_s: float) -> None:
        """End all; what was under way is done again at the next start."""
        for fetcher in self._fetchers:
            fetcher.close()
        for errand in self._errands:
            errand.stop(wait_s)
