"""Workflow 2: what a list names is fetched, checked like an upload, and told of; what fails says so in words."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.errors import BlockedAddressError
from hemato_lab.formats.stored import file_id_of
from hemato_lab.twin import callbacks, jobs, studies
from hemato_lab.twin.database import transaction
from hemato_lab.twin.downloads import Downloader
from hemato_lab.twin.service import Settings
from hemato_lab.twin.store import Store
from tests.twin.conftest import NOW, image_bytes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from hemato_lab.twin.tokens import Bearer

LIST_URL = "https://files.example/list.json?canary=signature"
FIRST, SECOND = image_bytes(1), image_bytes(2, kind="JPEG")
FILES = {"https://files.example/a/field_2.png?canary": FIRST, "https://files.example/field_1.jpg": SECOND}


class Web:
    """Stands for the fetcher: content by address."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    def download(self, url: str, write: Callable[[bytes], object], *, most_bytes: int) -> None:
        assert most_bytes > len(FIRST)
        self.asked.append(url)
        if url not in self.pages:
            raise BlockedAddressError("leads to an address that is not public", subject="https://files.example")
        write(self.pages[url])


@pytest.fixture
def submit(connection: sqlite3.Connection, bearer: Bearer) -> Callable[..., str]:
    def make(source: dict[str, Any], **options: Any) -> str:
        study_id = str(uuid.uuid4())
        with transaction(connection):
            studies.create(connection, bearer, study_id, now=NOW, tags={}, tasks=("pbs_v1",), source=source, **options)
        return study_id

    return make


def run(connection: sqlite3.Connection, folder: Path, pages: dict[str, bytes], study_id: str) -> studies.Study:
    downloader = Downloader(Settings(folder), Store(folder), Web(pages))  # type: ignore[arg-type]
    assert downloader.step(connection, NOW)
    assert not downloader.step(connection, NOW)
    study = studies.study_by_id(connection, study_id)
    assert study is not None
    return study


def list_of(files: Any, **more: Any) -> bytes:
    return json.dumps({"files": files, "clinical_tasks_requested": ["pbs_v1"], **more}).encode()


def test_a_list_is_fetched_with_its_files(connection, tmp_path: Path, submit) -> None:
    callback = "https://lab.example/done"
    study_id = submit({"list_url": LIST_URL})
    study = run(connection, tmp_path, {LIST_URL: list_of([*FILES], callback_url=callback), **FILES}, study_id)
    images = studies.images_of(connection, study_id)
    assert [(one.name, one.file_id) for one in images] == [
        ("field_1.jpg", file_id_of(SECOND)),
        ("field_2.png", file_id_of(FIRST)),
    ]
    assert Store(tmp_path).path(images[0].file_id).read_bytes() == SECOND
    assert study.callback_url == callback
    with transaction(connection):
        job = jobs.lease(connection, "analyse", "w", NOW)
    assert job is not None
    assert job.study_id == study_id
    told = callbacks.due(connection, 2 * NOW)
    assert told is not None
    assert told.body["files"][0] == {
        "file_id": file_id_of(FIRST),
        "size_bytes": len(FIRST),
        "format": "png",
        "sanity_check": "passed",
    }


def test_a_list_in_the_request_is_enough(connection, tmp_path: Path, submit) -> None:
    study_id = submit({"files": [*FILES]})
    run(connection, tmp_path, FILES, study_id)
    assert len(studies.images_of(connection, study_id)) == 2


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ({}, "The list of files could not be downloaded: leads to an address that is not public"),
        ({LIST_URL: b"<html>"}, "The list of files could not be used"),
        ({LIST_URL: list_of([])}, "The list of files could not be used"),
        ({LIST_URL: list_of(["http://files.example/a.png"])}, "The list of files could not be used"),
        ({LIST_URL: list_of([*FILES])}, "File 1 of 2 could not be downloaded"),
        ({LIST_URL: list_of([*FILES]), **dict.fromkeys(FILES, b"<html>")}, "File 1 of 2 is neither JPEG nor PNG"),
        ({LIST_URL: list_of([*FILES]), **dict.fromkeys(FILES, b"\x89PNG\r\n\x1a\n")}, "File 1 of 2 could not be used"),
        ({LIST_URL: json.dumps({"files": [*FILES], "tasks": ["MALARIA_ANY_ANY"]}).encode()}, "asks for other tasks"),
    ],
)
def test_what_fails_says_so(
    connection, tmp_path: Path, submit, caplog, *, pages: dict[str, bytes], message: str
) -> None:
    study_id = submit({"list_url": LIST_URL}, callback_url="https://lab.example/done")
    study = run(connection, tmp_path, pages, study_id)
    assert study.state == "failed"
    assert message in study.progress_message
    told = callbacks.due(connection, 2 * NOW)
    assert told is not None
    assert told.body["report_status"] == "failed"
    assert "canary" not in study.progress_message + caplog.text
    assert list((tmp_path / "incoming").iterdir()) == []
    assert not studies.images_of(connection, study_id)
