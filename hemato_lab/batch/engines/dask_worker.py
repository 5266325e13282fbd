"""What is done in the workers of a Dask cluster.

Workers that are started here load it before anything else: Ctrl-C at a terminal is for the coordinator alone.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hemato_lab.batch.engines.environment import is_private
from hemato_lab.batch.inputs import refuse_changed
from hemato_lab.batch.model import Work, WorkResult
from hemato_lab.batch.pinning import check_agreed
from hemato_lab.batch.work import internal_failure
from hemato_lab.errors import HematoError

Task: TypeAlias = Callable[[tuple[Work, ...]], tuple[WorkResult, ...]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker has to say of a task.

    Attributes
    ----------
    results : tuple of WorkResult
        One a smear; none when it refused.
    refusal : Exception or None
        Why the worker is unfit for any smear of the batch.
    unseen : mapping of str to str
        Of smears that failed and whose registered bytes the worker does not find, by their id: what it finds.
    """

    results: tuple[WorkResult, ...]
    refusal: Exception | None = None
    unseen: Mapping[str, str] = field(default_factory=dict)


def dask_setup(worker: Any) -> None:  # noqa: ARG001 (Dask calls it so)
    """Ignore interrupts, as the coordinator ends its workers, and forget what is for the coordinator alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in filter(is_private, list(os.environ)):
        del os.environ[name]


def answer(task: Task, works: tuple[Work, ...]) -> Answer:
    """Do what is to be done with the smears of a task, and tell what is the worker's fault apart from theirs."""
    try:
        check_agreed(works[0].settings, works[0].agreed)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is not the smear)
        return Answer((), refusal=error)
    try:
        results = tuple(task(works))
    except Exception as error:  # noqa: BLE001 (one smear never stops the others)
        results = tuple(internal_failure(work, error) for work in works)
    failed = {one.smear_id for one in results if one.error_code}
    unseen = {work.entry.smear_id: _unseen(work) for work in works if work.entry.smear_id in failed}
    return Answer(results, unseen={smear_id: why for smear_id, why in unseen.items() if why})


def packed(task: Task, works: tuple[Work, ...]) -> bytes:
    """Return what `pickle.loads` makes an `answer` of.

    A scheduler or a worker that lacks this package could not even receive a task that refers to it, and dies of that;
    so it receives bytes, and raises a ModuleNotFoundError when it is to work on them.
    """
    return pickle.dumps(_Call(task, works))


@dataclass(frozen=True, slots=True)
class _Call:
    task: Task
    works: tuple[Work, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return answer, (self.task, self.works)


def _unseen(work: Work) -> str:
    """Return why the files of a smear are not those that were registered; empty when they are."""
    try:
        refuse_changed(work.entry, work.file_ids)
    except HematoError as error:
        return str(error)
    return ""
