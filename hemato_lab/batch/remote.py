"""The stage in which a remote service reads the same smears: from this process alone, a few at a time."""

from __future__ import annotations

import json
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from hemato_lab.api import RemoteStudy
from hemato_lab.api.study_document import study_bytes
from hemato_lab.batch.folders import REMOTE_FILE
from hemato_lab.batch.model import FAILED, PENDING
from hemato_lab.errors import ConfigError, ForbiddenError, HematoError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.batch.entries import SmearEntry
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
        self._sent: dict[str, list[str]] = {}

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
        self._sent = {smear_id: [one.file_id for one in files] for smear_id, files in run.journal.inputs().items()}
        outstanding = self._outstanding(run)
        with ThreadPoolExecutor(self._at_a_time, thread_name_prefix="remote") as pool:
            under_way: dict[Future[RemoteStudy], SmearEntry] = {}
            try:
                while True:
                    for entry in islice(outstanding, self._at_a_time - len(under_way)):
                        under_way[pool.submit(self._read, entry)] = entry
                    if not under_way:
                        return
                    for ended in wait(under_way, return_when=FIRST_COMPLETED).done:
                        self._commit(run, under_way.pop(ended), ended)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _outstanding(self, run: Run) -> Iterator[SmearEntry]:
        for entry in filter(self.applies_to, run.entries):
            smear_id = entry.smear_id
            record, settled = run.record(self.name, smear_id), False
            if record.state != PENDING and record.basis != self._basis(entry):
                run.forget(self.name, smear_id)
            elif record.state == FAILED:
                settled = not run.retry_failed
            elif run.is_done(self.name, smear_id):
                settled = run.has_results(self.name, smear_id)
            if settled:
                run.pass_over(self.name, smear_id)
            else:
                yield entry

    def _read(self, entry: SmearEntry) -> RemoteStudy:
        if entry.remote_study_id:
            report = self._client.report(entry.remote_study_id)
            return RemoteStudy(entry.remote_study_id, self._client.address, report, (), ())
        diameter = self._rbc_diameter_px if entry.rbc_diameter_px is None else entry.rbc_diameter_px
        return self._client.run(list(entry.paths), rbc_diameter=diameter)

    def _commit(self, run: Run, entry: SmearEntry, ended: Future[RemoteStudy]) -> None:
        basis = self._basis(entry)
        try:
            study = ended.result()
        except _CONCERNS_ALL:
            raise
        except HematoError as error:
            run.fail(self.name, entry.smear_id, error.code, str(error), basis=basis)
        else:
            run.commit(self.name, entry.smear_id, {REMOTE_FILE: study_bytes(study)}, basis=basis)

    def _basis(self, entry: SmearEntry) -> str:
        """Return what a study rests on: the service, and the study or the files that were sent."""
        sent = [entry.remote_study_id] if entry.remote_study_id else self._sent.get(entry.smear_id, [])
        return json.dumps([self._client.address, *sent])
