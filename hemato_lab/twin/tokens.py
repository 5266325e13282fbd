"""Who calls: tokens judged against the registered keys and users (api/DECISIONS.md rows 5 to 10 and section 5).

What verifies a token follows from its key id alone, never from the algorithm that it names: the twin's own key and
HS256 for tokens of a login, a registered public key and RS256 for all others.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from hemato_lab.api.auth import ROLES
from hemato_lab.errors import ConfigError
from hemato_lab.twin.claims import (
    LIFETIME_S,
    UnreadableTokenError,
    is_well_typed,
    presented_token,
    reasons_of_claims,
    reasons_of_header,
    unpacked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from hemato_lab.twin.claims import Unpacked

LENIENT_ROLE: Final = "service"
"""Role of a token of the later dialect, whose sample client names none (section 5)."""
SHORTEST_SESSION_KEY: Final = 32
"""Bytes; as many as the hash has."""
_FEWEST_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A public key that an organisation signs tokens for.

    Attributes
    ----------
    issuer : str
        What ``iss`` has to be: the organisation's own identifier.
    public_key_pem : str
        RSA, 2048 bits or more.
    """

    key_id: str
    organisation_id: str
    issuer: str
    public_key_pem: str = field(repr=False)
    revoked: bool


@dataclass(frozen=True, slots=True)
class RegisteredUser:
    """A user of an organisation.

    Attributes
    ----------
    issuer : str
        Identifier of the organisation.
    roles, regions : frozenset of str
        What a token may name as ``role``, and where.
    """

    user_id: str
    organisation_id: str
    issuer: str
    email: str
    screen_name: str
    roles: frozenset[str]
    regions: frozenset[str]
    disabled: bool


class Registry(Protocol):
    """Where accounts are looked up."""

    def key(self, key_id: str) -> RegisteredKey | None:
        """Return a registered public key, revoked ones too."""

    def user(self, user_id: str) -> RegisteredUser | None:
        """Return a user by id, disabled ones too."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who calls, and as what."""

    organisation_id: str
    user_id: str
    role: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is made of a token.

    Attributes
    ----------
    claims : mapping
        As they were sent, empty if the token cannot be read.
    reasons : tuple of str
        Codes of every reason to refuse it that applies.
    bearer : Bearer or None
        None if it is refused.
    region_permitted : bool
        Whether the bearer may use the region; False if the token is refused.
    """

    claims: Mapping[str, Any] = field(repr=False)
    reasons: tuple[str, ...]
    bearer: Bearer | None = None
    region_permitted: bool = False


class TokenJudge:
    """Judges tokens, and makes those of a login.

    Parameters
    ----------
    registry : Registry
        Keys and users.
    session_key : bytes
        Secret that tokens of a login are signed with, 32 bytes or more.
    session_key_id : str
        Their ``kid``; no key registered under the same id is ever used.
    hosts : collection of str
        Host names that a token may be for (``aud``).
    region : str
        Which a user needs permission for.
    wall : callable
        Unix time in seconds.
    lenient_claims : bool
        Whether tokens of registered keys may be without ``role`` and name as ``sub`` who is no user, and are then of
        the role service (section 5).

    Raises
    ------
    ConfigError
        If the session key is too short, or there is no host.
    """

    __slots__ = ("_hosts", "_keyed", "_lenient", "_region", "_registry", "_session_key_id", "_wall")

    def __init__(
        self,
        registry: Registry,
        *,
        session_key: bytes,
        session_key_id: str,
        hosts: Collection[str],
        region: str,
        wall: Callable[[], float],
        lenient_claims: bool = False,
    ) -> None:
        if len(session_key) < SHORTEST_SESSION_KEY or not session_key_id:
            raise ConfigError(
                f"the key of sessions needs an id and at least {SHORTEST_SESSION_KEY} bytes",
                hint="make one with secrets.token_bytes(32)",
            )
        if not hosts:
            raise ConfigError("tokens need a host that they are for", hint="name the host that clients call")
        self._registry = registry
        self._keyed = hmac.new(session_key, digestmod=hashlib.sha256)
        self._session_key_id = session_key_id
        self._hosts = frozenset(hosts)
        self._region = region
        self._wall = wall
        self._lenient = lenient_claims

    def judge(self, authorization: str | None) -> Verdict:
        """Judge an Authorization header.

        Parameters
        ----------
        authorization : str or None
            Its value, None if there is no such header; several ones joined by commas.

        Returns
        -------
        Verdict
            With every reason that applies. What is registered of users and organisations is held against a token only
            if the signature is good and the key is valid, so that nobody else learns from the reasons who they are.
        """
        try:
            token = unpacked(presented_token(authorization))
        except UnreadableTokenError as error:
            return Verdict({}, (error.reason,))
        claims, key_id = token.claims, token.claims.get("kid")
        is_session = key_id == self._session_key_id
        key = self._registry.key(key_id) if isinstance(key_id, str) and not is_session else None
        optional = ("role",) if self._lenient and not is_session else ()
        reasons = [
            *reasons_of_header(token, "HS256" if is_session else "RS256"),
            *reasons_of_claims(claims, hosts=self._hosts, now=self._wall(), optional=optional),
        ]
        if not is_session and key is None:
            # A kid that is absent or no text is a reason already.
            unknown = ["unknown_key"] if is_well_typed("kid", key_id) else []
            return Verdict(claims, (*reasons, *unknown))
        of_key = self._reasons_of_signature(token, key)
        return Verdict(claims, (*reasons, *of_key)) if of_key else self._identified(claims, key, reasons)

    def _reasons_of_signature(self, token: Unpacked, key: RegisteredKey | None) -> list[str]:
        """Return what is wrong with the signature; without a key, by the key of sessions."""
        if key is None:
            return [] if hmac.compare_digest(self._seal(token.signed), token.signature) else ["bad_signature"]
        reasons = ["revoked_key"] if key.revoked else []
        try:
            _public_key(key.public_key_pem).verify(token.signature, token.signed, PKCS1v15(), SHA256())
        except InvalidSignature:
            reasons.append("bad_signature")
        return reasons

    def _identified(self, claims: dict[str, Any], key: RegisteredKey | None, reasons: list[str]) -> Verdict:
        """Finish the verdict on a token with a good signature; without a key, by the key of sessions."""
        lenient = self._lenient and key is not None
        subject, role = claims.get("sub"), claims.get("role", LENIENT_ROLE if lenient else None)
        user = self._registry.user(subject) if isinstance(subject, str) else None
        if user is not None and key is not None and user.organisation_id != key.organisation_id:
            user = None
        account = key if key is not None else user
        reasons += _reasons_of_issuer(claims, account)
        if user is not None:
            reasons += ["user_disabled"] if user.disabled else []
            reasons += _reasons_of_role(role, user.roles)
        elif is_well_typed("sub", subject):
            reasons += _reasons_of_role(role, frozenset({LENIENT_ROLE})) if lenient else ["unknown_user"]
        if reasons or account is None:
            return Verdict(claims, tuple(reasons))
        permitted = user is None or self._region in user.regions
        return Verdict(claims, (), Bearer(account.organisation_id, str(subject), str(role)), permitted)

    def new_session(self, user: RegisteredUser, role: str) -> str:
        """Return a token for a user who has just logged in; it lives for an hour.

        Parameters
        ----------
        user : RegisteredUser
            Who logged in.
        role : str
            One that the user holds; with any other the token is refused when it is used.
        """
        issued = int(self._wall())
        claims = {
            "jti": str(uuid.uuid4()),
            "iss": user.issuer,
            "iat": issued,
            "exp": issued + LIFETIME_S,
            "aud": sorted(self._hosts),
            "sub": user.user_id,
            "role": role,
            "kid": self._session_key_id,
        }
        header = {"alg": "HS256", "typ": "JWT", "kid": self._session_key_id}
        signed = b".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return (signed + b"." + _encoded(self._seal(signed))).decode("ascii")

    def _seal(self, signed: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(signed)
        return keyed.digest()


def _reasons_of_issuer(claims: Mapping[str, Any], account: RegisteredKey | RegisteredUser | None) -> list[str]:
    issuer = claims.get("iss")
    is_other = account is not None and is_well_typed("iss", issuer) and issuer != account.issuer
    return ["unknown_issuer"] if is_other else []


def _reasons_of_role(role: object, held: frozenset[str]) -> list[str]:
    """Return what a user's roles have against a token's; one that exists nowhere was refused already."""
    return ["role_not_held"] if role in ROLES and role not in held else []


def _encoded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


@lru_cache(maxsize=1024)
def _public_key(pem: str) -> RSAPublicKey:
    key = load_pem_public_key(pem.encode("ascii"))
    if not isinstance(key, RSAPublicKey) or key.key_size < _FEWEST_BITS:
        raise ConfigError(f"a registered key is no RSA key of {_FEWEST_BITS} bits or more", hint="revoke it")
    return key
