"""Who we are: passwords, keys of our own, tokens of others; when tokens are made, and what is in them."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import pickle
import re
import shutil
import subprocess
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr

from hemato_lab.api import Client, KeyAuth, PasswordAuth, TokenAuth
from hemato_lab.api.auth import Audience
from hemato_lab.api.effects import Alone
from hemato_lab.api.models import Login
from hemato_lab.errors import CredentialError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from hemato_lab.api.auth import Authentication
    from hemato_lab.api.effects import Operation
    from tests.api.conftest import Api

PASSWORD = "YOUR_ACTUAL_PASSWORD"  # noqa: S105 (the document's)
# `echo -n YOUR_ACTUAL_PASSWORD | shasum -a 256`
PASS_HASH = "e52f8b58bf80f952d3d6ba59c7849dc903005c400ab9dc852d25b0568ba21cfa"  # noqa: S105
NOW = 1_682_945_428
HOST = "us.api.hemato.ai"
NAMES = {"issuer": "lab.example.com", "user_id": "user-7", "kid": "key-7"}


class Service:
    """Stands in for a client: has a clock, and hands out tokens with numbers."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ahead_s = 0.0
        self.logins: list[tuple[str, str]] = []

    def audience(self, host: str = HOST) -> Audience:
        return Audience(f"https://{host}", host, lambda: NOW + self.now + self.ahead_s, lambda: self.now, self._log_in)

    def _log_in(self, user: str, pass_hash: SecretStr) -> Operation[Login]:
        yield from ()
        self.logins.append((user, pass_hash.get_secret_value()))
        return Login.of({"token": {"HY_APP_AUTH_v1": f"session-{len(self.logins)}"}}, {})

    def token(self, auth: Authentication, refused: str | None = None, host: str = HOST) -> str:
        return str(run(auth.token(self.audience(host), None if refused is None else SecretStr(refused))))


def run(operation: Operation[SecretStr]) -> str:
    try:
        effect = next(operation)
        while True:
            assert isinstance(effect, Alone), "credentials send nothing themselves"
            effect = operation.send(SecretStr(run(effect.operation())))
    except StopIteration as end:
        token: str = end.value.get_secret_value()
        return token


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def key_auth(rsa_key: RSAPrivateKey) -> KeyAuth:
    return KeyAuth(rsa_key, **NAMES)


# A user's password


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"password": PASSWORD}, PASS_HASH),
        ({"password": lambda: PASSWORD}, PASS_HASH),
        ({"pass_hash": PASS_HASH}, PASS_HASH),
        ({"pass_hash": PASS_HASH.upper()}, PASS_HASH),
        # printf 'p\303\244ssw\303\266rd' | shasum -a 256
        ({"password": "pässwörd"}, "46970bef70aced8123f0d5d094717e2a5cd412041e03b26376049fe65b2834a4"),
        ({"password": " "}, "36a9e7f1c95b82ffb99743e0c5c4ce95d83c9a430aac59f84ef3cbfab6145068"),  # printf ' '
    ],
)
def test_the_password_is_hashed(service: Service, options: dict[str, Any], expected: str) -> None:
    service.token(PasswordAuth("ali@example.com", **options))
    assert service.logins == [("ali@example.com", expected)]


def test_the_password_is_asked_for_once_hashed_at_once_and_not_kept() -> None:
    asked = []

    def ask() -> str:
        asked.append("")
        return PASSWORD

    auth = PasswordAuth("ali", ask)
    assert len(asked) == 1, "before anything is sent"
    held = [value.get_secret_value() for value in vars(auth).values() if isinstance(value, SecretStr)]
    assert held == [PASS_HASH]
    assert not any(value is ask or PASSWORD in repr(value) for value in vars(auth).values())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"user": "", "password": PASSWORD},
        {"password": PASSWORD, "pass_hash": PASS_HASH},
        {"password": ""},
        {"password": lambda: None},
        {"password": b"bytes"},
        {"password": 12345678},
        {"password": "half \udc80"},
        {"pass_hash": PASSWORD},
        {"pass_hash": PASS_HASH + "0"},
        {"pass_hash": PASS_HASH[:-1] + "g"},
        {"pass_hash": PASS_HASH[:-1] + "\n"},
        {"pass_hash": PASS_HASH[:-1] + "１"},
        {"pass_hash": PASS_HASH.encode()},
    ],
)
def test_users_passwords_and_hashes_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(CredentialError) as refused:
        PasswordAuth(**{"user": "ali", **options})
    assert PASS_HASH[:8] not in repr(refused.value)
    assert refused.value.__context__ is None


def test_a_session_is_kept_until_shortly_before_its_hour_is_over(service: Service) -> None:
    auth = PasswordAuth("ali", PASSWORD)
    assert service.token(auth) == "session-1"
    service.now = 3299.0
    assert service.token(auth) == "session-1"
    service.now = 3301.0
    assert service.token(auth) == "session-2"
    service.now = 6600.0
    assert service.token(auth) == "session-2"
    assert len(service.logins) == 2


def test_a_session_that_was_refused_is_renewed_at_once_and_another_is_not(service: Service) -> None:
    auth = PasswordAuth("ali", PASSWORD)
    assert service.token(auth) == "session-1"
    assert service.token(auth, refused="session-1") == "session-2"
    assert service.token(auth, refused="session-1") == "session-2", "refused before, and renewed since"


@pytest.fixture
def api_with_password(open_api: Callable[..., Api]) -> Api:
    api = open_api(auth=PasswordAuth("ali@example.com", PASSWORD))
    api.service.users["ali@example.com"] = PASS_HASH
    return api


def test_a_revoked_session_is_renewed_once_within_the_call(api_with_password: Api) -> None:
    api = api_with_password
    api.study()
    api.service.session_tokens.clear()
    api.study()
    assert [one.path for one in api.asked()] == ["/auth/login", "/pbs", "/pbs", "/auth/login", "/pbs"]
    assert len(api.service.studies) == 2


def test_a_second_refusal_is_the_end(api_with_password: Api) -> None:
    api = api_with_password
    api.study()
    api.answer(*[api.service.error(401, "unauthorized")], api.service.process, api.service.error(401, "unauthorized"))
    with pytest.raises(UnauthorizedError):
        api.study()
    assert len(api.asked("/auth/login")) == 2


def test_a_wrong_password_is_tried_once(open_api: Callable[..., Api]) -> None:
    api = open_api(auth=PasswordAuth("ali@example.com", "another"))
    with pytest.raises(UnauthorizedError):
        api.study()
    assert [one.path for one in api.asked()] == ["/auth/login"], "an account may be locked after a few"


def eight_studies(api: Api) -> set[str]:
    """Make eight studies at a time, in threads or tasks."""
    if api.kind is Client:
        together = threading.Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            return set(pool.map(lambda _: (together.wait(), api.study())[1], range(8)))

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(api.client.create() for _ in range(8)))

    return {one.pbs_study_id for one in api._loop.run(all_of_them())}


def test_eight_at_a_time_log_in_once(api_with_password: Api) -> None:
    for logins in (1, 2):
        assert len(eight_studies(api_with_password)) == 8
        assert len(api_with_password.asked("/auth/login")) == logins
        api_with_password.service.session_tokens.clear()


# A key of our own


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Return header, claims, what is signed, and the signature, with nothing but the standard library."""
    header, payload, signature = token.split(".")
    assert "=" not in token
    unpacked = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (header, payload, signature)]
    return json.loads(unpacked[0]), json.loads(unpacked[1]), f"{header}.{payload}".encode(), unpacked[2]


@pytest.mark.parametrize("role", ["admin", "user", "device", "service"])
def test_the_eight_claims(service: Service, rsa_key: RSAPrivateKey, role: str) -> None:
    service.now = 0.9  # of a second, which is not rounded up
    header, claims, _, _ = parts_of(service.token(KeyAuth(rsa_key, role=role, **NAMES)))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "key-7"}
    assert uuid.UUID(claims.pop("jti")).version == 4
    assert claims == {
        "iss": "lab.example.com",
        "iat": NOW - 5,
        "exp": NOW - 5 + 900,
        "aud": [HOST],
        "sub": "user-7",
        "role": role,
        "kid": "key-7",
    }
    assert [type(claims[name]) for name in ("iat", "exp")] == [int, int]


def test_pyjwt_accepts_the_token_for_its_host_alone(service: Service, key_auth: KeyAuth, rsa_key: Any) -> None:
    token = service.token(key_auth, host="eu.api.hemato.ai")
    public, options = rsa_key.public_key(), {"verify_exp": False, "require": ["jti", "iss", "iat", "exp", "aud", "sub"]}
    jwt.decode(token, public, ["RS256"], options, audience="eu.api.hemato.ai", issuer="lab.example.com")
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, public, ["RS256"], options, audience=HOST)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token[:-4] + "AAAA", public, ["RS256"], options, audience="eu.api.hemato.ai")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_openssl_accepts_the_signature(service: Service, key_auth: KeyAuth, rsa_key: Any, tmp_path: Path) -> None:
    _, _, signed, signature = parts_of(service.token(key_auth))
    pem, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    contents = {"key.pub": rsa_key.public_key().public_bytes(pem, spki), "signature": signature}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pub", "-signature", "signature"]
    good = subprocess.run(command, cwd=tmp_path, input=signed, capture_output=True, check=False)  # noqa: S603
    assert good.stdout == b"Verified OK\n"
    bad = subprocess.run(command, cwd=tmp_path, input=signed + b"x", capture_output=True, check=False)  # noqa: S603
    assert bad.returncode == 1


def test_a_token_is_kept_until_a_minute_before_it_ends(service: Service, key_auth: KeyAuth) -> None:
    first = service.token(key_auth)
    service.now = 834.0
    assert service.token(key_auth) == first
    service.now = 836.0
    second = service.token(key_auth)
    assert second != first
    claims = [parts_of(token)[1] for token in (first, second)]
    assert claims[0]["exp"] - (NOW + service.now) > 55, "the first one was good still"
    assert claims[0]["jti"] != claims[1]["jti"]
    assert claims[1]["iat"] == NOW + 836 - 5


def test_a_refused_token_is_signed_anew_and_each_host_has_its_own(service: Service, key_auth: KeyAuth) -> None:
    first = service.token(key_auth)
    second = service.token(key_auth, refused=first)
    assert second != first
    assert service.token(key_auth) == second
    other = service.token(key_auth, host="eu.api.hemato.ai")
    assert parts_of(other)[1]["aud"] == ["eu.api.hemato.ai"]
    assert service.token(key_auth) == second


@pytest.mark.parametrize("ahead_s", [-7200.0, -30.0, 30.0, 7200.0])
def test_tokens_are_dated_by_the_services_clock(service: Service, key_auth: KeyAuth, ahead_s: float) -> None:
    service.ahead_s = ahead_s
    assert parts_of(service.token(key_auth))[1]["iat"] == NOW + ahead_s - 5


@pytest.mark.parametrize("skew_s", [-4000.0, -300.0, 300.0, 4000.0])
def test_a_client_whose_clock_is_wrong_is_let_in(
    open_api: Callable[..., Api], key_auth: KeyAuth, skew_s: float
) -> None:
    api = open_api(auth=key_auth, ahead_s=skew_s)
    api.service.keys["key-7"] = public_pem(key_auth)
    api.study()
    assert api.service.studies
    assert len(api.asked()) <= 2, "once refused, it knows the difference"


def public_pem(auth: KeyAuth) -> str:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return auth._key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()


def test_a_key_from_a_file(service: Service, rsa_key: RSAPrivateKey, tmp_path: Path) -> None:
    path, lock = tmp_path / "key.pem", serialization.BestAvailableEncryption(b"phrase")
    path.write_bytes(rsa_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))
    path.chmod(0o600)
    auth = KeyAuth.from_file(path, role="device", passphrase="phrase", **NAMES)  # noqa: S106
    jwt.decode(service.token(auth), rsa_key.public_key(), ["RS256"], {"verify_exp": False}, audience=HOST)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["", " ", "\t"])
def test_no_name_is_empty(rsa_key: RSAPrivateKey, name: str, value: str) -> None:
    with pytest.raises(CredentialError, match="is empty") as refused:
        KeyAuth(rsa_key, **(NAMES | {name: value}))
    assert refused.value.subject == name


@pytest.mark.parametrize("role", ["", "Admin", "root", "service "])
def test_roles_are_those_of_the_document(rsa_key: RSAPrivateKey, role: str) -> None:
    with pytest.raises(CredentialError, match=re.escape("is no role (one of admin, user, device, service)")):
        KeyAuth(rsa_key, role=role, **NAMES)


# A token of somebody else's


@pytest.mark.parametrize("token", ["12345678", " padded\n", SecretStr("hidden-token"), "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"])
def test_a_token_stays_as_it_is(service: Service, token: str | SecretStr) -> None:
    auth = TokenAuth(token)
    text = (token if isinstance(token, str) else token.get_secret_value()).strip()
    assert service.token(auth) == text
    service.now = 1e9
    assert service.token(auth, refused=text) == text
    assert not auth.renewable


def test_a_token_that_is_refused_is_not_sent_again(open_api: Callable[..., Api]) -> None:
    api = open_api(auth=TokenAuth("another-token"))
    with pytest.raises(UnauthorizedError):
        api.study()
    assert [one.headers["authorization"] for one in api.asked()] == ["another-token"]


@pytest.mark.parametrize(
    "token", ["", " ", "Bearer abc", "a b", "a\nb", "a\r\nX: y", "tökén", "a\x00b", SecretStr("a\n")]
)
def test_tokens_that_cannot_be_sent(token: str | SecretStr) -> None:
    with pytest.raises(CredentialError, match="is no token"):
        TokenAuth(token)


# All of them


@pytest.fixture(params=["password", "hash", "key", "token"])
def any_auth(request: pytest.FixtureRequest, key_auth: KeyAuth) -> Authentication:
    kinds: dict[str, Authentication] = {
        "password": PasswordAuth("ali", PASSWORD),
        "hash": PasswordAuth("ali", pass_hash=PASS_HASH),
        "key": key_auth,
        "token": TokenAuth("the-token"),
    }
    return kinds[request.param]


def test_nothing_of_them_is_pickled_or_copied(service: Service, any_auth: Authentication) -> None:
    service.token(any_auth)
    for write in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            write(any_auth)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps({"auth": any_auth}, protocol)


def test_nothing_of_them_is_shown(service: Service, any_auth: Authentication) -> None:
    token = service.token(any_auth)
    shown = f"{any_auth!r} {any_auth!s} {service.audience()!r} {vars(any_auth)!r}"
    assert not [one for one in (PASSWORD, PASS_HASH, "the-token", token) if one in shown]
    assert repr(any_auth) in {
        "PasswordAuth('ali')",
        "KeyAuth(issuer='lab.example.com', user_id='user-7', kid='key-7', role='service')",
        "TokenAuth(...)",
    }
