"""Every operation, for every role, organisation and kind of token."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

import hemato_lab as hl
from hemato_lab.twin import accounts, jobs, studies
from hemato_lab.twin.database import open_database, transaction
from hemato_lab.twin.surface import OPERATIONS
from tests.twin.conftest import image_bytes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from hemato_lab.twin.surface import Operation

ROLES = ("admin", "user", "device", "service")
ISSUERS = ("one.example.org", "two.example.org")
AUTHENTICATED = [operation for operation in OPERATIONS if operation.authenticated]
OF_STUDIES = [operation for operation in AUTHENTICATED if "{study_id}" in operation.path]
BODIES: dict[str, dict[str, Any]] = {
    "create": {"json": {"tags": {"a": "b"}}},
    "upload": {"content": image_bytes(5), "headers": {"Content-Type": "image/png"}},
    "request_tasks": {"json": {"diagnostic_tasks": ["MALARIA_ANY_ANY"]}},
}
PERMITTED = {"create": 201, "upload": 201, "request_tasks": 202}
FORBIDDEN = {("studies", "device")}


@dataclass
class World:
    """Two organisations with a user of each role, and a study of each organisation that has its report."""

    url: str
    users: dict[tuple[str, str], str]
    keys: dict[str, RSAPrivateKey]
    finished: dict[str, str]
    folder: Path

    def token(self, issuer: str, user: str, **changes: Any) -> str:
        key = changes.pop("key", self.keys[issuer])
        now = int(time.time())
        claims = {
            "jti": str(uuid.uuid4()),
            "iss": issuer,
            "iat": now - 5,
            "exp": now + 600,
            "aud": "127.0.0.1",
            "sub": self.users[issuer, user],
            "role": user,
            "kid": f"key of {issuer}".replace(" ", "-"),
        } | changes
        return jwt.encode(claims, key, "RS256")

    def ask(self, operation: Operation, token: str, study_id: str = "") -> httpx.Response:
        path = operation.path.format(study_id=study_id, task="MALARIA_ANY_ANY")
        options = {key: value for key, value in BODIES.get(operation.name, {}).items() if key != "headers"}
        headers = {**BODIES.get(operation.name, {}).get("headers", {}), **({"Authorization": token} if token else {})}
        return httpx.request(operation.method, self.url + path, headers=headers, timeout=30, **options)

    def study(self, operation: Operation, issuer: str) -> str:
        """Return a study that the operation can be asked of."""
        if operation.name not in {"upload", "request_tasks"}:
            return self.finished[issuer]
        answer = httpx.post(f"{self.url}/pbs", headers={"Authorization": self.token(issuer, "admin")}, json={})
        study_id: str = answer.json()["results"]["pbs_study_id"]
        if operation.name == "request_tasks":
            headers = {"Authorization": self.token(issuer, "admin"), "Content-Type": "image/png"}
            httpx.post(f"{self.url}/pbs/{study_id}/files", headers=headers, content=image_bytes(6))
        return study_id


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, rsa_keys: dict[str, RSAPrivateKey]) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("isolation")
    with hl.Twin(folder, workers=0) as twin:
        connection = open_database(folder)
        users, finished = {}, {}
        for issuer, key in rsa_keys.items():
            with transaction(connection):
                organisation_id = accounts.add_organisation(connection, issuer, issuer, time.time())
                accounts.add_key(
                    connection, organisation_id, public_pem(key), key_id=f"key-of-{issuer}", now=time.time()
                )
                for role in ROLES:
                    address = f"{role}@{issuer}"
                    users[issuer, role], _ = accounts.add_user(
                        connection, organisation_id, address, roles=[role], regions=["dev"], now=time.time()
                    )
                finished[issuer] = finished_study(connection, organisation_id, users[issuer, "admin"])
        connection.close()
        yield World(twin.url, users, rsa_keys, finished, folder)


def finished_study(connection: sqlite3.Connection, organisation_id: str, user_id: str) -> str:
    from hemato_lab.twin.tokens import Bearer

    study_id = str(uuid.uuid4())
    studies.create(connection, Bearer(organisation_id, user_id, "admin"), study_id, now=time.time(), tags={"a": "b"})
    study = studies.study_by_id(connection, study_id)
    assert study is not None
    studies.add_files(connection, study, [studies.StudyFile("sha224-i-x", "", "png", 1)])
    studies.request_tasks(connection, study, ("MALARIA_ANY_ANY",), "", time.time())
    job = jobs.lease(connection, "analyse", "w", time.time())
    assert job is not None
    report = '{"pbs_study_id": "x", "file_ids": [], "pathology_report": "text", "hemato_lab": {"narrative": {}}}'
    jobs.finish(connection, job, report, {"MALARIA_ANY_ANY": {"positive_count": 1}}, time.time())
    return study_id


@pytest.fixture(scope="module")
def rsa_keys() -> dict[str, RSAPrivateKey]:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return {issuer: rsa.generate_private_key(public_exponent=65537, key_size=2048) for issuer in ISSUERS}


def public_pem(key: RSAPrivateKey) -> str:
    from cryptography.hazmat.primitives import serialization

    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def told(answer: httpx.Response) -> dict[str, Any]:
    """Return what an answer says, but for the time that it took."""
    document: dict[str, Any] = answer.json()
    document["debug_info"].pop("delta")
    return document


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("operation", AUTHENTICATED, ids=lambda one: one.identifier)
def test_a_role_may_do_what_is_its_own(world: World, operation: Operation, role: str) -> None:
    study_id = world.study(operation, ISSUERS[0])
    answer = world.ask(operation, world.token(ISSUERS[0], role), study_id)
    expected = 403 if (operation.name, role) in FORBIDDEN else PERMITTED.get(operation.name, 200)
    assert answer.status_code == expected, answer.text


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("operation", OF_STUDIES, ids=lambda one: one.identifier)
def test_a_study_of_others_is_absent(world: World, operation: Operation, role: str) -> None:
    others, absent = world.study(operation, ISSUERS[0]), str(uuid.uuid4())
    token = world.token(ISSUERS[1], role)
    answers = [world.ask(operation, token, study_id) for study_id in (others, absent)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert told(answers[0]) == told(answers[1])
    assert answers[0].json()["error"] == "not_found"
    assert set(answers[0].headers) == set(answers[1].headers)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", ["none", "expired", "of another key", "another role", "of a stranger", "no token"])
@pytest.mark.parametrize("operation", AUTHENTICATED, ids=lambda one: one.identifier)
def test_a_bad_token_opens_nothing(world: World, operation: Operation, kind: str, role: str) -> None:
    issuer, other = ISSUERS
    tokens = {
        "none": "",
        "expired": world.token(issuer, role, iat=int(time.time()) - 3700),
        "of another key": world.token(issuer, role, key=world.keys[other]),
        "another role": world.token(issuer, role, role=ROLES[(ROLES.index(role) + 1) % 4]),
        "of a stranger": world.token(issuer, role, sub=world.users[other, role]),
        "no token": "HEMATO_AI_AUTH_TOKEN",
    }
    answer = world.ask(operation, tokens[kind], world.finished[issuer])
    document = told(answer)
    assert (answer.status_code, document["error"], document["results"]) == (401, "unauthorized", {})
    assert "reasons" not in document["debug_info"], "only /auth/hello explains"


def test_a_user_without_the_region_is_forbidden(world: World) -> None:
    connection = open_database(world.folder)
    with transaction(connection):
        organisation_id = accounts.organisation_of(connection, ISSUERS[0])
        user_id, _ = accounts.add_user(
            connection, organisation_id, "eu@one.example.org", roles=["user"], regions=["eu"], now=time.time()
        )
    connection.close()
    token = world.token(ISSUERS[0], "user", sub=user_id)
    for operation in AUTHENTICATED:
        answer = world.ask(operation, token, world.finished[ISSUERS[0]])
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden_region")


def test_a_device_sees_no_text_and_is_told_so(world: World) -> None:
    report = next(operation for operation in OPERATIONS if operation.name == "report")
    seen = world.ask(report, world.token(ISSUERS[0], "device"), world.finished[ISSUERS[0]]).json()
    assert "pathology_report" not in seen["results"]
    assert "narrative" not in seen["results"]["hemato_lab"]
    assert seen["debug_info"]["levels_omitted"] == ["pathology_report"]
    full = world.ask(report, world.token(ISSUERS[0], "user"), world.finished[ISSUERS[0]]).json()
    assert full["results"]["pathology_report"] == "text"
    assert "levels_omitted" not in full["debug_info"]


def test_a_device_has_nothing_downloaded(world: World) -> None:
    headers = {"Authorization": world.token(ISSUERS[0], "device")}
    body = {"list_url": "https://example.org/list.json", "tasks": ["pbs_v1"]}
    answer = httpx.post(f"{world.url}/pbs", headers=headers, json=body)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden_role")


def test_the_search_stays_in_the_organisation(world: World) -> None:
    for issuer, other in (ISSUERS, ISSUERS[::-1]):
        headers = {"Authorization": world.token(issuer, "user")}
        found = httpx.get(f"{world.url}/_twin/studies", headers=headers, params={"tag.a": "b"}).json()["results"]
        ids = {one["pbs_study_id"] for one in found["studies"]}
        assert world.finished[issuer] in ids
        assert world.finished[other] not in ids
