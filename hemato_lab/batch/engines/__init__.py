"""Where work is done: in processes of this machine, or on a Dask cluster; the results are the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from hemato_lab.batch.model import Work, WorkResult

TRIES: Final = 3
"""How often a smear is tried whose worker dies."""

ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a worker: several, each with a thread a processor, would only wait for each other."""


class Engine(Protocol):
    """Something that carries out work and hands back the results, in whatever order they come.

    An engine writes nothing of a batch, and whatever ends it loses nothing but work in flight.
    """

    @property
    def capacity(self) -> int:
        """Smears that can be worked on at a time, now; 1 or more."""
        ...

    @property
    def per_task(self) -> int:
        """Smears that are handed over together; 1 or more."""
        ...

    def submit(self, works: tuple[Work, ...]) -> None:
        """Hand over work; returns at once.

        Raises
        ------
        HematoError
            If nothing can be worked on at all.
        """
        ...

    def wait(self) -> list[WorkResult]:
        """Wait until something is finished and return all that is; one result for each work that was handed over.

        Raises
        ------
        HematoError
            If nothing can be worked on any more.
        """
        ...

    def close(self) -> None:
        """Stop at once, also in the midst of work."""
        ...


def make_engine(engine: str, *, workers: int, per_task: int = 1) -> Engine:
    """Return an engine; it takes up work when it gets some.

    Parameters
    ----------
    engine : str
        ``local`` for processes of this machine; else a Dask cluster as `hemato_lab.batch.engines.dask` describes.
    workers : int
        Processes of this machine.
    per_task : int
        Smears that a Dask task holds.

    Raises
    ------
    ConfigError
        If there is no such engine, or a number is impossible.
    MissingDependencyError
        If Dask is asked for and not installed.
    """
    for name, value in (("workers", workers), ("smears a task", per_task)):
        if value < 1:
            raise ConfigError(f"{value} {name} are impossible", hint="use 1 or more")
    if engine == "local":
        from hemato_lab.batch.engines.local import LocalEngine

        return LocalEngine(workers)
    from hemato_lab.batch.engines.dask import DaskEngine

    return DaskEngine(engine, per_task=per_task)
