"""Which workers a Dask cluster has, and whether each is fit for a batch."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.batch.pinning import check_agreed
from hemato_lab.errors import ConfigError, HematoError

if TYPE_CHECKING:
    from hemato_lab.batch.model import Work

LOOK_S: Final = 1.0
"""Seconds between two looks at which workers there are."""
_FIRST_WORKER_S: Final = 300.0
"""Seconds until a cluster has a worker, at the start and after it lost all."""
_WARN_S: Final = 5.0
"""Seconds without any worker after which that is told; one that is replaced takes less."""
_ALIKE: Final = "install the same on all machines, and give them the same files under the same paths"
_LOGGER: Final = logging.getLogger(__name__)


class Watch:
    """Looks whether a cluster has workers.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._looked_s = self._manned_s = time.monotonic()
        self._is_told = False

    def wait_for_one(self) -> None:
        """Wait until there is a worker; errors as for `look`."""
        while not self._is_manned():
            time.sleep(min(LOOK_S, 0.1))

    def look(self) -> None:
        """See whether there are workers, unless the last look was just now; tell when there are none for a while.

        Raises
        ------
        TimeoutError
            If there has been none for too long.
        """
        if time.monotonic() - self._looked_s >= LOOK_S:
            self._is_manned()

    def _is_manned(self) -> bool:
        is_manned = bool(self._client.nthreads())
        self._looked_s = time.monotonic()
        if is_manned:
            self._manned_s, self._is_told = self._looked_s, False
            return True
        empty_s = self._looked_s - self._manned_s
        if self._is_told and empty_s >= _FIRST_WORKER_S:
            raise TimeoutError(f"none for {_FIRST_WORKER_S:g} s")
        if not self._is_told and empty_s >= _WARN_S:
            self._is_told = True
            _LOGGER.warning("the Dask cluster has no workers; the batch waits %g s for one", _FIRST_WORKER_S)
        return False


def check_workers(client: Any, work: Work) -> None:
    """Check all workers that are there; one that joins later says with its first task whether it is fit.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    work : Work
        Any of the batch: all have the same settings.

    Raises
    ------
    ConfigError
        If one is not fit.
    """
    found = client.run(check_agreed, work.settings, work.agreed, on_error="return")
    for address, error in found.items():
        # One that left meanwhile is nothing to worry about.
        if error is not None and not isinstance(error, OSError):
            raise unfit(worker_named(address), error)


def unfit(worker: str, error: BaseException) -> ConfigError:
    """Return the error of a worker that cannot do any work of the batch."""
    if isinstance(error, HematoError):
        return ConfigError(error.problem, subject=worker, hint=error.hint or _ALIKE)
    return ConfigError(f"cannot work for this batch: {type(error).__name__}: {error}", subject=worker, hint=_ALIKE)


def worker_named(address: str) -> str:
    """Return what a worker is called in errors; its address may be unknown."""
    return f"Dask worker {address}" if address else "a Dask worker"
