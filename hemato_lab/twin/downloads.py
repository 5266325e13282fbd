"""Workflow 2: the list and its files are fetched, checked, and handed on to the analysis.

Vendor's document, "Workflow 2"; api/DECISIONS.md rows 23 to 26. Addresses may hold signatures: neither messages nor
logs repeat them.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from hemato_lab.api.files import suffix_of
from hemato_lab.errors import HematoError
from hemato_lab.twin import callbacks, jobs, studies
from hemato_lab.twin.bodies import TASK_KEYS, callback_url_of, checked_address
from hemato_lab.twin.database import transaction
from hemato_lab.twin.exchange import LARGEST_JSON, parsed
from hemato_lab.twin.leases import signs_of_life
from hemato_lab.twin.list_files import read_list
from hemato_lab.twin.receiving import receive
from hemato_lab.twin.refusals import MESSAGE_OF, Refusal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from hemato_lab.twin.fetching import Fetcher
    from hemato_lab.twin.file_types import FileType
    from hemato_lab.twin.jobs import Job
    from hemato_lab.twin.service import Settings
    from hemato_lab.twin.store import Store
    from hemato_lab.twin.studies import Study, StudyFile

LARGEST_STUDY: Final = 16 << 30
"""Bytes that one study may have in all, unpacked ones too."""
LONGEST_S: Final = 6 * 3600.0
"""Seconds that the downloads of one study may take in all."""
_KINDS: Final[dict[str, FileType]] = {".jpg": "jpeg", ".png": "png", ".zip": "zip"}
_LOGGER: Final = logging.getLogger(__name__)


class DownloadFailedError(Exception):
    """A study cannot be downloaded; says why in words for its owner."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to download, and what else a list file says."""

    files: tuple[str, ...]
    callback_url: str = ""
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)


class Downloader:
    """Takes one study after the other whose files have to be downloaded.

    Parameters
    ----------
    settings : Settings
        Of the twin.
    store : Store
        Where files go.
    fetcher : Fetcher
        Refuses addresses that must not be called.
    """

    def __init__(self, settings: Settings, store: Store, fetcher: Fetcher) -> None:
        self._settings = settings
        self._store = store
        self._fetcher = fetcher

    def step(self, connection: sqlite3.Connection, now: float) -> bool:
        """Download the files of one study if one waits, and tell whether there was one."""
        with transaction(connection):
            job = jobs.lease(connection, "download", "server", now)
        if job is None:
            return False
        study = studies.study_by_id(connection, job.study_id)
        try:
            if study is not None:
                with signs_of_life(self._settings.folder, job):
                    self._download(connection, job, study)
        except DownloadFailedError as error:
            self._fail(connection, job, str(error))
        except OSError as error:  # the disk is full or broken: nothing is wrong with the study, which waits
            _LOGGER.error("downloads of study %s wait: %s", job.study_id, error.strerror)  # noqa: TRY400
            with transaction(connection):
                jobs.give_back(connection, job)
            return False
        return True

    def _fail(self, connection: sqlite3.Connection, job: Job, message: str) -> None:
        _LOGGER.warning("downloads of study %s: %s", job.study_id, message)
        with transaction(connection):
            jobs.fail(connection, job, message, time.time())

    def _download(self, connection: sqlite3.Connection, job: Job, study: Study) -> None:
        wanted = self._wanted(study)
        files: list[StudyFile] = []
        until = time.monotonic() + LONGEST_S
        for number, url in enumerate(wanted.files, start=1):
            with transaction(connection):
                studies.say(connection, study.study_id, f"Downloading file {number} of {len(wanted.files)}")
            files += self._file(url, f"File {number} of {len(wanted.files)}")
            _refuse_too_much(files, until)
        now = time.time()
        with transaction(connection):
            if jobs.close(connection, job):
                if wanted.callback_url and not study.callback_url:
                    studies.set_callback(connection, study.study_id, wanted.callback_url)
                studies.add_tags(connection, study.study_id, wanted.tags)
                callbacks.schedule(connection, study.study_id, "downloaded", _body(study, files), now)
                studies.analyse_downloads(connection, study.study_id, files, now)

    def _wanted(self, study: Study) -> Wanted:
        if "files" in study.source:
            return Wanted(tuple(study.source["files"]))
        content = bytearray()
        try:
            self._fetcher.download(study.source["list_url"], content.extend, most_bytes=LARGEST_JSON)
            document = parsed(bytes(content))
            if not any(key in document for key in TASK_KEYS):
                document["tasks"] = list(study.tasks)
            listed = read_list(document)
            http = self._settings.fetch.allow_http
            files = tuple(checked_address(url, "bad_download_url", http_permitted=http) for url in listed.files)
            callback_url = callback_url_of(document, http_permitted=self._settings.http_callbacks)
        except HematoError as error:
            raise DownloadFailedError(f"The list of files could not be downloaded: {error.problem}") from error
        except Refusal as error:
            raise DownloadFailedError(f"The list of files could not be used: {MESSAGE_OF[error.code]}") from error
        if set(listed.tasks) != set(study.tasks):
            raise DownloadFailedError("The list of files asks for other tasks than the request")
        return Wanted(files, callback_url, listed.tags)

    def _file(self, url: str, what: str) -> list[StudyFile]:
        """Download one file and keep it, with what it holds if it is an archive."""
        with ExitStack() as opened:
            incoming = opened.enter_context(self._store.incoming())
            try:
                self._fetcher.download(url, incoming.write, most_bytes=self._settings.most_upload_bytes)
                kind = _KINDS.get(suffix_of(incoming.head))
                if kind is None:
                    raise DownloadFailedError(f"{what} is neither JPEG nor PNG nor ZIP")
                return receive(self._store, incoming, kind, _name_in(url))
            except HematoError as error:
                raise DownloadFailedError(f"{what} could not be downloaded: {error.problem}") from error
            except Refusal as error:
                raise DownloadFailedError(f"{what} could not be used: {MESSAGE_OF[error.code]}") from error


def _refuse_too_much(files: Sequence[StudyFile], until: float) -> None:
    if sum(one.size for one in files) > LARGEST_STUDY:
        raise DownloadFailedError("The files of the study are larger than this server takes")
    if len(files) > studies.MOST_FILES:
        raise DownloadFailedError(f"The study has more than {studies.MOST_FILES} files")
    if time.monotonic() > until:
        raise DownloadFailedError("The downloads of the study took too long")


def _name_in(url: str) -> str:
    """Return the file name in an address, without what may be signed."""
    return unquote(urlsplit(url).path.rpartition("/")[2])[:200]


def _body(study: Study, files: Sequence[StudyFile]) -> dict[str, Any]:
    """Return what the document's text promises of the first callback: sizes, formats and sanity checks."""
    images = [one for one in files if one.kind != "zip"]
    return callbacks.documented_body(study.study_id, "queued", 0.0) | {
        "file_ids": [one.file_id for one in images],
        "files": [
            {"file_id": one.file_id, "size_bytes": one.size, "format": one.kind, "sanity_check": "passed"}
            for one in images
        ],
    }
