"""Organisations, their users and keys, and what a new twin begins with."""

from __future__ import annotations

import json
import os
import re
import uuid
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hemato_lab.api.regions import DEMO_REGIONS, REGIONS
from hemato_lab.errors import ConfigError
from hemato_lab.twin.passwords import hashed, one_time_password
from hemato_lab.twin.tokens import RegisteredKey, RegisteredUser

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence
    from pathlib import Path

ROLES: Final = ("admin", "user", "service", "device")
"""Roles of the vendor's document, in the order in which a login takes the first that the user has."""
FIRST_ISSUER: Final = "twin.example.org"
FIRST_EMAIL: Final = "admin@twin.example.org"
PRIVATE_KEY_FILE: Final = "first_key.pem"
_FEWEST_BITS: Final = 2048
_NAME: Final = re.compile(r"[!-~]{1,200}")
_EMAIL: Final = re.compile(r"[!-?A-~]+@[!-?A-~]+")


@dataclass(frozen=True, slots=True)
class FirstAccess:
    """What the first start of a twin made; the password is nowhere else.

    Attributes
    ----------
    issuer, user_id, key_id : str
        Claims ``iss``, ``sub`` and ``kid`` of tokens signed with the key.
    email, password : str
        For a login.
    private_key : Path
        PEM file that only its owner can read.
    """

    issuer: str
    user_id: str
    key_id: str
    email: str
    password: str
    private_key: Path

    def __repr__(self) -> str:
        return f"FirstAccess(issuer={self.issuer!r}, email={self.email!r}, password=..., key_id={self.key_id!r})"


class AccountRegistry:
    """Looks accounts up for the judge of tokens."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def key(self, key_id: str) -> RegisteredKey | None:
        """Return a registered public key."""
        row = self._connection.execute(
            "SELECT key_id, organisation_id, issuer, public_key_pem, revoked"
            " FROM keys JOIN organisations USING (organisation_id) WHERE key_id = ?",
            (key_id,),
        ).fetchone()
        return row and RegisteredKey(row[0], row[1], row[2], row[3], bool(row[4]))

    def user(self, user_id: str) -> RegisteredUser | None:
        """Return a user by id."""
        return self._user("user_id", user_id)

    def user_by_email(self, email: str) -> RegisteredUser | None:
        """Return a user by e-mail address, which is the name to log in with."""
        return self._user("email", email.lower())

    def _user(self, column: str, value: str) -> RegisteredUser | None:
        row = self._connection.execute(
            "SELECT user_id, organisation_id, issuer, email, screen_name, roles, regions, disabled"  # noqa: S608 (ours)
            f" FROM users JOIN organisations USING (organisation_id) WHERE {column} = ?",
            (value,),
        ).fetchone()
        if row is None:
            return None
        roles, regions = frozenset(json.loads(row[5])), frozenset(json.loads(row[6]))
        return RegisteredUser(row[0], row[1], row[2], row[3], row[4], roles, regions, bool(row[7]))

    def password_of(self, email: str) -> str | None:
        """Return the stored hash of a user's password, None where there is no such user, or no password."""
        row = self._connection.execute("SELECT password FROM users WHERE email = ?", (email.lower(),)).fetchone()
        return None if row is None else row[0]


def add_organisation(connection: sqlite3.Connection, issuer: str, name: str, now: float) -> str:
    """Add an organisation and return its id.

    Raises
    ------
    ConfigError
        If the issuer is taken, or is no name.
    """
    if not _NAME.fullmatch(issuer):
        raise ConfigError("is no issuer", subject=repr(issuer)[:80], hint="give a name as lab.example.org")
    if connection.execute("SELECT 1 FROM organisations WHERE issuer = ?", (issuer,)).fetchone():
        raise ConfigError("exists already", subject=issuer, hint="an issuer names one organisation")
    organisation_id = str(uuid.uuid4())
    connection.execute("INSERT INTO organisations VALUES (?, ?, ?, ?)", (organisation_id, issuer, name, now))
    return organisation_id


def organisation_of(connection: sqlite3.Connection, issuer: str) -> str:
    """Return the id of an organisation.

    Raises
    ------
    ConfigError
        If there is none of this issuer.
    """
    row = connection.execute("SELECT organisation_id FROM organisations WHERE issuer = ?", (issuer,)).fetchone()
    if row is None:
        raise ConfigError("is no organisation here", subject=issuer, hint="see hemato-lab serve admin list")
    return str(row[0])


def add_user(
    connection: sqlite3.Connection,
    organisation_id: str,
    email: str,
    *,
    roles: Collection[str],
    regions: Collection[str],
    now: float,
    screen_name: str = "",
) -> tuple[str, str]:
    """Add a user and return its id and one-time password.

    Raises
    ------
    ConfigError
        If the e-mail address is taken or none, or a role or region is unknown.
    """
    address = email.lower()
    if not _EMAIL.fullmatch(address) or len(address) > 200:
        raise ConfigError("is no e-mail address", subject=repr(email)[:80])
    if connection.execute("SELECT 1 FROM users WHERE email = ?", (address,)).fetchone():
        raise ConfigError("exists already", subject=address, hint="an address belongs to one user")
    user_id, password = str(uuid.uuid4()), one_time_password()
    shown = screen_name or address.partition("@")[0]
    stored = _stored(password)
    columns = (user_id, organisation_id, address, shown, stored, _roles(roles), _regions(regions), now)
    connection.execute(
        "INSERT INTO users (user_id, organisation_id, email, screen_name, password, roles, regions, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        columns,
    )
    return user_id, password


def change_user(
    connection: sqlite3.Connection,
    email: str,
    *,
    roles: Collection[str] | None = None,
    regions: Collection[str] | None = None,
    disabled: bool | None = None,
) -> None:
    """Change what a user may do; None leaves as it is.

    Raises
    ------
    ConfigError
        If there is no such user, or a role or region is unknown.
    """
    changes: dict[str, object] = {}
    if roles is not None:
        changes["roles"] = _roles(roles)
    if regions is not None:
        changes["regions"] = _regions(regions)
    if disabled is not None:
        changes["disabled"] = int(disabled)
    for column, value in changes.items():
        _update_user(connection, email, column, value)


def new_password(connection: sqlite3.Connection, email: str) -> str:
    """Give a user a new one-time password, which replaces the old one, and return it.

    Raises
    ------
    ConfigError
        If there is no such user.
    """
    password = one_time_password()
    _update_user(connection, email, "password", _stored(password))
    return password


def _update_user(connection: sqlite3.Connection, email: str, column: str, value: object) -> None:
    statement = f"UPDATE users SET {column} = ? WHERE email = ?"  # noqa: S608 (ours)
    if connection.execute(statement, (value, email.lower())).rowcount == 0:
        raise ConfigError("is no user here", subject=email, hint="see hemato-lab serve admin list")


def _stored(password: str) -> str:
    return hashed(sha256(password.encode()).hexdigest())


def _roles(roles: Collection[str]) -> str:
    return _checked(roles, ROLES, "role")


def _regions(regions: Collection[str]) -> str:
    return _checked(regions, (*REGIONS, *DEMO_REGIONS), "region")


def _checked(names: Collection[str], known: Sequence[str], what: str) -> str:
    unknown = sorted(set(names) - set(known))
    if unknown or not names:
        problem = f"is no {what}" if unknown else f"at least one {what} is needed"
        raise ConfigError(problem, subject=", ".join(unknown), hint=f"give some of {', '.join(known)}")
    return json.dumps([name for name in known if name in names])


def add_key(
    connection: sqlite3.Connection, organisation_id: str, public_key_pem: str, *, key_id: str = "", now: float
) -> str:
    """Register a public key and return its id.

    Raises
    ------
    ConfigError
        If it is no RSA public key of 2048 bits or more, or the id is taken.
    """
    try:
        key = serialization.load_pem_public_key(public_key_pem.encode())
    except ValueError as error:
        hint = "give the file that openssl rsa -pubout made"
        raise ConfigError("is no public key in PEM", subject="the key", hint=hint) from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _FEWEST_BITS:
        raise ConfigError("tokens need an RSA key of 2048 bits or more", subject="the key", hint="make a new one")
    name = key_id or str(uuid.uuid4())
    if not _NAME.fullmatch(name):
        raise ConfigError("is no id of a key", subject=repr(name)[:80])
    if connection.execute("SELECT 1 FROM keys WHERE key_id = ?", (name,)).fetchone():
        raise ConfigError("exists already", subject=name, hint="an id belongs to one key for ever")
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    connection.execute("INSERT INTO keys VALUES (?, ?, ?, 0, ?)", (name, organisation_id, pem, now))
    return name


def revoke_key(connection: sqlite3.Connection, key_id: str) -> None:
    """Refuse all tokens of a key from now on.

    Raises
    ------
    ConfigError
        If there is no such key.
    """
    if connection.execute("UPDATE keys SET revoked = 1 WHERE key_id = ?", (key_id,)).rowcount == 0:
        raise ConfigError("is no key here", subject=key_id, hint="see hemato-lab serve admin list")


def first_access(connection: sqlite3.Connection, folder: Path, region: str, now: float) -> FirstAccess | None:
    """Make an organisation with a user who may do everything and a key pair, if there is no organisation yet.

    Returns
    -------
    FirstAccess or None
        None if the twin has organisations already.
    """
    if connection.execute("SELECT 1 FROM organisations").fetchone():
        return None
    organisation_id = add_organisation(connection, FIRST_ISSUER, "First organisation", now)
    regions = (*REGIONS, *DEMO_REGIONS) if region in REGIONS or region in DEMO_REGIONS else (region,)
    user_id, password = add_user(
        connection, organisation_id, FIRST_EMAIL, roles=ROLES, regions=regions, now=now, screen_name="Admin"
    )
    private = rsa.generate_private_key(public_exponent=65537, key_size=_FEWEST_BITS)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key_id = add_key(connection, organisation_id, public.decode(), now=now)
    path = folder / PRIVATE_KEY_FILE
    _write_private(
        path,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    return FirstAccess(FIRST_ISSUER, user_id, key_id, FIRST_EMAIL, password, path)


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
