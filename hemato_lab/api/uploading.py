"""Sending files: several at a time, each once, and none that the service has acknowledged before."""

from __future__ import annotations

import threading
import warnings
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.api import requests
from hemato_lab.api.answers import read
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
    from collections.abc import Iterable, Mapping

    from hemato_lab.api.effects import Operation
    from hemato_lab.api.progress import Progress
    from hemato_lab.api.requests import Study

_ENDINGS: Final = {".jpg": {".jpg", ".jpeg"}}
"""Endings that tell a type as well as its first one."""


class Uploads:
    """What the service has of the images of one study; safe for threads.

    Images are counted, not files: which images went in which archive may differ between two calls.

    Parameters
    ----------
    files : sequence of UploadFile
        All that are to be there.
    acknowledged : mapping of str to tuple of str
        Images that are, by our id, and the ids by which the service knows them.
    progress : callable or None
        Told of each change.
    """

    def __init__(
        self, files: tuple[UploadFile, ...], acknowledged: Mapping[str, tuple[str, ...]], progress: Progress | None
    ) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._images = {image.file_id: image for file in files for image in file.images}
        self._known = {file_id: ids for file_id, ids in acknowledged.items() if file_id in self._images}
        self._owners = {file_id: file_id for file_id in self._images}
        self._owners |= {one: file_id for file_id, ids in self._known.items() for one in ids}
        self._size = sum(image.size for image in self._images.values())
        self._sent = sum(self._images[file_id].size for file_id in self._known)
        self._progress = progress
        self._tell()

    @property
    def missing(self) -> tuple[UploadFile, ...]:
        """Files with an image that the service does not have yet, in order."""
        with self._lock:
            return tuple(file for file in self._files if any(image.file_id not in self._known for image in file.images))

    @property
    def remote_ids(self) -> dict[str, tuple[str, ...]]:
        """Our id of each image that the service has, in order, and the service's ids of it."""
        with self._lock:
            return {file_id: self._known[file_id] for file_id in self._images if file_id in self._known}

    def is_of_another(self, file: UploadFile, remote_ids: Iterable[str]) -> bool:
        """Tell whether an acknowledgement is one of another file: an old answer, not a service with other hashes."""
        own = {image.file_id for image in file.images} | {file.file_id}
        with self._lock:
            return any(self._owners.get(one, file.file_id) not in own for one in remote_ids)

    def add(self, remote_ids: Mapping[str, tuple[str, ...]]) -> None:
        """Note that the service has images, by our id of each."""
        with self._lock:
            self._sent += sum(self._images[file_id].size for file_id in remote_ids if file_id not in self._known)
            self._known |= remote_ids
            self._owners |= {one: file_id for file_id, ids in remote_ids.items() for one in ids}
            self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._sent, self._size)


class Uploading(Calls):
    """The call that sends a file, for any number of files."""

    def upload(
        self,
        study: Study,
        source: Any,
        *,
        zip_above: int | None = None,
        parallel: int = 8,
        progress: Progress | bool = False,
        rbc_diameter: float | None = None,
        limit_s: float | None = None,
    ) -> Operation[dict[str, tuple[str, ...]]]:
        """Send files (workflow 1, step 2); images that the journal knows to be there are not sent again.

        Parameters
        ----------
        study : str or StudyCreated
            The study, or its id; its tasks must not have been requested yet.
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
            Our id of each image, and the ids by which the service knows it: one as a rule, those of its archive where
            the service does not tell them apart.

        Raises
        ------
        StudyClosedError
            If tasks were requested already.
        HematoError
            Of the first file that could not be sent; those that were are in the journal, and calling again goes on.
        """
        study_id = requests.id_of(study)
        if parallel < 1:
            raise ConfigError("must be at least 1", subject="parallel")
        files = yield from work(files_of, source)
        known = yield from work(self.journal.study, self.address, study_id)
        acknowledged = yield from work(self.journal.acknowledged, self.address, study_id)
        with told(progress) as tell:
            uploads = Uploads(files, acknowledged, tell)
            missing = uploads.missing
            if missing and known is not None and known.state != OPEN:
                raise StudyClosedError("tasks were requested already", subject=study_id, hint="create a new study")
            to_send = missing if zip_above is None else (yield from work(packed, missing, zip_above))
            send = partial(self._send_one, study_id, uploads, rbc_diameter, limit_s)
            yield from together([partial(send, file) for file in to_send], limit=parallel)
        return uploads.remote_ids

    def _send_one(
        self, study_id: str, uploads: Uploads, rbc_diameter: float | None, limit_s: float | None, file: UploadFile
    ) -> Operation[None]:
        content = yield from work(file.load)
        request = requests.upload(
            study_id, content, file.content_type, file_name=_name_to_send(file), rbc_diameter=rbc_diameter
        )
        limit = self.caller.policy.upload_s if limit_s is None else limit_s
        accept = partial(self._acknowledge, study_id, uploads, file)
        tries: Tries[FileReceived] = Tries(accept=accept)
        yield from self.caller.call(request, partial(read, FileReceived), limit_s=limit, tries=tries)

    def _acknowledge(
        self, study_id: str, uploads: Uploads, file: UploadFile, request_id: str, received: FileReceived
    ) -> Operation[None]:
        """Note a file, once the acknowledgement is known to be its own (api/DECISIONS.md rows 13 and 14)."""
        del request_id
        named = tuple(received.file_ids) or (received.file_id,)
        told_of = {one for one in (received.file_id, *received.file_ids) if one}
        if uploads.is_of_another(file, told_of):
            problem = "the answer acknowledges another file than the one that was sent"
            raise SchemaMismatchError(problem, subject=study_id, hint="ask again")
        own = {image.file_id for image in file.images}
        is_ours = file.file_id in told_of or own <= told_of
        problem = "" if is_ours else f"the service knows the file {file.file_id} as {named[0][:80]}"
        if problem and self.strict:
            raise OtherFilesError(problem, subject=study_id, hint="its bytes changed on the way; do not use the study")
        remote_ids = {one: (one,) if one in received.file_ids else named for one in own}
        noted = {image.file_id: (remote_ids[image.file_id], image.size) for image in file.images}
        yield from work(self.journal.acknowledge, self.address, study_id, noted, self.caller.clock.wall())
        uploads.add(remote_ids)
        if problem:
            self.caller.warn(f"{study_id}: {problem}; it may hash differently")


def _name_to_send(file: UploadFile) -> str:
    """Return the file's name with the ending of its type, or one from its hash if it looks like personal data."""
    path = PurePosixPath(file.name.replace("\\", "/"))
    own = path.name if path.suffix.lower() in _ENDINGS.get(file.suffix, {file.suffix}) else path.stem + file.suffix
    name = harmless_file_name(own, file.file_id, file.suffix)
    if name != own:
        warnings.warn(
            "the name of a file looks like personal data or cannot be sent; one made from its hash is sent instead",
            PrivacyWarning,
            stacklevel=2,
        )
    return name
