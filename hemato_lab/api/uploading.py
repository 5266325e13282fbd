"""Sending files: several at a time, each once, and none that the service has acknowledged before."""

from __future__ import annotations

import threading
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from hemato_lab.api import requests
from hemato_lab.api.answers import ServiceWarning, read
from hemato_lab.api.archives import packed
from hemato_lab.api.calling import Tries
from hemato_lab.api.calls import Calls
from hemato_lab.api.effects import together, work
from hemato_lab.api.files import UploadFile, files_of
from hemato_lab.api.journal import OPEN
from hemato_lab.api.models import FileReceived
from hemato_lab.api.privacy import PrivacyWarning, harmless_file_name
from hemato_lab.api.progress import told
from hemato_lab.errors import ConfigError, OtherFilesError, SchemaMismatchError, StudyClosedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.api.effects import Operation
    from hemato_lab.api.progress import Progress


class Uploads:
    """What the service has of the files of one study; safe for threads.

    Parameters
    ----------
    files : sequence of UploadFile
        All that are to be there.
    acknowledged : mapping of str to tuple of str
        Those that are, and the ids by which the service knows them.
    progress : callable or None
        Told of each change.
    """

    def __init__(
        self, files: tuple[UploadFile, ...], acknowledged: Mapping[str, tuple[str, ...]], progress: Progress | None
    ) -> None:
        self.files = files
        self._lock = threading.Lock()
        self._known = {file.file_id: acknowledged[file.file_id] for file in files if file.file_id in acknowledged}
        self._owners = {file_id: file.file_id for file in files for file_id in (file.file_id, *file.members)}
        self._owners |= {one: file_id for file_id, ids in self._known.items() for one in ids}
        self._size = sum(file.size for file in files)
        self._sent = self._size - sum(file.size for file in self.missing)
        self._progress = progress
        self._tell()

    @property
    def missing(self) -> list[UploadFile]:
        """Files that the service does not have yet, in order."""
        with self._lock:
            return [file for file in self.files if file.file_id not in self._known]

    @property
    def remote_ids(self) -> dict[str, tuple[str, ...]]:
        """Our id of each file that the service has, in order, and the service's ids of it."""
        with self._lock:
            return {file.file_id: self._known[file.file_id] for file in self.files if file.file_id in self._known}

    def is_of_another(self, file: UploadFile, remote_ids: tuple[str, ...]) -> bool:
        """Tell whether an acknowledgement is one of another file: an old answer, not a service with other hashes."""
        with self._lock:
            return any(self._owners.get(one, file.file_id) != file.file_id for one in remote_ids)

    def add(self, file: UploadFile, remote_ids: tuple[str, ...]) -> None:
        """Note that the service has a file."""
        with self._lock:
            self._known[file.file_id] = remote_ids
            self._owners |= dict.fromkeys(remote_ids, file.file_id)
            self._sent += file.size
            self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._sent, self._size)


class Uploading(Calls):
    """The call that sends a file, for any number of files."""

    def upload(
        self,
        study_id: str,
        source: Any,
        *,
        zip_above: int | None = None,
        parallel: int = 8,
        progress: Progress | bool = False,
        rbc_diameter: float | None = None,
        limit_s: float | None = None,
    ) -> Operation[dict[str, tuple[str, ...]]]:
        """Send files (workflow 1, step 2); those that the journal knows to be there are not sent again.

        Parameters
        ----------
        study_id : str
            The study; its tasks must not have been requested yet.
        source : bytes, path, Pillow image, array, Field, Smear, or a sequence of these
            See `files_of`.
        zip_above : int or None
            Pack images into ZIP archives when together they have more bytes than this; None sends each on its own.
        parallel : int
            Files that are under way at the same time.
        progress : bool or callable
            True draws a bar; a function is told the bytes that are there and the bytes of all.
        rbc_diameter : float or None
            Pixels across a red cell, which later material of the vendor asks for (api/DECISIONS.md row 32).
        limit_s : float or None
            Seconds for each file with all its tries; those of the policy when None.

        Returns
        -------
        dict
            Our id of each file, and the ids by which the service knows it (several for a ZIP).

        Raises
        ------
        StudyClosedError
            If tasks were requested already.
        HematoError
            Of the first file that could not be sent; those that were are in the journal, and calling again goes on.
        """
        if parallel < 1:
            raise ConfigError("must be at least 1", subject="parallel")
        files = yield from work(prepared, source, zip_above)
        known = yield from work(self.journal.study, self.address, study_id)
        acknowledged = yield from work(self.journal.acknowledged, self.address, study_id)
        with told(progress) as tell:
            uploads = Uploads(files, acknowledged, tell)
            if uploads.missing and known is not None and known.state != OPEN:
                raise StudyClosedError("tasks were requested already", subject=study_id, hint="create a new study")
            send = partial(self._send_one, study_id, uploads, rbc_diameter, limit_s)
            yield from together([partial(send, file) for file in uploads.missing], limit=parallel)
        return uploads.remote_ids

    def _send_one(
        self, study_id: str, uploads: Uploads, rbc_diameter: float | None, limit_s: float | None, file: UploadFile
    ) -> Operation[None]:
        content = yield from work(file.load)
        name = harmless_file_name(file.name, file.file_id, file.suffix)
        if name != file.name.rpartition("/")[2]:
            _warn_of_name()
        request = requests.upload(study_id, content, file.content_type, file_name=name, rbc_diameter=rbc_diameter)
        limit = self.caller.policy.upload_s if limit_s is None else limit_s
        accept = partial(self._acknowledge, study_id, uploads, file)
        tries: Tries[FileReceived] = Tries(accept=accept)
        yield from self.caller.call(request, partial(read, FileReceived), limit_s=limit, tries=tries)

    def _acknowledge(
        self, study_id: str, uploads: Uploads, file: UploadFile, request_id: str, received: FileReceived
    ) -> Operation[None]:
        """Note a file, once the acknowledgement is known to be its own (api/DECISIONS.md rows 13 and 14)."""
        del request_id
        remote_ids = tuple(received.file_ids) or (received.file_id,)
        if uploads.is_of_another(file, (*remote_ids, *filter(None, [received.file_id]))):
            problem = "the answer acknowledges another file than the one that was sent"
            raise SchemaMismatchError(problem, subject=study_id, hint="ask again")
        if file.file_id not in {received.file_id, *remote_ids}:
            self._other_id(study_id, file, received.file_id or remote_ids[0])
        now = self.caller.clock.wall()
        yield from work(
            self.journal.acknowledge, self.address, study_id, file.file_id, remote_ids, size=file.size, now=now
        )
        uploads.add(file, remote_ids)

    def _other_id(self, study_id: str, file: UploadFile, remote_id: str) -> None:
        problem = f"the service knows the file {file.file_id} as {remote_id[:80]}"
        if self.strict:
            raise OtherFilesError(problem, subject=study_id, hint="its bytes changed on the way; do not use the study")
        warnings.warn(f"{study_id}: {problem}; it may hash differently", ServiceWarning, stacklevel=2)


def prepared(source: Any, zip_above: int | None) -> tuple[UploadFile, ...]:
    """Return the files to send of a source, packed into archives if together they have more bytes than `zip_above`."""
    files = files_of(source)
    return files if zip_above is None else packed(files, zip_above)


def _warn_of_name() -> None:
    warnings.warn(
        "the name of a file looks like personal data or cannot be sent; one made from its hash was sent in its place",
        PrivacyWarning,
        stacklevel=2,
    )
