"""What a token says: its parts, strictly unpacked, and every reason to refuse it that lies in itself.

Stricter than JSON Web Tokens have to be (RFC 7515, 7519), as the vendor's table asks for: every claim is required, and
a date is a whole number. Of several spellings of one token a single one is read: base64url without padding and without
stray bits, UTF-8 without a byte order mark, JSON without constants that are none and without a name given twice.
"""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from hemato_lab.api.auth import ROLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

CLAIMS: Final = ("jti", "iss", "iat", "exp", "aud", "sub", "role", "kid")
"""Claims of the vendor's table; all are required (api/DECISIONS.md row 10)."""
LONGEST_AUTHORIZATION: Final = 8_192
"""Characters of an Authorization header; a longer one is refused unread."""
LIFETIME_S: Final = 3_600
"""Seconds after ``iat`` that a token lives at most, whatever ``exp`` says (row 9)."""
_DATES: Final = frozenset({"iat", "exp", "nbf"})
_LAST_DATE: Final = 2**53
"""Whole numbers beyond it are not the same to every reader of JSON (RFC 7493 section 2.2)."""
_DEEPEST: Final = 16
_MOST_BRACKETS: Final = 256
"""More are not read: a list in a list in a list would be followed as far as the interpreter goes."""
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
_BEARER: Final = re.compile(r"bearer(?: +|\Z)", re.IGNORECASE | re.ASCII)
_NOT_UNDERSTOOD: Final = ("b64", "crit", "enc", "zip")
"""Members of a header that change how a token is to be read; others say nothing that is used here, and may be there."""


class UnreadableTokenError(ValueError):
    """There is no token, or nothing can be said of it but that it is none.

    Parameters
    ----------
    reason : str
        Code of the reason.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A token's parts; nothing is known of its signature yet.

    Attributes
    ----------
    header, claims : dict
        JSON objects, nested 16 deep at most and of 256 brackets, without half surrogates and numbers that are none.
    signed : bytes
        What the signature is of.
    signature : bytes
        As it was sent; may be empty.
    """

    header: dict[str, Any]
    claims: dict[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def presented_token(authorization: str | None) -> str:
    """Return the token of an Authorization header, which stands alone or after the word Bearer (row 5).

    Parameters
    ----------
    authorization : str or None
        The header's value, without the white space around it that HTTP takes away; several ones joined by commas.

    Raises
    ------
    UnreadableTokenError
        ``missing_token``, ``token_too_long``, ``several_authorizations``.
    """
    if authorization is None:
        raise UnreadableTokenError("missing_token")
    if len(authorization) > LONGEST_AUTHORIZATION:
        raise UnreadableTokenError("token_too_long")
    if "," in authorization:
        raise UnreadableTokenError("several_authorizations")
    scheme = _BEARER.match(authorization)
    token = authorization[scheme.end() :] if scheme else authorization
    if not token:
        raise UnreadableTokenError("missing_token")
    return token


def unpacked(token: str) -> Unpacked:
    """Return the parts of a token in compact form.

    Raises
    ------
    UnreadableTokenError
        ``malformed_token``; ``duplicate_claim`` if an object in it gives a name twice.
    """
    segments = _COMPACT.fullmatch(token)
    if segments is None:
        raise UnreadableTokenError("malformed_token")
    try:
        header, claims = _object(_decoded(segments[1])), _object(_decoded(segments[2]))
        signature = _decoded(segments[3])
    except UnreadableTokenError:
        raise
    except (ValueError, RecursionError):
        raise UnreadableTokenError("malformed_token") from None
    return Unpacked(header, claims, token[: segments.end(2)].encode("ascii"), signature)


def _decoded(text: str) -> bytes:
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii") != text:
        raise ValueError("another spelling of the same bytes")
    return content


def _object(content: bytes) -> dict[str, Any]:
    text = content.decode("utf-8")  # JSON as bytes would be read in UTF-16 and UTF-32 too
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        raise ValueError("too many lists and objects")
    found = _DECODER.decode(text)
    if not isinstance(found, dict):
        raise ValueError("is no object")  # noqa: TRY004 (the caller expects one kind of error)
    _check_depth(found)
    if "\\u" in text:
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate can be looked up nowhere
    return found


def _check_depth(value: Any, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _check_depth(each, depth + 1)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise UnreadableTokenError("duplicate_claim")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("too large")
    return number


def _no_json(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_json)


def reasons_of_header(token: Unpacked, algorithm: str) -> Iterator[str]:
    """Yield every reason to refuse a token that lies in its header.

    Parameters
    ----------
    algorithm : str
        The one that the token's key is used with; the header does not choose (row 6).
    """
    header = token.header
    if header.get("alg") != algorithm:
        yield "algorithm_not_allowed"
    if "kid" in header and "kid" in token.claims and header["kid"] != token.claims["kid"]:
        yield "key_ids_differ"
    yield from (f"unsupported_header_{name}" for name in _NOT_UNDERSTOOD if name in header)
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.upper() != "JWT":
        yield "unsupported_header_typ"


def reasons_of_claims(
    claims: Mapping[str, Any], *, hosts: Collection[str], now: float, optional: Collection[str] = ()
) -> Iterator[str]:
    """Yield every reason to refuse a token that lies in its claims alone.

    Parameters
    ----------
    claims : mapping
        As they were sent.
    hosts : collection of str
        One of them has to be in ``aud``, letter by letter (row 8).
    now : float
        Unix time in seconds.
    optional : collection of str
        Claims that may be absent.
    """
    yield from (f"missing_claim_{name}" for name in CLAIMS if name not in claims and name not in optional)
    well_typed = {}
    for name in (*CLAIMS, "nbf"):
        if name in claims:
            if is_well_typed(name, claims[name]):
                well_typed[name] = claims[name]
            else:
                yield f"wrong_type_{name}"
    yield from _reasons_of_dates(well_typed, now)
    audience = well_typed.get("aud")
    if audience is not None and not set(hosts).intersection([audience] if isinstance(audience, str) else audience):
        yield "wrong_audience"
    if well_typed.get("role", ROLES[0]) not in ROLES:
        yield "unknown_role"


def _reasons_of_dates(claims: Mapping[str, Any], now: float) -> Iterator[str]:
    if claims.get("iat", now) > now:
        yield "token_issued_in_future"
    if claims.get("iat", now) < now - LIFETIME_S or claims.get("exp", math.inf) <= now:
        yield "token_expired"
    if claims.get("nbf", now) > now:
        yield "token_not_yet_valid"


def is_well_typed(name: str, value: object) -> bool:
    """Tell whether a claim is of the type that the vendor's table gives it; nothing is converted."""
    if name in _DATES:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LAST_DATE
    if name == "aud" and isinstance(value, list):
        return bool(value) and all(isinstance(one, str) and one for one in value)
    return isinstance(value, str) and bool(value)
