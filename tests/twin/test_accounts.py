"""Accounts: what the first start makes, and what an administrator can change."""

from __future__ import annotations

import stat
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hemato_lab.errors import ConfigError
from hemato_lab.twin import accounts
from hemato_lab.twin.accounts import AccountRegistry
from hemato_lab.twin.passwords import matches
from tests.twin.conftest import NOW

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def test_the_first_start_makes_what_logs_in_and_never_again(connection: sqlite3.Connection, tmp_path: Path) -> None:
    first = accounts.first_access(connection, tmp_path, "dev", NOW)
    assert first is not None
    registry = AccountRegistry(connection)
    assert matches(sha256(first.password.encode()).hexdigest(), registry.password_of(first.email))
    user = registry.user(first.user_id)
    assert user is not None
    assert (user.issuer, user.roles) == (first.issuer, {"admin", "user", "device", "service"})
    assert "dev" in user.regions
    key = registry.key(first.key_id)
    assert key is not None
    private = serialization.load_pem_private_key(first.private_key.read_bytes(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    assert key.public_key_pem == pem(private)
    assert stat.S_IMODE(first.private_key.stat().st_mode) == 0o600
    assert first.password not in repr(first)
    assert accounts.first_access(connection, tmp_path, "dev", NOW) is None


def test_the_password_is_nowhere_in_the_folder(connection: sqlite3.Connection, tmp_path: Path) -> None:
    first = accounts.first_access(connection, tmp_path, "dev", NOW)
    assert first is not None
    secrets = first.password.encode(), sha256(first.password.encode()).hexdigest().encode()
    for path in tmp_path.iterdir():
        assert not any(secret in path.read_bytes() for secret in secrets)


def test_a_new_password_replaces_the_old_one(connection: sqlite3.Connection, organisation: str) -> None:
    options = {"roles": ["user"], "regions": ["eu"], "now": NOW}
    _, old = accounts.add_user(connection, organisation, "Ali@Example.org", **options)
    new = accounts.new_password(connection, "ali@example.org")
    stored = AccountRegistry(connection).password_of("ALI@example.org")
    assert [matches(sha256(word.encode()).hexdigest(), stored) for word in (old, new)] == [False, True]


def test_users_are_changed_and_locked_out(connection: sqlite3.Connection, organisation: str) -> None:
    user_id, _ = accounts.add_user(connection, organisation, "a@b.org", roles=["user"], regions=["eu"], now=NOW)
    accounts.change_user(connection, "a@b.org", roles=["device"], regions=["dev", "qa"], disabled=True)
    user = AccountRegistry(connection).user(user_id)
    assert user is not None
    assert (user.roles, user.regions, user.disabled) == ({"device"}, {"dev", "qa"}, True)


def test_keys_are_registered_once_and_revoked(connection: sqlite3.Connection, organisation: str) -> None:
    public = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    key_id = accounts.add_key(connection, organisation, public, key_id="mine", now=NOW)
    assert key_id == "mine"
    with pytest.raises(ConfigError, match="exists already"):
        accounts.add_key(connection, organisation, public, key_id="mine", now=NOW)
    accounts.revoke_key(connection, "mine")
    key = AccountRegistry(connection).key("mine")
    assert key is not None
    assert key.revoked


@pytest.mark.parametrize("kind", ["text", "short", "elliptic", "private"])
def test_what_is_no_usable_key(connection: sqlite3.Connection, organisation: str, kind: str) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    given = {
        "text": "no key",
        "short": pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505 (to be refused)
        "elliptic": pem(ec.generate_private_key(ec.SECP256R1())),
        "private": private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    }[kind]
    with pytest.raises(ConfigError):
        accounts.add_key(connection, organisation, given, now=NOW)


def test_what_cannot_be_added(connection: sqlite3.Connection, organisation: str) -> None:
    options = {"roles": ["user"], "regions": ["eu"], "now": NOW}
    accounts.add_user(connection, organisation, "a@b.org", **options)
    for email, changes in (
        ("A@b.org", {}),
        ("no address", {}),
        ("c@b.org", {"roles": ["king"]}),
        ("c@b.org", {"roles": []}),
        ("c@b.org", {"regions": ["mars"]}),
    ):
        with pytest.raises(ConfigError):
            accounts.add_user(connection, organisation, email, **{**options, **changes})
    for issuer in ("lab.example.org", "two words", ""):
        with pytest.raises(ConfigError):
            accounts.add_organisation(connection, issuer, "", NOW)
    for change in (accounts.revoke_key, accounts.new_password, accounts.organisation_of):
        with pytest.raises(ConfigError):
            change(connection, "nobody@b.org")
