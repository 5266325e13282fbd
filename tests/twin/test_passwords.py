"""Passwords at rest: what is stored, what matches, and that a user who does not exist costs the same."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hemato_lab.errors import ConfigError
from hemato_lab.twin import passwords
from hemato_lab.twin.passwords import hashed, matches, one_time_password

PASS_HASH = hashlib.sha256(b"YOUR_ACTUAL_PASSWORD").hexdigest()


def test_what_is_stored_is_scrypt_with_a_salt() -> None:
    name, n, r, p, salt, digest = hashed(PASS_HASH).split("$")
    assert (name, n, r, p) == ("scrypt", "16384", "8", "1")
    salted = base64.b64decode(salt)
    assert len(salted) == 16
    reference = Scrypt(salt=salted, length=32, n=2**14, r=8, p=1).derive(PASS_HASH.encode())
    assert base64.b64decode(digest) == reference


def test_the_right_password_matches_and_no_other() -> None:
    stored = hashed(PASS_HASH)
    assert matches(PASS_HASH, stored)
    assert matches(PASS_HASH.upper(), stored)
    assert not matches(PASS_HASH[:-1] + "0", stored)
    assert not matches("", stored)
    assert not matches("\ud800", stored)
    assert stored != hashed(PASS_HASH)


def test_the_cost_is_the_one_stored() -> None:
    # RFC 7914 section 12, the second vector, of whose 64 bytes scrypt's PBKDF2 makes the first 32 alike
    digest = bytes.fromhex("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162")
    stored = f"scrypt$1024$8$16${base64.b64encode(b'NaCl').decode()}${base64.b64encode(digest).decode()}"
    assert matches("password", stored)
    assert not matches("passwore", stored)


def test_who_does_not_exist_costs_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    work: list[tuple[int, ...]] = []

    def counted(password: bytes, **costs: Any) -> bytes:
        work.append((len(password), len(costs["salt"]), costs["n"], costs["r"], costs["p"], costs["dklen"]))
        return bytes(32)

    stored = hashed(PASS_HASH)
    monkeypatch.setattr(passwords.hashlib, "scrypt", counted)
    assert not matches(PASS_HASH, None)
    assert not matches(PASS_HASH, stored)
    assert work == [(64, 16, 2**14, 8, 1, 32)] * 2


def test_a_user_without_a_password_has_none_that_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords.hmac, "compare_digest", lambda *_: True)
    assert not matches(PASS_HASH, None)


@pytest.mark.parametrize(
    "stored", ["", "scrypt", PASS_HASH, "bcrypt$1$1$1$AA==$AA==", "scrypt$x$8$1$AA==$AA==", "scrypt$1024$8$1$$AA=="]
)
def test_what_was_stored_by_nobody_here_is_an_error(stored: str) -> None:
    with pytest.raises(ConfigError) as refused:
        matches(PASS_HASH, stored)
    assert PASS_HASH not in str(refused.value)


def test_one_time_passwords_can_be_typed_and_not_guessed() -> None:
    made = {one_time_password() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch("[a-hjkmnp-z2-9]{4}(-[a-hjkmnp-z2-9]{4}){3}", one) for one in made)
    assert len(set("".join(made)) - {"-"}) == 31
