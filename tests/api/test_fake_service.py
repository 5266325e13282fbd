"""The doubles do what they say: statuses of the fake service, faults of its transports, behaviours of its server."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hemato_lab.formats.stored import file_id_of
from tests.api.fake_service import FakeService, Study
from tests.api.loopback import Behaviour, LoopbackServer
from tests.api.recording import Answer
from tests.api.transports import NOT_PROCESSED, RAISED, Fault, FaultyTransport, mock_transport

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000.0
USER, SECRET = "ali@example.com", "ab" * 32
JPEG, PNG = b"\xff\xd8\xff one", b"\x89PNG\r\n\x1a\n two"
ROOT = Path(__file__).parents[2]


def fake(**options: Any) -> FakeService:
    return FakeService(static_tokens={"token"}, users={USER: SECRET}, wall_clock=lambda: NOW, **options)


def client_of(transport: httpx.BaseTransport, token: str = "token") -> httpx.Client:  # noqa: S107 (no secret)
    return httpx.Client(transport=transport, base_url="https://dev.api.hemato.ai", headers={"authorization": token})


@pytest.fixture
def service() -> FakeService:
    return fake()


@pytest.fixture
def client(service: FakeService) -> httpx.Client:
    return client_of(mock_transport(service))


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def create(client: httpx.Client) -> str:
    return str(client.post("/pbs", json={}).json()["results"]["pbs_study_id"])


def upload(client: httpx.Client, study_id: str, content: bytes = JPEG, name: str = "one.jpg") -> httpx.Response:
    return client.post(f"/pbs/{study_id}/files", params={"file_name": name}, content=content)


def zipped(*contents: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.png", content)
    return packed.getvalue()


def test_workflow_1(service: FakeService, client: httpx.Client) -> None:
    made = client.post("/pbs", json={"tags": {"a": "b"}, "batch": "7"}, headers={"x-request-id": "r"})
    study_id = made.json()["results"]["pbs_study_id"]
    assert (made.status_code, made.headers["date"]) == (201, "Tue, 14 Nov 2023 22:13:20 GMT")
    assert client.get(f"/pbs/{study_id}/status").json()["results"]["report_status"] == "open"
    sent = [upload(client, study_id) for _ in range(2)]
    assert [one.status_code for one in sent] == [201, 201]
    assert sent[0].json()["results"] == {"pbs_study_id": study_id, "file_id": file_id_of(JPEG)}
    archive = upload(client, study_id, zipped(PNG), "all.zip").json()["results"]
    assert archive["file_ids"] == [file_id_of(PNG)]
    asked = client.post(f"/pbs/{study_id}/tasks", json={"diagnostic_tasks": ["pbs_v1"]})
    assert (asked.status_code, asked.json()["results"]["tasks"]) == (202, ["pbs_v1"])
    assert client.get(f"/pbs/{study_id}/report").json()["error"] == "report_not_ready"
    seen = [client.get(f"/pbs/{study_id}/status").json()["results"] for _ in range(3)]
    assert [one["report_status"] for one in seen] == ["queued", "processing", "ready"]
    assert [one["progress"] for one in seen] == [0.0, 0.5, 1.0]
    report = client.get(f"/pbs/{study_id}/report").json()["results"]
    assert report["file_ids"] == [file_id_of(JPEG), file_id_of(PNG)]
    assert client.get(f"/pbs/{study_id}/report?version=1").json()["results"] == report
    assert client.get(f"/pbs/{study_id}/report?version=2").status_code == 404
    study = service.studies[study_id]
    assert (study.tags, study.request_id, study.tasks_requested) == ({"a": "b", "batch": "7"}, "r", 1)
    assert study.files[file_id_of(JPEG)].received == 2
    assert service.uploaded_bytes[file_id_of(JPEG)] == JPEG
    again = client.post(f"/pbs/{study_id}/tasks", json={"tasks": ["pbs_v1"]})
    for refused in (upload(client, study_id, PNG, "two.png"), again):
        assert (refused.status_code, refused.json()["error"]) == (400, "study_closed")


def test_workflow_2_the_later_dialect_and_failure() -> None:
    service = fake(polls_until_ready=0, dialect_2024=True)
    client = client_of(mock_transport(service), "Bearer token")
    for body in (
        {"list_url": "https://example.com/l", "tasks": ["MALARIA_ANY_ANY"]},
        {"files": ["https://example.com/1"], "clinical_tasks_requested": ["MALARIA_ANY_ANY"]},
    ):
        results = client.post("/pbs", json=body).json()["results"]
        path = f"/pbs/{results['pbs_study_id']}"
        assert len(results["file_ids"]) == 1
        assert client.get(f"{path}/status/MALARIA_ANY_ANY").json()["results"]["report_status"] == "ready"
        report = client.get(f"{path}/reports/MALARIA_ANY_ANY").json()["results"]["report"]
        assert report["MALARIA_ANY_ANY"]["conclusion"] == "present"
        assert client.get(f"{path}/reports/pbs_v1").status_code == 404
    assert client.get("/heartbeat").json()["results"]["request_timestamp"] == NOW
    service.fail_studies = True
    assert client.get(f"{path}/status").json()["results"]["report_status"] == "failed"
    assert client.get(f"{path}/report").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "options", "refusal"),
    [
        ("GET", "/teapot", {}, (418, "teapot")),
        ("GET", "/nowhere", {}, (404, "not_found")),
        ("GET", "/pbs/x/status", {}, (404, "not_found")),
        ("GET", "/pbs", {}, (405, "method_not_allowed")),
        ("POST", "/pbs", {"headers": {"accept": "text/html"}}, (406, "not_acceptable")),
        ("POST", "/pbs", {"headers": {"authorization": "wrong"}}, (401, "unauthorized")),
        ("POST", "/pbs", {"content": b"{"}, (400, "bad_json")),
        ("POST", "/pbs", {"json": {"tags": {"a": 1}}}, (400, "bad_tags")),
        (
            "POST",
            "/pbs",
            {"json": {"list_url": "u", "tasks": ["pbs_v1"], "diagnostic_tasks": ["x"]}},
            (400, "conflicting_tasks"),
        ),
        ("POST", "/auth/login", {"json": {"user": USER, "pass_hash": "cd" * 32}}, (401, "bad_credentials")),
    ],
)
def test_refusals(
    client: httpx.Client, method: str, path: str, options: dict[str, Any], refusal: tuple[int, str]
) -> None:
    answer = client.request(method, path, **options)
    envelope = answer.json()
    assert (answer.status_code, envelope["error"]) == (envelope["status"], envelope["error"]) == refusal
    assert set(envelope) == {"status", "results", "error", "user_message", "debug_info"}
    assert ("allow" in answer.headers) == (answer.status_code == 405)


@pytest.mark.parametrize(
    ("query", "content_type", "content", "error"),
    [
        ("", "image/jpeg", JPEG, ""),
        ("?content_type=image/png", "", PNG, ""),
        ("?file_name=a.JPG&rbc_diameter=60.5", "application/octet-stream", JPEG, ""),
        ("?file_name=a.jpg&rbc_diameter=-1", "", JPEG, "bad_rbc_diameter"),
        ("", "", JPEG, "unknown_file_type"),
        ("?file_name=a.jpg", "image/png", JPEG, "file_type_mismatch"),
        ("?file_name=a.jpg", "image/tiff", JPEG, "unsupported_file_type"),
        ("?file_name=a.jpg", "multipart/form-data; boundary=x", JPEG, "multipart_not_supported"),
        ("?file_name=a.zip", "", b"PK no archive", "bad_archive"),
        ("?file_name=a.zip", "", zipped(b"text"), "bad_archive"),
    ],
)
def test_file_types(client: httpx.Client, query: str, content_type: str, content: bytes, error: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = client.post(f"/pbs/{create(client)}/files{query}", content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400 if error else 201, error)


def test_sessions_end_after_an_hour_and_can_be_revoked(service: FakeService, client: httpx.Client) -> None:
    answer = client.post("/auth/login", json={"user": USER, "pass_hash": SECRET})
    assert answer.status_code == 202
    headers = {"authorization": answer.json()["results"]["token"]["HY_APP_AUTH_v1"]}
    assert client.get("/auth/hello", headers=headers).json()["results"]["sub"] == USER
    service.wall_clock = lambda: NOW + 3601
    assert client.post("/auth/hello", headers=headers).json()["debug_info"] == {"reasons": ["token_expired"]}
    service.session_tokens.clear()
    assert client.post("/pbs", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"aud": "dev.api.hemato.ai"}, ""),
        ({"aud": ["us.api.hemato.ai"]}, "wrong_audience"),
        ({"iat": NOW // 1 + 1}, "wrong_type_iat"),
        ({"iat": int(NOW) + 1}, "token_issued_in_future"),
        ({"iat": int(NOW) - 3601}, "token_expired"),
        ({"exp": int(NOW)}, "token_expired"),
        ({"role": None}, "wrong_type_role"),
        ({"role": "root"}, "unknown_role"),
        ({"kid": "other"}, "key_ids_differ"),
    ],
)
def test_signed_tokens(key: rsa.RSAPrivateKey, changes: dict[str, Any], reason: str) -> None:
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    service = fake(keys={"k": public.decode()})
    claims = {"jti": "1", "iss": "o", "iat": int(NOW) - 5, "exp": int(NOW) + 900, "aud": ["dev.api.hemato.ai"]}
    claims |= {"sub": "u", "role": "device", "kid": "k", **changes}
    token = jwt.encode(claims, key, "RS256", headers={"kid": "k"})
    answer = client_of(mock_transport(service), token).post("/auth/hello")
    assert answer.status_code == (401 if reason else 200)
    assert answer.json()["error"] == reason
    forged = token[:-8] + "A" * 8
    assert "bad_signature" in client_of(mock_transport(service), forged).get("/auth/hello").text or "kid" in changes


def test_prepared_answers_idempotency_and_records(service: FakeService, client: httpx.Client) -> None:
    service.next_answers += [service.error(503, "unavailable"), lambda received: Answer(299, {}, received.body)]
    assert [client.post("/pbs", content=b"{}").status_code for _ in range(3)] == [503, 299, 201]
    assert [one.target for one in service.received] == ["/pbs"] * 3
    keyed: dict[str, Any] = {"headers": {"idempotency-key": "k"}, "json": {}}
    assert client.post("/pbs", **keyed).content != client.post("/pbs", **keyed).content
    service.honour_idempotency_key = True
    assert client.post("/pbs", **keyed).content == client.post("/pbs", **keyed).content
    assert [one.order for one in service.studies.values()] == [0, 1, 2]
    again = client_of(mock_transport(fake()))
    assert create(again) == next(iter(service.studies))


def faulty(service: FakeService, *faults: Fault, seed: int = 0) -> FaultyTransport:
    return FaultyTransport(service, 1.0, faults=faults, seed=seed)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault in RAISED])
def test_faults_that_raise(service: FakeService, fault: Fault) -> None:
    transport = faulty(service, fault)
    with pytest.raises(RAISED[fault]):
        create(client_of(transport))
    assert len(service.studies) == (fault not in NOT_PROCESSED)
    assert transport.injected == {fault: 1}


ANSWERED: dict[Fault, Callable[[httpx.Response], bool]] = {
    Fault.THROTTLED: lambda answer: answer.status_code == 429 and "retry-after" not in answer.headers,
    Fault.THROTTLED_RETRY_AFTER: lambda answer: answer.status_code == 429 and answer.headers["retry-after"] == "1",
    Fault.INTERNAL: lambda answer: answer.status_code == 500,
    Fault.UNAVAILABLE: lambda answer: answer.status_code == 503,
    Fault.TRUNCATED_JSON: lambda answer: answer.status_code == 201 and not answer.text.endswith("}"),
    Fault.HTML_PAGE: lambda answer: answer.status_code in {200, 502} and answer.text.startswith("<!DOCTYPE"),
    Fault.REDIRECT: lambda answer: answer.status_code in {302, 307} and ".invalid" in answer.headers["location"],
    Fault.WRONG_TYPES: lambda answer: isinstance(answer.json(), list) or not _has_an_id(answer.json()),
    Fault.DUPLICATE: lambda answer: _has_an_id(answer.json()),
}


def _has_an_id(document: dict[str, Any]) -> bool:
    results = document["results"]
    return isinstance(results, dict) and isinstance(results["pbs_study_id"], str)


@pytest.mark.parametrize("fault", ANSWERED)
def test_faults_that_answer(service: FakeService, fault: Fault) -> None:
    client = client_of(faulty(service, fault))
    answers = [client.post("/pbs", json={}) for _ in range(12)]
    assert all(ANSWERED[fault](answer) for answer in answers)
    processed = len(service.studies)
    if fault in {Fault.INTERNAL, Fault.HTML_PAGE}:
        assert 0 < processed < 12
    else:
        assert processed == (0 if fault in NOT_PROCESSED else 12)
    if fault is Fault.DUPLICATE:
        ids = [answer.json()["results"]["pbs_study_id"] for answer in answers]
        assert ids == [next(iter(service.studies))] * 12


def test_the_slow_drip_and_the_bomb_are_read_raw(service: FakeService) -> None:
    drip = client_of(faulty(service, Fault.SLOW_DRIP)).stream("POST", "/pbs")
    with drip as answer, pytest.raises(httpx.ReadTimeout):
        assert b"".join(answer.iter_raw()) == b"unreachable"
    with client_of(faulty(service, Fault.GZIP_BOMB)).stream("POST", "/pbs") as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert len(b"".join(answer.iter_raw())) < 2**20
    assert len(client_of(faulty(service, Fault.GZIP_BOMB)).post("/pbs").content) > 2**26


def test_the_same_seed_brings_the_same_faults() -> None:
    def fates(seed: int) -> list[str]:
        transport = FaultyTransport(fake(), 0.3, seed=seed)
        client, seen = client_of(transport), []
        for _ in range(200):
            try:
                with client.stream("POST", "/pbs", content=b"{}") as answer:
                    seen.append(f"{answer.status_code} {len(list(answer.iter_raw()))}")
            except httpx.TransportError as error:
                seen.append(type(error).__name__)
        assert 40 < transport.injected.total() < 80
        return seen

    assert fates(1) == fates(1) != fates(2)


def test_asynchronous_use(service: FakeService) -> None:
    async def all_of_it() -> None:
        for transport in (mock_transport(service), faulty(service, Fault.DUPLICATE)):
            async with httpx.AsyncClient(transport=transport, base_url="https://x", headers=TOKEN) as client:
                assert (await client.post("/pbs")).status_code == 201
                async with client.stream("POST", "/pbs") as answer:
                    assert json.loads(b"".join([chunk async for chunk in answer.aiter_raw()]))["status"] == 201
        async with httpx.AsyncClient(transport=faulty(service, Fault.SLOW_DRIP), headers=TOKEN) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post("https://x/pbs")

    asyncio.run(all_of_it())


TOKEN = {"authorization": "token"}
QUICK = httpx.Timeout(0.3)
PROCESSED: dict[Behaviour, tuple[int, Any]] = {
    Behaviour.RESET_BEFORE_READING: (0, (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)),
    Behaviour.RESET_AFTER_PROCESSING: (1, httpx.ReadError),
    Behaviour.CLOSE_AFTER_PROCESSING: (1, httpx.RemoteProtocolError),
    Behaviour.SILENT: (1, httpx.ReadTimeout),
    Behaviour.TRUNCATE_BODY: (1, httpx.RemoteProtocolError),
}


@pytest.mark.parametrize("behaviour", PROCESSED)
def test_behaviours_that_fail_and_the_server_goes_on(service: FakeService, behaviour: Behaviour) -> None:
    processed, error = PROCESSED[behaviour]
    with (
        LoopbackServer(service, [behaviour]) as server,
        httpx.Client(base_url=server.url, headers=TOKEN, trust_env=False) as client,
    ):
        with pytest.raises(error):
            client.post("/pbs", json={}, timeout=QUICK)
        assert len(service.studies) == processed
        assert client.post("/pbs", json={}).status_code == 201


def test_behaviours_that_answer(service: FakeService) -> None:
    given = [None, Behaviour.REDIRECT, Behaviour.HTML, Behaviour.GZIP_BOMB, None]
    with (
        LoopbackServer(service, given) as server,
        httpx.Client(base_url=server.url, headers=TOKEN, trust_env=False) as client,
    ):
        answers = [client.post("/pbs", json={}) for _ in given]
        assert [answer.status_code for answer in answers] == [201, 302, 200, 200, 201]
        assert answers[2].text.startswith("<!DOCTYPE")
        assert len(answers[3].content) > 2**26
        assert (server.connections, len(service.studies)) == (1, 3)


@pytest.mark.parametrize("behaviour", [Behaviour.DRIP_HEADERS, Behaviour.DRIP_BODY])
def test_answers_that_drip(service: FakeService, behaviour: Behaviour) -> None:
    with (
        LoopbackServer(service, [behaviour]) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection,
    ):
        connection.sendall(b"GET /heartbeat HTTP/1.1\r\nhost: x\r\n\r\n")
        received = b"".join(connection.recv(65_536) for _ in range(5))
        head, _, body = received.partition(b"\r\n\r\n")
        assert len(head if behaviour is Behaviour.DRIP_HEADERS else body) < 40


def test_twice_writes_two_answers(service: FakeService) -> None:
    received = b""
    with (
        LoopbackServer(service, [Behaviour.TWICE]) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection,
    ):
        connection.sendall(b"GET /heartbeat HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        while piece := connection.recv(65_536):
            received += piece
    assert received.count(b"HTTP/1.1 200") == 2


def test_a_body_that_is_not_read_blocks_the_client(service: FakeService) -> None:
    with LoopbackServer(service, [Behaviour.NEVER_READ]) as server, pytest.raises(httpx.WriteTimeout):
        httpx.post(f"{server.url}/pbs", content=bytes(32 * 2**20), timeout=QUICK, trust_env=False)
    assert not service.received


def test_large_and_chunked_bodies_arrive_whole(service: FakeService) -> None:
    study = service.studies["s"] = Study("s", 0, {}, "", "")
    content = JPEG + bytes(3 * 2**20)
    with (
        LoopbackServer(service) as server,
        httpx.Client(base_url=server.url, headers=TOKEN, trust_env=False) as client,
    ):
        for body in (content, iter([content[:7], content[7:]])):
            assert client.post("/pbs/s/files?file_name=a.jpg", content=body).status_code == 201
        assert study.files[file_id_of(content)].received == 2


def test_a_server_of_its_own_process() -> None:
    command = [sys.executable, "-m", "tests.api.loopback", "secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603 (ours)
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            answer = httpx.post(f"{url}/pbs", headers={"authorization": "secret"}, trust_env=False)
        finally:
            process.terminate()
        assert (answer.status_code, process.wait(10)) == (201, 0)
