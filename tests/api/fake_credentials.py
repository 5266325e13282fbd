"""Who may call the fake service: users, static tokens, and self-signed tokens of registered keys."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jwt

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

CLAIMS = ("jti", "iss", "iat", "exp", "aud", "sub", "role", "kid")
ROLES = ("admin", "user", "device", "service")
LIFETIME_S = 3600
SIGNATURE_ONLY: dict[str, Any] = {
    "verify_signature": True,
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False),
    **dict.fromkeys(("verify_sub", "verify_jti"), False),
}


@dataclass
class Verdict:
    """What is known of a presented token: its claims, and every reason to refuse it."""

    claims: dict[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


@dataclass
class Credentials:
    """Everything that opens the door (api/DECISIONS.md rows 5 to 10).

    Attributes
    ----------
    host : str
        What `aud` has to be.
    users : dict
        E-mail address to the SHA-256 of the password, in hex.
    keys : dict
        Key id to public key, PEM.
    static_tokens : set of str
        Accepted for ever.
    session_tokens : dict
        Token handed out at login, to its user and the second it was issued at; remove one to revoke it.
    """

    host: str
    wall_clock: Callable[[], float]
    chance: random.Random
    users: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    static_tokens: set[str] = field(default_factory=set)
    session_tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    def new_session(self, user: str) -> str:
        """Return a new opaque token."""
        token = f"session-{self.chance.getrandbits(256):064x}"
        self.session_tokens[token] = (user, self.wall_clock())
        return token

    def judge(self, authorization: str) -> Verdict:
        """Look at an Authorization header, raw or Bearer."""
        scheme, _, rest = authorization.partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else authorization.strip()
        if not token:
            return Verdict(reasons=["missing_token"])
        if token in self.static_tokens:
            return Verdict({"sub": "static"})
        if token in self.session_tokens:
            user, issued = self.session_tokens[token]
            claims = {"sub": user, "iat": int(issued), "role": "user"}
            return Verdict(claims, ["token_expired"] if self.wall_clock() - issued > LIFETIME_S else [])
        return self._judge_signed(token)

    def _judge_signed(self, token: str) -> Verdict:
        try:
            header_text, payload_text, _ = token.split(".")
            header, claims = _unpacked(header_text), _unpacked(payload_text)
        except DuplicateClaimError:
            return Verdict(reasons=["duplicate_claim"])
        except ValueError:
            return Verdict(reasons=["malformed_token"])
        reasons = [f"missing_claim_{name}" for name in CLAIMS if name not in claims]
        reasons += [f"wrong_type_{name}" for name in CLAIMS if name in claims and not _well_typed(name, claims[name])]
        reasons += self._reasons_of_key(token, header, claims)
        if not any(reason.startswith(("missing_claim", "wrong_type")) for reason in reasons):
            reasons += self._reasons_of_values(claims)
        return Verdict(claims, reasons)

    def _reasons_of_key(self, token: str, header: dict[str, Any], claims: dict[str, Any]) -> list[str]:
        kid = claims.get("kid")
        reasons = []
        if header.get("alg") != "RS256":
            reasons.append("algorithm_not_allowed")
        if "kid" in header and header["kid"] != kid:
            reasons.append("key_ids_differ")
        key = self.keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            return [*reasons, "unknown_key"]
        try:
            jwt.decode(token, key, algorithms=["RS256"], options=SIGNATURE_ONLY)  # type: ignore[arg-type]
        except jwt.InvalidTokenError:
            reasons.append("bad_signature")
        return reasons

    def _reasons_of_values(self, claims: dict[str, Any]) -> list[str]:
        now = self.wall_clock()
        audience = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
        checks = {
            "token_issued_in_future": claims["iat"] > now,
            "token_expired": now - claims["iat"] > LIFETIME_S or claims["exp"] <= now,
            "wrong_audience": self.host not in audience,
            "unknown_role": claims["role"] not in ROLES,
        }
        return [reason for reason, applies in checks.items() if applies]


class DuplicateClaimError(ValueError):
    """A JSON object names a key twice."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise DuplicateClaimError
    return dict(pairs)


def _unpacked(text: str) -> dict[str, Any]:
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    unpacked = json.loads(content, object_pairs_hook=_without_duplicates)
    if not isinstance(unpacked, dict):
        raise ValueError("a token's part is no object")  # noqa: TRY004 (the caller asks for ValueError)
    return unpacked


def _well_typed(name: str, value: object) -> bool:
    if name in {"iat", "exp"}:
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "aud" and isinstance(value, list):
        return bool(value) and all(isinstance(one, str) for one in value)
    return isinstance(value, str) and bool(value)
