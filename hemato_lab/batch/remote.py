"""The stage in which a remote service reads the same smears: from this process alone, a few at a time."""

from __future__ import annotations

import json
import traceback
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Final, Protocol

from hemato_lab.api import RemoteStudy
from hemato_lab.api.study_document import study_bytes
from hemato_lab.batch.folders import REMOTE_FILE
from hemato_lab.batch.inputs import first_changed
from hemato_lab.batch.model import FAILED, PENDING
from hemato_lab.errors import ConfigError, ForbiddenError, HematoError, InputChangedError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from hemato_lab.batch.entries import SmearEntry
    from hemato_lab.batch.inputs import InputFile
    from hemato_lab.batch.run import Run
    from hemato_lab.report import Report

REMOTE_STAGE: Final = "remote"
AT_A_TIME: Final = 4
"""Studies under way at a service."""
_CONCERNS_ALL: Final = (ConfigError, UnauthorizedError, ForbiddenError)
"""Errors that every further smear would meet too."""


class Service(Protocol):
    """What is needed of `hemato_lab.Client`."""

    @property
    def address(self) -> str:
        """Base address of the service."""
        ...

    def run(self, source: Any, *, rbc_diameter: float | None = None) -> RemoteStudy:
        """Run a study to its report."""
        ...

    def report(self, pbs_study_id: str) -> Report:
        """Fetch the report of a study."""
        ...


class RemoteReading:
    """Has a service read the smears, or fetches what it read before.

    A smear whose entry names a study gets the report of that one; the others are sent when all are wanted. The client's
    own journal finds a study again that an earlier run began, so that no smear is sent twice.

    Parameters
    ----------
    client : Client
        Connected; it stays open.
    every_smear : bool
        Whether smears without a study are sent to the service.
    rbc_diameter_px : float or None
        For the smears whose entry states none.
    at_a_time : int
        Studies under way.
    """

    name = REMOTE_STAGE

    def __init__(
        self,
        client: Service,
        *,
        every_smear: bool = False,
        rbc_diameter_px: float | None = None,
        at_a_time: int = AT_A_TIME,
    ) -> None:
        self._client = client
        self._every_smear = every_smear
        self._rbc_diameter_px = rbc_diameter_px
        self._at_a_time = at_a_time
        self._registered: dict[str, tuple[InputFile, ...]] = {}

    def applies_to(self, entry: SmearEntry) -> bool:
        """Tell whether a smear has a study or is to get one."""
        return self._every_smear or bool(entry.remote_study_id)

    def carry_out(self, run: Run) -> None:
        """Fetch what is not there yet; a study that fails fails its smear alone.

        Raises
        ------
        HematoError
            What would stop every further study too: no right to use the service, no such service.
        """
        self._registered = run.journal.inputs()
        waiting = deque(self._outstanding(run))
        pool = ThreadPoolExecutor(self._at_a_time, thread_name_prefix="remote")
        under_way: dict[Future[RemoteStudy], SmearEntry] = {}
        try:
            while waiting or under_way:
                for entry in self._next(waiting, under_way.values()):
                    under_way[pool.submit(self._read, entry)] = entry
                for ended in wait(under_way, return_when=FIRST_COMPLETED).done:
                    self._commit(run, under_way.pop(ended), ended)
        finally:
            # What is under way goes on in the client's journal: whoever stops the run need not wait for it.
            pool.shutdown(wait=False, cancel_futures=True)

    def _next(self, waiting: deque[SmearEntry], under_way: Collection[SmearEntry]) -> list[SmearEntry]:
        """Take from those that wait as many as there is room for; the same images are not sent twice at a time."""
        busy = {self._basis(entry) for entry in under_way}
        chosen: list[SmearEntry] = []
        for entry in list(waiting):
            if len(busy) >= self._at_a_time:
                break
            basis = self._basis(entry)
            if basis not in busy:
                busy.add(basis)
                waiting.remove(entry)
                chosen.append(entry)
        return chosen

    def _outstanding(self, run: Run) -> Iterator[SmearEntry]:
        for entry in filter(self.applies_to, run.entries):
            if self._is_settled(run, entry):
                run.pass_over(self.name, entry.smear_id)
            elif changed := self._changed(entry):
                run.fail(self.name, entry.smear_id, changed.code, str(changed), basis=self._basis(entry), attempts=0)
            else:
                yield entry

    def _is_settled(self, run: Run, entry: SmearEntry) -> bool:
        smear_id = entry.smear_id
        if not entry.remote_study_id and smear_id not in self._registered:
            return True  # its files cannot be read, which the analysis has told
        record = run.record(self.name, smear_id)
        if record.state != PENDING and record.basis != self._basis(entry):
            run.forget(self.name, smear_id)
            return False
        if record.state == FAILED:
            return not run.retry_failed and record.error_code != InputChangedError.code
        return run.is_done(self.name, smear_id) and run.has_results(self.name, smear_id)

    def _changed(self, entry: SmearEntry) -> InputChangedError | None:
        """Tell whether the files of a smear are no longer those that were registered; of a study none are needed."""
        path = "" if entry.remote_study_id else first_changed(entry, self._registered[entry.smear_id])
        if not path:
            return None
        problem = f"{path} is not what was registered, or cannot be read any more; the service gets no other images"
        return InputChangedError(problem, subject=entry.smear_id, hint="restore it, or run with --retry-failed")

    def _read(self, entry: SmearEntry) -> RemoteStudy:
        if entry.remote_study_id:
            report = self._client.report(entry.remote_study_id)
            return RemoteStudy(entry.remote_study_id, self._client.address, report, (), ())
        study = self._client.run(list(entry.paths), rbc_diameter=self._diameter_px(entry))
        if changed := self._changed(entry):
            raise changed
        return study

    def _diameter_px(self, entry: SmearEntry) -> float | None:
        return self._rbc_diameter_px if entry.rbc_diameter_px is None else entry.rbc_diameter_px

    def _commit(self, run: Run, entry: SmearEntry, ended: Future[RemoteStudy]) -> None:
        basis, error = self._basis(entry), ended.exception()
        if error is None:
            run.commit(self.name, entry.smear_id, {REMOTE_FILE: study_bytes(ended.result())}, basis=basis)
        elif isinstance(error, _CONCERNS_ALL) or not isinstance(error, Exception):
            raise error
        elif isinstance(error, HematoError):
            run.fail(self.name, entry.smear_id, error.code, str(error), basis=basis)
        else:
            told = f"{entry.smear_id}: stopped by {type(error).__name__}; the log of the batch says where"
            frames = "".join(traceback.format_tb(error.__traceback__))
            run.fail(self.name, entry.smear_id, "internal", told, basis=basis, log=frames)

    def _basis(self, entry: SmearEntry) -> str:
        """Return what a study rests on: the service, and the study or the files that are sent with their scale."""
        if entry.remote_study_id:
            return json.dumps([self._client.address, entry.remote_study_id])
        sent = [one.file_id for one in self._registered.get(entry.smear_id, ())]
        return json.dumps([self._client.address, self._diameter_px(entry), *sent])
