"""The running server: what its first start makes, what it believes, and what it does on purpose."""

from __future__ import annotations

import socket
import time
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
import jwt
import pytest

import hemato_lab as hl
from hemato_lab.errors import ConfigError, LockedError, StudyFailedError
from hemato_lab.formats.stored import file_id_of
from hemato_lab.twin.database import FILE_NAME, open_database, transaction
from hemato_lab.twin.malformed import LARGEST_HEAD
from hemato_lab.twin.server import Binding, Server
from hemato_lab.twin.service import Settings
from tests.twin.conftest import image_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hl.Twin]:
    with hl.Twin(tmp_path_factory.mktemp("twin"), workers=0, strict=True) as running:
        yield running


def wrong_login(twin: hl.Twin, user: str, **headers: str) -> int:
    body = {"user": user, "pass_hash": sha256(user.encode()).hexdigest()}
    return httpx.post(f"{twin.url}/auth/login", json=body, headers=headers, timeout=60).status_code


def test_a_header_does_not_say_who_is_calling(twin: hl.Twin) -> None:
    statuses = [wrong_login(twin, f"u{n}@b.org", **{"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(30)]
    assert set(statuses) == {401, 429}
    headers = {"X-Forwarded-For": "203.0.113.7"}
    assert httpx.get(f"{twin.url}/_twin/overview", headers=headers).status_code == 200


def test_a_long_login_is_not_listened_to(twin: hl.Twin) -> None:
    answer = httpx.post(f"{twin.url}/auth/login", content=b'{"a": "' + b"x" * 5000 + b'"}')
    assert (answer.status_code, answer.json()["error"]) == (400, "body_too_large")


def test_a_head_that_does_not_end_is_refused(twin: hl.Twin) -> None:
    with socket.create_connection(("127.0.0.1", int(twin.url.rpartition(":")[2])), timeout=30) as caller:
        caller.sendall(b"GET /heartbeat HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
        sent = 0
        try:
            while sent < 10 * LARGEST_HEAD:
                sent += caller.send(b"x" * 16384)
                time.sleep(0.001)
        except OSError:
            pass
    assert sent < 10 * LARGEST_HEAD


def test_a_fault_can_be_asked_for_at_any_time(twin: hl.Twin) -> None:
    answer = httpx.get(f"{twin.url}/heartbeat", headers={"X-Twin-Fault": "503"})
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert httpx.get(f"{twin.url}/heartbeat").status_code == 200


def test_a_search_for_too_many_tags_is_refused(twin: hl.Twin) -> None:
    params = {f"tag.{number}": "" for number in range(1001)}
    access = twin.access
    auth = hl.KeyAuth.from_file(
        access.private_key, issuer=access.issuer, user_id=access.user_id, kid=access.key_id, role="user"
    )
    key = access.private_key.read_bytes()
    headers = {"Authorization": jwt.encode(auth.claims("127.0.0.1", time.time()), key, "RS256")}
    answer = httpx.get(f"{twin.url}/_twin/studies", params=params, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_tags")


def test_a_port_that_is_taken_does_not_use_up_the_first_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = Server(Settings(tmp_path), Binding(port=other.getsockname()[1]), workers=0)
        with pytest.raises(ConfigError, match="cannot listen"):
            server.start()
    with hl.Twin(tmp_path, workers=0) as twin:
        assert twin.access.password


def test_a_certificate_that_is_none_does_not_either(tmp_path: Path) -> None:
    binding = Binding(certificate=tmp_path / "none.pem", private_key=tmp_path / "none.key")
    with pytest.raises(ConfigError, match="cannot be used"):
        Server(Settings(tmp_path / "twin"), binding, workers=0).start()
    assert not (tmp_path / "twin" / FILE_NAME).exists()


def test_two_servers_do_not_share_a_folder(twin: hl.Twin) -> None:
    with pytest.raises(LockedError, match="another twin"):
        Server(Settings(twin.folder), workers=0).start()


def test_a_seed_makes_the_same_ids_and_never_one_twice(tmp_path: Path) -> None:
    ids = []
    for folder in ("a", "b", "b"):
        with hl.Twin(tmp_path / folder, workers=0, seed=7) as twin, client_of(twin) as client:
            ids.append([client.create().pbs_study_id for _ in range(3)])
    assert ids[0] == ids[1]
    assert not set(ids[1]) & set(ids[2])


def client_of(twin: hl.Twin) -> hl.Client:
    """Return a client with the key of the first start, which an earlier twin of the folder made."""
    connection = open_database(twin.folder)
    (key_id,) = connection.execute("SELECT key_id FROM keys").fetchone()
    (user_id,) = connection.execute("SELECT user_id FROM users").fetchone()
    connection.close()
    path = twin.folder / "first_key.pem"
    return twin.new_client(
        auth=hl.KeyAuth.from_file(path, issuer="twin.example.org", user_id=user_id, kid=key_id, role="user")
    )


def test_bytes_that_changed_are_not_analysed(tmp_path: Path) -> None:
    content = image_bytes(1, side=64)
    with hl.Twin(tmp_path, workers=0) as twin:
        study = twin.client.create()
        twin.client.upload(study, content)
        twin.client.request_tasks(study, ["pbs_v1"])
        (tmp_path / "files" / file_id_of(content)).write_bytes(image_bytes(2, side=64))
    with hl.Twin(tmp_path) as twin, client_of(twin) as client, pytest.raises(StudyFailedError, match="no longer"):
        client.wait(study)


def test_restarts_are_no_attempts(tmp_path: Path) -> None:
    with hl.Twin(tmp_path, workers=0) as twin:
        study = twin.client.create()
        twin.client.upload(study, image_bytes(1, side=64), rbc_diameter=16.0)
        twin.client.request_tasks(study, ["pbs_v1"])
    connection = open_database(tmp_path)
    for _ in range(5):
        with transaction(connection):
            connection.execute("UPDATE jobs SET state = 'leased', attempts = attempts + 1")
        with hl.Twin(tmp_path, workers=0):
            pass
    connection.close()
    with hl.Twin(tmp_path) as twin, client_of(twin) as client:
        assert client.wait(study).report_status == "ready"


def test_a_folder_may_be_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hemato_lab").mkdir()
    (tmp_path / "hemato_lab" / "__init__.py").write_text("raise RuntimeError")  # not to be taken for the package
    with hl.Twin("a_folder") as twin:
        study = twin.client.run(image_bytes(1, side=64), rbc_diameter=16.0)
    assert study.report.file_ids == (file_id_of(image_bytes(1, side=64)),)
