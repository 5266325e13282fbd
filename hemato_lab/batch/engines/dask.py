"""Work on a Dask cluster: one that runs already, or one of this machine; the one place that needs dask.distributed.

``tcp://host:8786`` (or ``tls://``, with the certificates of Dask's settings) uses a cluster that runs; its workers need
the same installation and the images under the same paths. A worker that has not, whenever it joins, stops the run:
its failures would be noted as those of smears. ``local:8`` starts eight worker processes here, ``local:2-8`` between
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
import pickle
import queue
import re
import uuid
from collections import deque
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.batch.engines import ONE_THREAD
from hemato_lab.batch.engines.dask_watch import LOOK_S, Watch, check_workers, unfit, worker_named
from hemato_lab.batch.engines.dask_worker import Answer, Task, packed
from hemato_lab.batch.engines.local import died
from hemato_lab.batch.inputs import refuse_changed
from hemato_lab.batch.work import carry_out_all, internal_failure
from hemato_lab.errors import BatchError, ConfigError, HematoError, InputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.batch.model import Work, WorkResult

_SCHEDULER: Final = re.compile(r"(?P<kind>tcp|tls)://(?:\[[0-9A-Fa-f:.%]+\]|[^\s/:@\[\]]+):(?P<port>[0-9]{1,5})")
_LOCAL: Final = re.compile(r"local:(?P<least>[0-9]{1,5})(?:-(?P<most>[0-9]{1,5}))?")
_MOST_WORKERS: Final = 4096
_MOST_PORT: Final = 65535
_FETCH_S: Final = (0.5, 60.0)
"""Seconds for a result to come over, at first and at most: its worker may be gone, or the line be slow."""
_NO_WORKERS: Final = ("NoValidWorkerError", "NoWorkerError")
"""What a scheduler raises that is set to wait for workers no longer than so; not every release has both."""
_SCALING: Final = "250ms"
"""Work that each worker of an adaptive cluster should have before it: a batch is long, so more workers pay at once."""
_WORKERS_OF_OURS: Final = {
    "distributed.nanny.pre-spawn-environ": ONE_THREAD,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.preload": ["hemato_lab.batch.engines.dask_worker"],
}
_ADDRESS_HINT: Final = "use tcp://HOST:PORT of a scheduler, local:8 for eight workers here, or local:2-8"
_TLS_HINT: Final = "name the certificates in Dask's settings, under distributed.comm.tls"
_AGAIN: Final = "run the same command again: it goes on where it stopped"
_LOGGER: Final = logging.getLogger(__name__)


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
        self._watch: Watch | None = None
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._works: dict[str, tuple[Work, ...]] = {}
        self._held: deque[tuple[Work, ...]] = deque()
        self._suspects: deque[Work] = deque()
        self._is_alone = False
        self._has_answered = False
        self._fetch_s = _FETCH_S[0]

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
            If a worker has other versions, models, ranges or rules, or Dask lacks settings for the address.
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
            If the connection to the scheduler ended, or all workers are gone and none comes.
        ConfigError
            If a worker has other versions, models, ranges or rules, or does not find images that are there.
        """
        found: list[WorkResult] = []
        while not found:
            self._go_on()
            for future in self._next_finished():
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
            if self._watch is None:
                self._watch = Watch(client)
                self._watch.wait_for_one()
                check_workers(client, works[0])
            # A key of its own: a result of equal work in the scheduler's memory would not be of this run.
            key = f"smears-{uuid.uuid4().hex}"
            self._expect(client.submit(pickle.loads, packed(self._task, works), key=key), works)

    def _expect(self, future: Any, works: tuple[Work, ...]) -> None:
        self._works[future.key] = works
        future.add_done_callback(self._finished.put)

    def _next_finished(self) -> list[Any]:
        """Wait for tasks that are finished, for as long as there are workers."""
        found: list[Any] = []
        while not found:
            with suppress(queue.Empty):
                found.append(self._finished.get(timeout=LOOK_S))
                while True:
                    found.append(self._finished.get_nowait())
            with self._reaching():
                if self._watch is not None:
                    self._watch.look()
        return found

    def _results(self, future: Any, works: tuple[Work, ...]) -> tuple[WorkResult, ...]:
        """Return the results of a finished task; none when its work is to be tried again, or goes on."""
        with self._reaching():
            if future.status == "cancelled":
                raise ConnectionError("the scheduler is gone")
            try:
                found: Answer = future.result(timeout=self._fetch_s)
            except Exception as error:
                if future.status == "error":
                    return self._without_answer(error, works)
                if not isinstance(error, TimeoutError):
                    raise
                self._fetch_s = min(2 * self._fetch_s, _FETCH_S[1])
                self._expect(future, works)
                return ()
            self._check(future, found, works)
        self._has_answered = True
        return found.results

    def _without_answer(self, error: BaseException, works: tuple[Work, ...]) -> tuple[WorkResult, ...]:
        """Decide about a task that Dask could not do: nothing of ours raises."""
        if type(error).__name__ in _NO_WORKERS:
            raise TimeoutError(_told(error)) from error
        is_deadly = isinstance(error, self._distributed.KilledWorker)
        if not is_deadly:
            check_workers(self._client, works[0])
        if not self._is_alone:
            # Dask blames all that waited for a worker that died, too: who did it is found out one by one.
            self._suspects += works
            return ()
        if is_deadly:
            return (died(works[0], getattr(error, "allowed_failures", 0) + 1),)
        if not self._has_answered:
            raise error
        return (internal_failure(works[0], error),)

    def _check(self, future: Any, found: Answer, works: tuple[Work, ...]) -> None:
        """Raise ConfigError when a worker is to blame for what became of a task."""
        if found.refusal is not None:
            raise unfit(self._worker_of(future), found.refusal)
        for work in works:
            unseen = found.unseen.get(work.entry.smear_id, "")
            if unseen and _is_as_registered(work):
                problem = f"does not find what is there: {unseen}"
                hint = f"give all workers the images under the same paths, then {_AGAIN}"
                raise ConfigError(problem, subject=self._worker_of(future), hint=hint)

    def _worker_of(self, future: Any) -> str:
        holders = self._client.who_has([future]).get(future.key, ())
        return worker_named(next(iter(holders), ""))

    def close(self) -> None:
        """Leave the cluster, and end it when it is ours; what it works on is dropped."""
        for one in (self._works, self._held, self._suspects):
            one.clear()
        self._finished = queue.SimpleQueue()
        self._client = self._watch = None
        self._is_alone = self._has_answered = False
        try:
            self._opened.close()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (all results are safe, or are made again)
            _LOGGER.warning("the Dask cluster %s was not left cleanly: %s", self._address, _told(error))

    def _connected(self) -> Any:
        """Return the client, connected to a cluster."""
        if self._client is None:
            self._refuse_without_certificates()
            cluster = self._address if self._range is None else self._new_cluster(*self._range)
            self._client = self._opened.enter_context(self._distributed.Client(cluster, set_as_default=False))
        return self._client

    def _refuse_without_certificates(self) -> None:
        """Raise ConfigError for an encrypted connection that Dask could not even begin."""
        if not self._address.startswith("tls:"):
            return
        try:
            context = self._distributed.Security().get_connection_args("client").get("ssl_context")
        except (OSError, ValueError) as error:
            problem = f"Dask's certificates cannot be used: {_told(error)}"
            raise ConfigError(problem, subject=self._address, hint=_TLS_HINT) from error
        if context is None:
            raise ConfigError("Dask has no certificates", subject=self._address, hint=_TLS_HINT)

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
        """Turn what Dask says of a lost connection, or of anything else, into an error of this package."""
        try:
            yield
        except HematoError:
            raise
        except (OSError, concurrent.futures.CancelledError, asyncio.CancelledError) as error:
            problem = f"the Dask cluster cannot be reached, or has no workers: {_told(error)}"
            raise BatchError(problem, subject=self._address, hint=f"start it and {_AGAIN}") from error
        except Exception as error:
            problem = f"the Dask cluster cannot be used: {type(error).__name__}: {_told(error)}"
            hint = f"its scheduler and workers need the same installation as here; mend that and {_AGAIN}"
            raise BatchError(problem, subject=self._address, hint=hint) from error


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _is_as_registered(work: Work) -> bool:
    try:
        refuse_changed(work.entry, work.file_ids)
    except InputError:
        return False
    return True


def _workers_of(address: str) -> tuple[int, int] | None:
    """Return the least and most workers of a cluster of ours; None for one that runs already.

    Raises
    ------
    ConfigError
        If the address is none.
    """
    scheduler = re.fullmatch(_SCHEDULER, address)
    if scheduler and 1 <= int(scheduler["port"]) <= _MOST_PORT:
        return None
    found = re.fullmatch(_LOCAL, address)
    least = int(found["least"]) if found else 0
    most = int(found["most"] or least) if found else 0
    if not 1 <= least <= most <= _MOST_WORKERS:
        raise ConfigError(f"{address!r} is no Dask cluster", hint=_ADDRESS_HINT)
    return least, most


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingDependencyError("dask.distributed", extra="dask", subject="Dask clusters") from error
    return distributed
