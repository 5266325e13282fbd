"""Both clients, without sockets and with them: who they are, and what becomes of it when they are not believed."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from hemato_lab.api import KeyAuth, PasswordAuth, TokenAuth
from hemato_lab.errors import (
    ClockSkewError,
    CredentialError,
    DeadlineError,
    ExpiredTokenError,
    UnauthorizedError,
    UnavailableError,
)
from tests.api.conftest import POLICY
from tests.api.pictures import jpeg

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from tests.api.conftest import Api
    from tests.api.recording import Answer, Received

USER = "ali@example.com"
PASSWORD = "correct horse battery staple"  # noqa: S105 (made up)
FILES = [jpeg(number) for number in range(8)]


def logins(api: Api) -> int:
    return len(api.asked("/auth/login"))


@pytest.fixture
def of_user(open_api: Callable[..., Api]) -> Api:
    """The client of a user with a password."""
    api = open_api(auth=PasswordAuth(USER, PASSWORD))
    api.service.users[USER] = hashlib.sha256(PASSWORD.encode()).hexdigest()
    return api


@pytest.fixture
def of_device(open_api: Callable[..., Api], rsa_key: RSAPrivateKey) -> Callable[..., Api]:
    """Make clients with a key that is registered, whose clock may be wrong."""

    def make(**options: Any) -> Api:
        auth = KeyAuth(rsa_key, issuer="lab.example.com", user_id="user-7", kid="key-7", role="device")
        api = open_api(auth=auth, **options)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        api.service.keys["key-7"] = rsa_key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
        return api

    return make


# Passwords


def test_a_password_logs_in_with_the_first_call_and_once(of_user: Api) -> None:
    assert of_user.asked() == []
    study_id = of_user.study()
    of_user.call("status", study_id)
    assert [one.path.rpartition("/")[2] for one in of_user.asked()] == ["login", "pbs", "status"]
    (token,) = of_user.service.session_tokens
    assert {one.headers.get("authorization") for one in of_user.asked()[1:]} == {token}
    assert PASSWORD.encode() not in b"".join(one.body for one in of_user.asked())


def slowly(api: Api) -> Callable[[Received], Answer]:
    """Have a login take so long that whoever does not wait for it logs in, too."""

    def answer(received: Received) -> Answer:
        time.sleep(0.05)
        return api.service.process(received)

    return answer


def test_eight_uploads_at_a_time_log_in_once(of_user: Api) -> None:
    with of_user.another(auth=TokenAuth("a-token")) as other:
        study_id = other.study()
    of_user.answer(slowly(of_user))
    assert len(of_user.call("upload", study_id, FILES, parallel=8)) == 8
    assert logins(of_user) == 1


def test_eight_uploads_whose_session_was_ended_log_in_once_more(of_user: Api) -> None:
    study_id = of_user.study()
    of_user.service.session_tokens.clear()
    assert len(of_user.call("upload", study_id, FILES, parallel=8)) == 8
    assert logins(of_user) == 2
    assert {stored.received for stored in of_user.service.studies[study_id].files.values()} == {1}


def test_logging_in_by_hand_tells_who_it_is(of_user: Api) -> None:
    login = of_user.call("login")
    assert (login.user.email, login.user.screen_name) == (USER, "ali")
    assert login.session_token.get_secret_value() not in f"{login!r}{login.raw}"
    of_user.study()
    assert logins(of_user) == 1
    with of_user.another(auth=TokenAuth("a-token")) as other, pytest.raises(CredentialError):
        other.call("login")


def test_a_wrong_password_is_tried_once(of_user: Api) -> None:
    of_user.service.users[USER] = "0" * 64
    with pytest.raises(UnauthorizedError) as caught:
        of_user.study()
    assert caught.value.error == "bad_credentials"
    assert logins(of_user) == len(of_user.asked()) == 1
    assert hashlib.sha256(PASSWORD.encode()).hexdigest() not in f"{caught.value!r}{vars(caught.value)}"


def test_a_login_that_fails_has_the_tries_and_the_time_of_one_call(open_api: Callable[..., Api]) -> None:
    api = open_api(auth=PasswordAuth(USER, PASSWORD), policy=replace(POLICY, call_s=1.0))
    api.answer(*[api.service.error(503, "unavailable", headers={"retry-after": "0.03"})] * 40)
    with pytest.raises(UnavailableError):
        api.study()
    assert logins(api) == len(api.asked()) <= 8
    assert api.moved is None or sum(api.moved.waits) < 1.0
    before = logins(api)
    with pytest.raises((UnavailableError, DeadlineError)):  # on a busy machine the time is over in the middle of a try
        api.call("status", "any", limit_s=0.1)
    assert logins(api) - before <= 4, "of the call, not of the login alone"


def test_a_session_is_renewed_before_it_ends(of_user: Api) -> None:
    of_user.study()
    if of_user.moved is None:
        return
    of_user.moved.sleep(3299.0)
    of_user.study()
    assert logins(of_user) == 1
    of_user.moved.sleep(2.0)
    of_user.study()
    assert logins(of_user) == 2
    assert len(of_user.asked("/pbs")) == 3, "none was refused"


def test_a_refused_session_is_renewed_once_and_then_given_up(of_user: Api) -> None:
    study_id = of_user.study()
    refuse = of_user.service.error(401, "unauthorized")
    of_user.answer(refuse)
    assert of_user.call("status", study_id).report_status == of_user.service.word_for_open
    assert (logins(of_user), len(of_user.asked("/status"))) == (2, 2)
    of_user.answer(refuse, of_user.service.process, refuse)
    with pytest.raises(UnauthorizedError):
        of_user.call("status", study_id)
    assert (logins(of_user), len(of_user.asked("/status"))) == (3, 4)


# Keys


def test_a_key_signs_what_the_service_accepts(of_device: Callable[..., Api]) -> None:
    api = of_device()
    assert api.call("hello").claims["role"] == "device"
    done = api.call("run", FILES)
    assert list(api.service.studies) == [done.pbs_study_id]
    (token,) = {one.headers["authorization"] for one in api.asked()}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert set(claims) == {"jti", "iss", "iat", "exp", "aud", "sub", "role", "kid"}
    assert claims["aud"] == [api.host]


def test_a_key_s_token_is_replaced_before_it_ends(of_device: Callable[..., Api]) -> None:
    api = of_device()
    if api.moved is None:
        api.study()
        return
    for _ in range(4):
        api.study()
        api.moved.sleep(450.0)
    tokens = [one.headers["authorization"] for one in api.asked()]
    assert tokens[0] == tokens[1] != tokens[2] == tokens[3]


@pytest.mark.parametrize("ahead_s", [1800.0, -1800.0, 7200.0, -7200.0])
def test_a_key_works_with_a_wrong_clock(of_device: Callable[..., Api], ahead_s: float) -> None:
    api = of_device(ahead_s=ahead_s)
    first = api.study()
    refused, accepted = api.asked("/pbs")
    assert refused.headers["authorization"] != accepted.headers["authorization"]
    second = api.study()
    assert len(api.asked("/pbs")) == 3, "the other clock is known by now"
    assert list(api.service.studies) == [first, second]
    assert abs(api.client._service.caller.skew_s + ahead_s) < 5.0


def test_any_answer_tells_the_other_clock(of_device: Callable[..., Api]) -> None:
    api = of_device(ahead_s=7200.0)
    api.call("heartbeat")
    api.study()
    assert len(api.asked("/pbs")) == 1


def test_a_key_that_is_not_registered_is_refused_after_one_more_token(of_device: Callable[..., Api]) -> None:
    api = of_device()
    api.service.keys.clear()
    with pytest.raises(UnauthorizedError):
        api.study()
    first, second = api.asked("/pbs")
    assert first.headers["authorization"] != second.headers["authorization"]


# Tokens


@pytest.mark.parametrize(
    ("code", "ahead_s", "kind"),
    [
        ("unauthorized", 0.0, UnauthorizedError),
        ("token_expired", 0.0, ExpiredTokenError),
        ("token_issued_in_future", 0.0, ClockSkewError),
        ("unauthorized", 3600.0, ClockSkewError),
    ],
)
def test_a_token_that_is_refused_is_not_tried_again(
    open_api: Callable[..., Api], code: str, ahead_s: float, kind: type[Exception]
) -> None:
    api = open_api(auth=TokenAuth("another-token"), ahead_s=ahead_s)
    api.answer(api.service.error(401, code))
    with pytest.raises(UnauthorizedError) as caught:
        api.study()
    assert type(caught.value) is kind
    assert "another-token" not in f"{caught.value!r}{vars(caught.value)}"
    assert len(api.asked()) == 1
