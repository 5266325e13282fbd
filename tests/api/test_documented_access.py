"""Every example of the vendor's document for who may call, what goes wrong, and where, as DECISIONS reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
import pytest

from hemato_lab.api import KeyAuth, PasswordAuth
from hemato_lab.errors import (
    BadRequestError,
    ForbiddenError,
    MethodNotAllowedError,
    NotAcceptableError,
    NotFoundError,
    ServerError,
    TeapotError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from hemato_lab.api import Client
    from tests.api.conftest import Wire

NOW = 1682945428
STUDY = "c7d453a9-676d-4b9f-a505-8a9021b76dfd"
# `echo -n YOUR_ACTUAL_PASSWORD | shasum -a 256`
PASS_SHA_256 = "e52f8b58bf80f952d3d6ba59c7849dc903005c400ab9dc852d25b0568ba21cfa"  # noqa: S105
LOGGED_IN = {
    "status": 202,
    "results": {
        "login_timestamp": "1682945428455621477",
        "token": {"HY_APP_AUTH_v1": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9E....."},
        "user": {
            "email": "ali@example.com",
            "id": "03349841-588d-56b3-b93c-52d0983f9c75",
            "screen_name": "Ali",
            "user_name": "ali@example.com",
        },
    },
    "debug_info": {"delta": "463.021938ms", "version": "bb_api.362.pbs_tasks.dfd119b"},
}
CREATED = {"status": 201, "results": {"pbs_study_id": STUDY}}
HEARTBEAT = {
    "delta": "59.078µs",
    "heartbeat": "a7ef8fba741237f693c3",
    "request_timestamp": 1680716829,
    "version": "bb_api.331.develop.18ff645",
}


# Authentication


@pytest.mark.parametrize(
    "options",
    [{"password": "YOUR_ACTUAL_PASSWORD"}, {"password": lambda: "YOUR_ACTUAL_PASSWORD"}, {"pass_hash": PASS_SHA_256}],
)
def test_login(wire: Wire, connect: Callable[..., Client], options: dict[str, Any]) -> None:
    wire.will_answer(202, LOGGED_IN)
    wire.will_answer(201, CREATED)
    connect(auth=PasswordAuth("ali@example.com", **options)).create()
    body = {"user": "ali@example.com", "pass_hash": PASS_SHA_256}
    wire.assert_asked("POST", "https://us.api.hemato.ai/auth/login", body, token=None, which=0)
    token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9E....."  # noqa: S105 (the document's)
    wire.assert_asked("POST", "https://us.api.hemato.ai/pbs", {}, token=token)


def test_what_a_login_answers(wire: Wire, connect: Callable[..., Client]) -> None:
    wire.will_answer(202, LOGGED_IN)
    login = connect(auth=PasswordAuth("ali@example.com", pass_hash=PASS_SHA_256)).login()
    assert login.login_timestamp == "1682945428455621477"
    assert login.session_token.get_secret_value() == "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9E....."
    assert login.user.model_dump() == LOGGED_IN["results"]["user"]
    assert login.raw["debug_info"] == LOGGED_IN["debug_info"]
    assert "eyJ" not in f"{login!r}{login.raw}"


def test_token_of_our_own(wire: Wire, connect: Callable[..., Client], rsa_key: RSAPrivateKey) -> None:
    user = key = "01234567-789d-46b7-b38c-45d4562f5c12"
    auth = KeyAuth(rsa_key, issuer="1stdevision.example.com", user_id=user, kid=key, role="user")
    wire.will_answer(200, {"status": 200, "results": {}})
    connect(auth=auth).hello()
    token = wire.last.headers["authorization"]
    # Row 6: not the sample's HS256; row 7: the key's id is in the header as well.
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": key}
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, rsa_key.public_key(), algorithms=["RS256"], audience="us.api.hemato.ai", options=options)
    issued = NOW - 5  # row 9
    assert claims.pop("jti")
    assert claims == {
        "aud": ["us.api.hemato.ai"],  # row 8
        "exp": issued + 900,  # row 9, not the sample's 41.7 hours
        "iat": issued,
        "iss": "1stdevision.example.com",
        "sub": user,
        "role": "user",
        "kid": key,
    }
    sample = ["aud", "exp", "iat", "iss", "jti", "sub", "role", "kid"]
    assert set(auth.claims("us.api.hemato.ai", NOW)) == set(sample)
    assert auth.claims("us.api.hemato.ai", NOW)["jti"] != auth.claims("us.api.hemato.ai", NOW)["jti"]


def test_hello(wire: Wire, connect: Callable[..., Client]) -> None:
    claims = {"aud": ["dev.api.hemato.ai"], "sub": "01234567-789d-46b7-b38c-45d4562f5c12", "role": "user"}
    wire.will_answer(200, {"status": 200, "results": claims, "debug_info": {}})
    said = connect("dev").hello()
    # One sample has "helo".
    wire.assert_asked("POST", "https://dev.api.hemato.ai/auth/hello")
    assert said.accepted
    assert said.claims == claims


# Health, errors, regions


def test_heartbeat(wire: Wire, connect: Callable[..., Client]) -> None:
    wire.will_answer(200, HEARTBEAT)
    beat = connect(auth=None).heartbeat()
    wire.assert_asked("GET", "https://us.api.hemato.ai/heartbeat", token=None)
    assert beat.model_dump() == HEARTBEAT
    assert beat.raw == HEARTBEAT


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, BadRequestError, "Bad Request -- Your request is invalid."),
        (401, UnauthorizedError, "Unauthorized -- Your API key is not correctly signed."),
        (403, ForbiddenError, "Forbidden -- Your token does not grant you permission to perform this task."),
        (404, NotFoundError, "Not Found -- The specified resource could not be found."),
        (405, MethodNotAllowedError, "Method Not Allowed -- You tried to access a resource with an invalid method."),
        (406, NotAcceptableError, "Not Acceptable -- You requested a format that isn't json."),
        (418, TeapotError, "I'm a teapot."),
        (429, ThrottledError, "Too Many Requests -- You're being throttled"),
        (500, ServerError, "Internal Server Error -- Our apologies, We had a problem with our server."),
        (503, UnavailableError, "Service Unavailable -- Our apologies, We're temporarily offline."),
    ],
)
def test_each_error(wire: Wire, client: Client, status: int, kind: type[Exception], words: str) -> None:
    answer = {"status": status, "results": {}, "error": words, "user_message": "", "debug_info": {"delta": "1ms"}}
    wire.will_answer(status, answer)
    with pytest.raises(kind) as caught:
        client.status(STUDY)
    assert type(caught.value) is kind
    error: Any = caught.value
    assert (error.status, error.error, error.user_message, error.debug_info) == (status, words, "", {"delta": "1ms"})
    assert len(wire.asked) == 1


def test_envelope_whose_status_is_an_error(wire: Wire, client: Client) -> None:
    envelope = {"status": 400, "results": {}, "error": "error message if any", "user_message": "", "debug_info": {}}
    wire.will_answer(202, envelope)  # row 11
    with pytest.raises(BadRequestError) as caught:
        client.status(STUDY)
    assert caught.value.error == "error message if any"


@pytest.mark.parametrize("region", ["dev", "qa", "us", "ca", "eu"])
def test_each_region(wire: Wire, connect: Callable[..., Client], region: str) -> None:
    wire.will_answer(200, HEARTBEAT)
    connect(region).heartbeat()
    assert str(wire.last.url) == f"https://{region}.api.hemato.ai/heartbeat"
