"""Who we are: a password, a key of our own, or a token that somebody gave us.

A kind of authentication hands out a token for a host and says whether it can make another one. It sends nothing itself;
`PasswordAuth` asks for its login through the operation that it is given.
"""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from hemato_lab.api.effects import alone
from hemato_lab.errors import CredentialError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from hemato_lab.api.effects import Operation
    from hemato_lab.api.models import Login

ROLES: Final = ("admin", "user", "device", "service")
"""Roles of the vendor's table of claims."""
SESSION_LIFETIME_S: Final = 3300.0
"""A session's token is opaque and dies after an hour at most (vendor's document, ``iat``); it is renewed before."""
KEY_TOKEN_LIFETIME_S: Final = 900
"""Of the tokens we sign (api/DECISIONS.md row 9)."""
ISSUED_BEFORE_S: Final = 5
"""``iat`` lies so far back, for clocks that differ a little (row 9)."""
_RENEWED_BEFORE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a token is for.

    Attributes
    ----------
    address : str
        Base address of the service; a token is shown to no other.
    host : str
        For ``aud``.
    server_now : callable
        Unix time by the service's clock, as well as it is known.
    monotonic : callable
        For the age of tokens.
    log_in : callable
        Operation that asks for a session: user, SHA-256 of the password -> `Login`.
    """

    address: str
    host: str
    server_now: Callable[[], float]
    monotonic: Callable[[], float]
    log_in: Callable[[str, SecretStr], Operation[Login]] = field(repr=False)


class Authentication(ABC):
    """A kind of authentication; it may serve several clients and threads."""

    renewable: bool = True
    """Whether another token can be made when one is refused."""

    @abstractmethod
    def token(self, audience: Audience, refused: SecretStr | None = None) -> Operation[SecretStr]:
        """Return a token that is valid for a while.

        Parameters
        ----------
        audience : Audience
            Whom it is for.
        refused : SecretStr or None
            One that was just refused, and must not be returned again if `renewable`.
        """

    def __reduce__(self) -> Any:
        raise TypeError("credentials are not pickled; make them anew where they are needed")


@dataclass(frozen=True, slots=True)
class _Cached:
    token: SecretStr
    until: float


class _Renewed(Authentication):
    """Keeps a token for each service in memory and has a new one made when it is refused or about to end."""

    def __init__(self) -> None:
        self._cached: dict[str, _Cached] = {}
        self._lock = threading.Lock()
        self._renewing = threading.Lock()

    def _valid(self, audience: Audience, refused: SecretStr | None) -> SecretStr | None:
        with self._lock:
            cached = self._cached.get(audience.address)
        if cached is None or cached.token == refused or audience.monotonic() >= cached.until:
            return None
        return cached.token

    def _keep(self, audience: Audience, token: SecretStr, seconds: float) -> SecretStr:
        with self._lock:
            self._cached[audience.address] = _Cached(token, audience.monotonic() + seconds)
        return token

    def token(self, audience: Audience, refused: SecretStr | None = None) -> Operation[SecretStr]:
        """Return the cached token, or a new one; several callers at a time cause one login."""
        cached = self._valid(audience, refused)
        if cached is not None:
            return cached
        return (yield from alone(self._renewing, lambda: self._renew(audience, refused)))

    def _renew(self, audience: Audience, refused: SecretStr | None) -> Operation[SecretStr]:
        cached = self._valid(audience, refused)  # another caller may have been first
        return cached if cached is not None else (yield from self._new(audience))

    @abstractmethod
    def _new(self, audience: Audience) -> Operation[SecretStr]:
        """Make a token and keep it."""


class PasswordAuth(_Renewed):
    """A user's name and password; for people.

    The password is hashed at once and not kept; the token of the session is cached in memory and renewed.

    Parameters
    ----------
    user : str
        Name or e-mail address of the account.
    password : str or callable or None
        The password, or what returns it: ``getpass.getpass``, or ``lambda: keyring.get_password("hemato.ai", user)``.
    pass_hash : str or None
        SHA-256 of the password in hex, in the password's place.

    Raises
    ------
    CredentialError
        If none or both are given, or the hash is none.
    """

    def __init__(
        self, user: str, password: str | Callable[[], str | None] | None = None, *, pass_hash: str | None = None
    ) -> None:
        super().__init__()
        self.user = user
        try:
            if not user:
                raise CredentialError("the user's name is empty", subject="PasswordAuth")
            if (password is None) == (pass_hash is None):
                raise CredentialError(
                    "give either a password or its hash", subject="PasswordAuth", hint="not both, not none"
                )
            self._pass_hash = _password_hash(password) if password is not None else _checked_hash(pass_hash)
        finally:
            del password, pass_hash  # a traceback that shows local variables shows those of this frame

    def __repr__(self) -> str:
        return f"PasswordAuth({self.user!r})"

    def log_in(self, audience: Audience) -> Operation[Login]:
        """Ask for a new session, keep its token, and return who logged in."""
        login = yield from audience.log_in(self.user, self._pass_hash)
        self._keep(audience, login.session_token, SESSION_LIFETIME_S)
        return login

    def _new(self, audience: Audience) -> Operation[SecretStr]:
        return (yield from self.log_in(audience)).session_token


def _password_hash(password: str | Callable[[], str | None]) -> SecretStr:
    given, written = None, b""
    try:
        given = password() if callable(password) else password
        if not isinstance(given, str) or not given:
            raise CredentialError(
                "the password is empty or no text", subject="PasswordAuth", hint="is it in the keyring?"
            )
        # Half a surrogate has no UTF-8; the error of the codec would carry the whole password.
        written = given.encode(errors="replace")
        if written.decode() != given:
            raise CredentialError("the password is no text that can be written as UTF-8", subject="PasswordAuth")
        return SecretStr(hashlib.sha256(written).hexdigest())
    finally:
        del given, written, password


def _checked_hash(pass_hash: str | None) -> SecretStr:
    try:
        if not isinstance(pass_hash, str) or re.fullmatch("[0-9a-fA-F]{64}", pass_hash) is None:
            raise CredentialError("is no SHA-256 in hex", subject="pass_hash", hint="hash the password, not its hash")
        return SecretStr(pass_hash.lower())
    finally:
        del pass_hash


class KeyAuth(_Renewed):
    """A private key whose public key is registered with the service; for devices and scripts.

    Signs tokens with RS256 that live 15 minutes and hold all eight claims of the vendor's table.

    Parameters
    ----------
    private_key : RSAPrivateKey or bytes
        The key, or its PEM; see `from_file`.
    issuer : str
        Identifier of the organisation (``iss``).
    user_id : str
        Id of a user of that organisation (``sub``).
    kid : str
        Id under which the public key is registered.
    role : str
        One of `ROLES`.

    Raises
    ------
    CredentialError
        If the key or one of the names cannot be used.
    """

    def __init__(
        self, private_key: RSAPrivateKey | bytes, *, issuer: str, user_id: str, kid: str, role: str = "service"
    ) -> None:
        from hemato_lab.api.keys import checked_key, parse_private_key

        super().__init__()
        self.issuer, self.user_id, self.kid, self.role = issuer, user_id, kid, role
        try:
            self._key = parse_private_key(private_key) if isinstance(private_key, bytes) else checked_key(private_key)
        finally:
            del private_key
        for name, value in {"issuer": issuer, "user_id": user_id, "kid": kid}.items():
            if not value.strip():
                raise CredentialError("is empty", subject=name, hint="the service registered it with the public key")
        if role not in ROLES:
            raise CredentialError("is no role", subject="role", hint=f"one of {', '.join(ROLES)}")

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        issuer: str,
        user_id: str,
        kid: str,
        role: str = "service",
        passphrase: str | None = None,
    ) -> KeyAuth:
        """Read the private key from a PEM file that only its owner may open; raises CredentialError if others may."""
        from hemato_lab.api.keys import read_private_key

        try:
            key = read_private_key(path, passphrase)
        finally:
            del passphrase
        return cls(key, issuer=issuer, user_id=user_id, kid=kid, role=role)

    def __repr__(self) -> str:
        return f"KeyAuth(issuer={self.issuer!r}, user_id={self.user_id!r}, kid={self.kid!r}, role={self.role!r})"

    def claims(self, host: str, server_now: float) -> dict[str, Any]:
        """Return the eight claims of a token that is issued now (api/DECISIONS.md rows 7 to 10)."""
        issued = int(server_now) - ISSUED_BEFORE_S
        return {
            "jti": str(uuid.uuid4()),
            "iss": self.issuer,
            "iat": issued,
            "exp": issued + KEY_TOKEN_LIFETIME_S,
            "aud": [host],
            "sub": self.user_id,
            "role": self.role,
            "kid": self.kid,
        }

    def _new(self, audience: Audience) -> Operation[SecretStr]:
        import jwt

        claims = self.claims(audience.host, audience.server_now())
        token = SecretStr(jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self.kid}))
        yield from ()
        return self._keep(audience, token, KEY_TOKEN_LIFETIME_S - ISSUED_BEFORE_S - _RENEWED_BEFORE_S)


class TokenAuth(Authentication):
    """A token that somebody gave us; when it is refused there is no other.

    Raises
    ------
    CredentialError
        If it is empty or holds what cannot be sent in a header.
    """

    renewable = False

    def __init__(self, token: str | SecretStr) -> None:
        secret = token if isinstance(token, SecretStr) else SecretStr(token.strip())
        del token
        text = secret.get_secret_value()
        usable = bool(text) and text.isascii() and text.isprintable() and " " not in text
        del text
        if not usable:
            raise CredentialError("is no token", subject="TokenAuth", hint="give the token alone, without Bearer")
        self._token = secret

    def __repr__(self) -> str:
        return "TokenAuth(...)"

    def token(self, audience: Audience, refused: SecretStr | None = None) -> Operation[SecretStr]:  # noqa: ARG002 (there is but one)
        """Return the token."""
        yield from ()
        return self._token
