"""Uploads over real sockets: idempotent by content, refused in words, and closed by tasks."""

from __future__ import annotations

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
import pytest

import hemato_lab as hl
from hemato_lab.formats.stored import file_id_of
from tests.twin.conftest import image_bytes
from tests.twin.serving import results

if TYPE_CHECKING:
    from collections.abc import Iterator

PNG, JPEG = image_bytes(1), image_bytes(1, kind="JPEG")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hl.Twin]:
    with hl.Twin(tmp_path_factory.mktemp("twin"), workers=0) as running:
        yield running


@pytest.fixture
def http(twin: hl.Twin) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=twin.url, headers={"Authorization": login(twin)}, timeout=60) as client:
        yield client


def login(twin: hl.Twin) -> str:
    body = {"user": twin.access.email, "pass_hash": sha256(twin.access.password.encode()).hexdigest()}
    token: str = results(httpx.post(f"{twin.url}/auth/login", json=body), 202)["token"]["HY_APP_AUTH_v1"]
    return token


def new_study(http: httpx.Client) -> str:
    study_id: str = results(http.post("/pbs", json={}), 201)["pbs_study_id"]
    return study_id


def test_the_same_file_a_thousand_times_is_one_file(twin: hl.Twin, http: httpx.Client) -> None:
    study = new_study(http)

    def send(_: int) -> str:
        answer = http.post(f"/pbs/{study}/files", content=PNG, headers={"Content-Type": "image/png"})
        found: str = results(answer, 201)["file_id"]
        return found

    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(send, range(1000)))
    assert ids == {file_id_of(PNG)}
    service = twin._running.service
    assert service is not None
    rows = service.writer.run(
        lambda connection: connection.execute("SELECT file_id FROM files WHERE study_id = ?", (study,)).fetchall()
    )
    assert [row[0] for row in rows] == [file_id_of(PNG)]
    assert [path.name for path in (twin.folder / "files").iterdir()].count(file_id_of(PNG)) == 1
    assert list((twin.folder / "incoming").iterdir()) == []


def test_the_later_dialect_has_a_status_of_its_own(twin: hl.Twin, http: httpx.Client) -> None:
    study = new_study(http)
    headers = {"Authorization": f"Bearer {login(twin)}"}
    answer = http.post(f"/pbs/{study}/files", params={"file_name": "a.png"}, content=PNG, headers=headers)
    assert results(answer, 202)["file_id"] == file_id_of(PNG)


def test_an_archive_has_its_own_id_and_those_of_its_images(http: httpx.Client) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("b/1.jpg", JPEG)
        archive.writestr("a/2.png", PNG)
        archive.writestr("__MACOSX/a/._2.png", b"hidden")
    content = stream.getvalue()
    answer = http.post(f"/pbs/{new_study(http)}/files", params={"file_name": "fields.zip"}, content=content)
    found = results(answer, 201)
    assert found["file_id"] == file_id_of(content)
    assert found["file_ids"] == [file_id_of(JPEG), file_id_of(PNG)]


@pytest.mark.parametrize(
    ("headers", "query", "content", "code"),
    [
        ({"Content-Type": "image/png"}, {}, JPEG, "file_type_mismatch"),
        ({"Content-Type": "image/tiff"}, {}, PNG, "unsupported_file_type"),
        ({"Content-Type": "image/jpeg"}, {"file_name": "a.png"}, PNG, "file_type_mismatch"),  # the header goes first
        ({}, {"content_type": "image/jpeg", "file_name": "a.png"}, PNG, "file_type_mismatch"),  # then the parameter
        ({}, {"file_name": "a"}, PNG, "unknown_file_type"),
        ({}, {}, PNG, "unknown_file_type"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, {"file_name": "a.png"}, PNG, "multipart_not_supported"),
        ({"Content-Type": "image/png"}, {}, b"", "empty_file"),
        ({"Content-Type": "image/png"}, {"rbc_diameter": "-1"}, PNG, "bad_rbc_diameter"),
        ({"Content-Type": "application/zip"}, {}, b"PK\x03\x04 no archive", "bad_archive"),
    ],
)
def test_what_is_no_usable_file_is_refused(
    http: httpx.Client, twin: hl.Twin, *, headers: dict[str, str], query: dict[str, str], content: bytes, code: str
) -> None:
    answer = http.post(f"/pbs/{new_study(http)}/files", params=query, content=content, headers=headers)
    document = answer.json()
    assert (answer.status_code, document["error"]) == (400, code)
    assert document["user_message"]
    assert list((twin.folder / "incoming").iterdir()) == []


def test_a_closed_study_takes_nothing(http: httpx.Client) -> None:
    study = new_study(http)
    assert http.post(f"/pbs/{study}/tasks", json={"tasks": ["pbs_v1"]}).json()["error"] == "no_files"
    results(http.post(f"/pbs/{study}/files", content=PNG, headers={"Content-Type": "image/png"}), 201)
    assert results(http.post(f"/pbs/{study}/tasks", json={"tasks": ["pbs_v1"]}), 202)["tasks"] == ["pbs_v1"]
    for again in (
        http.post(f"/pbs/{study}/files", content=JPEG, headers={"Content-Type": "image/jpeg"}),
        http.post(f"/pbs/{study}/files", content=PNG, headers={"Content-Type": "image/png"}),
        http.post(f"/pbs/{study}/tasks", json={"tasks": ["pbs_v1"]}),
    ):
        assert (again.status_code, again.json()["error"]) == (400, "study_closed")


def test_two_requests_for_tasks_at_once_make_one_job(twin: hl.Twin, http: httpx.Client) -> None:
    study = new_study(http)
    results(http.post(f"/pbs/{study}/files", content=PNG, headers={"Content-Type": "image/png"}), 201)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: http.post(f"/pbs/{study}/tasks", json={"tasks": ["pbs_v1"]}), range(8)))
    assert sorted(answer.status_code for answer in answers) == [202, *[400] * 7]
    service = twin._running.service
    assert service is not None
    count = service.writer.run(
        lambda connection: connection.execute("SELECT count(*) FROM jobs WHERE study_id = ?", (study,)).fetchone()[0]
    )
    assert count == 1


def test_the_same_creation_with_a_key_is_one_study(http: httpx.Client) -> None:
    headers = {"Idempotency-Key": "a-key"}
    first = results(http.post("/pbs", json={"tags": {"a": "1"}}, headers=headers), 201)
    assert results(http.post("/pbs", json={"tags": {"a": "1"}}, headers=headers), 201) == first
    again = http.post("/pbs", json={"tags": {"a": "2"}}, headers=headers)
    assert (again.status_code, again.json()["error"]) == (400, "idempotency_key_reused")
