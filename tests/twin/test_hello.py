"""The battery of tokens over HTTP: /auth/hello explains every refusal, and nothing else explains any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

import hemato_lab as hl
from hemato_lab.twin.database import open_database, transaction
from hemato_lab.twin.malformed import LARGEST_HEAD
from tests.twin.tokens_battery import BAD, VALID
from tests.twin.tokens_making import is_sendable
from tests.twin.tokens_scene import NOW, People, made_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("hello")
    register(folder)
    with (
        hl.Twin(folder, workers=0, clock=lambda: float(NOW)) as twin,
        httpx.Client(base_url=twin.url, timeout=60) as client,
    ):
        yield client


def register(folder: Path) -> None:
    """Put the people of the battery's scene into the database of a twin."""
    scene = made_up()
    people = People(scene)
    connection = open_database(folder)
    with transaction(connection):
        connection.execute("INSERT INTO settings VALUES ('session_key', ?)", (scene.session_key,))
        connection.execute("INSERT INTO settings VALUES ('session_key_id', ?)", (scene.session_key_id.encode(),))
        for party in (scene.ours, scene.theirs):
            values = (party.organisation_id, party.issuer, party.issuer, NOW)
            connection.execute("INSERT INTO organisations VALUES (?, ?, ?, ?)", values)
        for user in people.users.values():
            roles, regions = json.dumps(sorted(user.roles)), json.dumps(sorted(user.regions))
            values = (user.user_id, user.organisation_id, user.email, "", None, roles, regions, user.disabled, NOW)
            connection.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        for key in people.keys.values():
            values = (key.key_id, key.organisation_id, key.public_key_pem, key.revoked, NOW)
            connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", values)
    connection.close()


def headers_of(authorization: str | None) -> dict[str, str]:
    return {} if authorization is None else {"Authorization": authorization}


def test_bad_tokens_are_refused_for_the_right_reasons(http: httpx.Client) -> None:
    sent = 0
    for case in BAD:
        authorization = case.make(made_up())
        if not is_sendable(authorization) or len(authorization or "") > LARGEST_HEAD // 2:
            continue  # HTTP does not carry it, or the server hangs up before it is a token
        sent += 1
        hello = http.post("/auth/hello", headers=headers_of(authorization))
        document = hello.json()
        assert (hello.status_code, document["error"]) == (401, "unauthorized"), case.name
        assert set(document["debug_info"]["reasons"]) == case.reasons, case.name
        other = http.get("/pbs/none/status", headers=headers_of(authorization))
        assert (other.status_code, other.json()["error"]) == (401, "unauthorized"), case.name
        assert set(other.json()["debug_info"]) == {"delta", "version", "producer"}, case.name
    assert sent >= 90


def test_valid_tokens_are_taken(http: httpx.Client) -> None:
    sent = 0
    for case in VALID:
        authorization = case.make(made_up())
        if not is_sendable(authorization) or len(authorization or "") > LARGEST_HEAD // 2:
            continue  # HTTP does not carry it, or the server hangs up before it is a token
        sent += 1
        hello = http.get("/auth/hello", headers=headers_of(authorization))
        assert hello.status_code == 200, (case.name, hello.text)
        assert hello.json()["results"]["iss"]
        other = http.get("/pbs/none/status", headers=headers_of(authorization))
        assert other.status_code in {404, 403}, case.name
    assert sent >= 30
