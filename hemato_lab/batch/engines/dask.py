"""Work on a Dask cluster: one that runs already, or one of this machine; the one place that needs dask.distributed.

``tcp://host:8786`` (or another address of a scheduler) uses a cluster that runs; its workers need the same
installation and the images under the same paths. ``local:8`` starts eight worker processes here, ``local:2-8`` between
two and eight, as many as the work asks for.

Dask gives memory back to the system after each array (``MALLOC_TRIM_THRESHOLD_`` in its ``nanny.pre-spawn-environ``),
and samples what its workers do. For arrays that come and go as ours do, that costs up to half as much again; clusters
that are started here do neither.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import re
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hemato_lab.batch.engines import ONE_THREAD
from hemato_lab.batch.engines.local import died
from hemato_lab.batch.model import Work, WorkResult
from hemato_lab.batch.pinning import check_agreed
from hemato_lab.batch.work import carry_out_all, internal_failure
from hemato_lab.errors import BatchError, ConfigError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEDULER: Final = re.compile(r"[a-z][a-z0-9+.-]*://\S+")
_LOCAL: Final = re.compile(r"local:(?P<least>[0-9]+)(?:-(?P<most>[0-9]+))?")
_MOST_WORKERS: Final = 4096
_FIRST_WORKER_S: Final = 300.0
"""Seconds until a cluster has a worker."""
_SCALING: Final = "250ms"
"""Work that each worker of an adaptive cluster should have before it: a batch is long, so more workers pay at once."""
_WORKERS_OF_OURS: Final = {
    "distributed.nanny.pre-spawn-environ": ONE_THREAD,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.preload": ["hemato_lab.batch.engines.dask_worker"],
}

Task: TypeAlias = Callable[[tuple[Work, ...]], tuple[WorkResult, ...]]


class DaskEngine:
    """A Dask cluster.

    The coordinator is its client and alone writes; a worker that dies, or leaves, loses nothing but what it worked on,
    which another one does. Work that several workers died of, or that waited for them, is tried alone, and given up
    when it kills again.

    Parameters
    ----------
    address : str
        As the module describes.
    per_task : int
        Smears a task. More than one pays where a smear takes a few milliseconds only.
    task : callable
        What is done with the smears of a task.

    Raises
    ------
    ConfigError
        If the address is none.
    MissingDependencyError
        If dask.distributed is not installed.
    """

    def __init__(self, address: str, *, per_task: int = 1, task: Task = carry_out_all) -> None:
        self._address = address
        self._range = _workers_of(address)
        self._distributed = _distributed()
        self.per_task = per_task
        self._task = task
        self._opened = ExitStack()
        self._client: Any = None
        self._completed: Any = None
        self._works: dict[str, tuple[Work, ...]] = {}
        self._held: deque[tuple[Work, ...]] = deque()
        self._suspects: deque[Work] = deque()
        self._is_alone = False
        self._checked = False

    @property
    def capacity(self) -> int:
        """Threads of all workers now; of an adaptive cluster of ours those that it may have, or it would not grow.

        Before the first work there is no connection yet, and it is 1.
        """
        if self._range is not None:
            return self._range[1]
        return 1 if self._client is None else max(1, self.workers)

    @property
    def workers(self) -> int:
        """Threads of all workers that are there now."""
        with self._reaching():
            return sum(self._connected().nthreads().values())

    @property
    def process_ids(self) -> list[int]:
        """Of the worker processes that are there now, on whatever machine each is."""
        with self._reaching():
            return [] if self._client is None else list(self._client.run(os.getpid).values())

    def submit(self, works: tuple[Work, ...]) -> None:
        """Hand over work as one task.

        Raises
        ------
        BatchError
            If the cluster cannot be reached, or has no workers.
        ConfigError
            If its workers have other versions, models, ranges or rules.
        """
        if self._suspects or self._is_alone:
            self._held.append(works)
        else:
            self._hand_over(works)

    def wait(self) -> list[WorkResult]:
        """Wait until a task is finished and return the results of all that are.

        Raises
        ------
        BatchError
            If the connection to the scheduler ended.
        """
        found: list[WorkResult] = []
        while not found:
            self._go_on()
            for future in self._completed.next_batch(block=True):
                found += self._results(future, self._works.pop(future.key))
        return found

    def _go_on(self) -> None:
        """When nothing is in flight, try one suspect alone; when there are none left, what was held back for them."""
        if self._works:
            return
        self._is_alone = bool(self._suspects)
        if self._is_alone:
            self._hand_over((self._suspects.popleft(),))
        while self._held and not self._is_alone:
            self._hand_over(self._held.popleft())

    def _hand_over(self, works: tuple[Work, ...]) -> None:
        with self._reaching():
            client = self._connected()
            if not self._checked:
                client.run(check_agreed, works[0].settings, works[0].agreed)
                self._checked = True
            # Not pure: a result of equal work in the scheduler's memory would not be of this run.
            future = client.submit(self._task, works, pure=False)
            self._works[future.key] = works
            self._completed.add(future)

    def _results(self, future: Any, works: tuple[Work, ...]) -> tuple[WorkResult, ...]:
        """Return the results of a finished task; none when its work is to be tried again."""
        with self._reaching():
            if future.status == "cancelled":
                raise ConnectionError("the scheduler is gone")
            error = future.exception()
            if error is None:
                return tuple(future.result())
        if not isinstance(error, self._distributed.KilledWorker):
            return tuple(internal_failure(work, error) for work in works)
        if self._is_alone:
            return (died(works[0], error.allowed_failures + 1),)
        # Dask blames all that waited for the worker, too: who did it is found out one by one.
        self._suspects += works
        return ()

    def close(self) -> None:
        """Leave the cluster, and end it when it is ours; what it works on is dropped."""
        for one in (self._works, self._held, self._suspects):
            one.clear()
        self._completed = self._client = None
        self._opened.close()

    def _connected(self) -> Any:
        """Return the client, connected to a cluster that has a worker."""
        if self._client is None:
            cluster = self._address if self._range is None else self._new_cluster(*self._range)
            client = self._opened.enter_context(self._distributed.Client(cluster, set_as_default=False))
            client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
            self._client = client
            self._completed = self._distributed.as_completed(loop=client.loop)
        return self._client

    def _new_cluster(self, least: int, most: int) -> Any:
        import dask

        # For as long as it is open: an adaptive cluster starts workers later too.
        self._opened.enter_context(dask.config.set(_WORKERS_OF_OURS))
        cluster = self._opened.enter_context(
            self._distributed.LocalCluster(
                n_workers=least,
                threads_per_worker=1,
                memory_limit=0,  # a slide may need most of it; the system's limit is the same as without Dask
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.ERROR,
            )
        )
        if most > least:
            cluster.adapt(minimum=least, maximum=most, target_duration=_SCALING)
        return cluster

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn what Dask says of a lost connection into an error of this package."""
        try:
            yield
        except (OSError, concurrent.futures.CancelledError, asyncio.CancelledError) as error:
            problem = f"the Dask cluster cannot be reached, or has no workers: {str(error) or type(error).__name__}"
            hint = "start it and run the same command again: it goes on where it stopped"
            raise BatchError(problem, subject=self._address, hint=hint) from error


def _workers_of(address: str) -> tuple[int, int] | None:
    """Return the least and most workers of a cluster of ours; None for one that runs already.

    Raises
    ------
    ConfigError
        If the address is none.
    """
    if re.fullmatch(_SCHEDULER, address):
        return None
    found = re.fullmatch(_LOCAL, address)
    least = int(found["least"]) if found else 0
    most = int(found["most"] or least) if found else 0
    if not 1 <= least <= most <= _MOST_WORKERS:
        hint = "use tcp://HOST:PORT of a scheduler, local:8 for eight workers here, or local:2-8"
        raise ConfigError(f"{address!r} is no Dask cluster", hint=hint)
    return least, most


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingDependencyError("dask.distributed", extra="dask", subject="Dask clusters") from error
    return distributed
