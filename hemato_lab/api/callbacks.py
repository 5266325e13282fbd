"""Signed addresses for the service to call back, and the check of what then comes in (vendor's document, step 3).

An address is ``{base}/{subject}/{expiry}.{signature}``, as the document recommends: a timestamped signature valid for
one subject alone. The base is not signed, so that the same receiver may stand behind any proxy. An address gives no
more than the right to say "look now" (api/DECISIONS.md row 22).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, unquote

from hemato_lab.api.redaction import bare
from hemato_lab.api.regions import checked_address
from hemato_lab.errors import (
    ConfigError,
    CredentialError,
    ForgedCallbackError,
    InsecureAddressError,
    StaleCallbackError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_SECRET: Final = 32
"""Bytes; as many as the hash has."""
LONGEST_SUBJECT: Final = 200
"""Characters."""
LONGEST_BASE: Final = 2_000
"""Characters."""
LONGEST_TARGET: Final = 8_192
"""Characters; longer ones are refused unread. The longest address that is ever made is about half of it."""
DAY_S: Final = 86_400.0
_LONGEST_LIFETIME_S: Final = 366 * DAY_S
_DOMAIN: Final = b"hemato_lab callback address, version 1"
_BEFORE_SUBJECT: Final = re.compile(r"(?:https?://[^/?#]+)?(?:/[^?#]*[^/?#])?")
_SEAL: Final = re.compile(r"([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{43})")


class CallbackSigner:
    """Makes and checks addresses that the service calls.

    Parameters
    ----------
    secret : bytes or str
        At least 32 bytes, text as UTF-8; the same for all processes that make or check addresses.
    lifetime_s : float
        How long an address is valid, in seconds; from a second to 366 days.
    wall_clock : callable
        Unix time in seconds.
    tolerance_s : float
        How much further in the future than the lifetime an expiry may lie, in seconds: the clocks of the machine that
        made the address and of the one that checks it differ.

    Raises
    ------
    CredentialError
        If the secret is too short, or neither bytes nor text.
    ConfigError
        If the lifetime or the tolerance cannot be used.

    Notes
    -----
    The secret itself is not kept, only the state of the hash that was keyed with it, and that cannot be pickled.
    """

    __slots__ = ("_keyed", "_lifetime_s", "_tolerance_s", "_wall_clock")

    @bare
    def __init__(
        self,
        *,
        secret: bytes | str,
        lifetime_s: float = DAY_S,
        wall_clock: Callable[[], float] = time.time,
        tolerance_s: float = 60.0,
    ) -> None:
        self._lifetime_s = lifetime_s  # first, as a traceback that shows variables represents what is not whole
        try:
            if not 1 <= lifetime_s <= _LONGEST_LIFETIME_S:
                raise ConfigError("the lifetime of a callback address must be 1 second to 366 days")
            if not 0 <= tolerance_s < math.inf:
                raise ConfigError("the tolerance of a callback address must be a number of seconds, not negative")
            self._keyed = hmac.new(_secret_bytes(secret), _DOMAIN, hashlib.sha256)
        finally:
            del secret  # a traceback that shows variables shows those of this frame
        self._tolerance_s = tolerance_s
        self._wall_clock = wall_clock

    @classmethod
    def generate(
        cls, *, lifetime_s: float = DAY_S, wall_clock: Callable[[], float] = time.time, tolerance_s: float = 60.0
    ) -> Self:
        """Return a signer with a new random secret, which lives and dies with it.

        Raises
        ------
        ConfigError
            If the lifetime or the tolerance cannot be used.
        """
        secret = secrets.token_bytes(SHORTEST_SECRET)
        return cls(secret=secret, lifetime_s=lifetime_s, wall_clock=wall_clock, tolerance_s=tolerance_s)

    def __repr__(self) -> str:
        return f"CallbackSigner(secret=[redacted], lifetime_s={self._lifetime_s:g})"

    def __reduce__(self) -> Any:
        raise TypeError("a signer of callbacks is not pickled, so that its secret lands in no file")

    @bare
    def url(self, base: str, subject: str) -> str:
        """Return a signed address for the service to call.

        Parameters
        ----------
        base : str
            Where the receiver is reached: https, or http for loopback alone (api/DECISIONS.md row 27).
        subject : str
            The study's id, or a reference of the caller's own where no id is known yet (workflow 2). At most 200
            characters, without personal data.

        Raises
        ------
        InsecureAddressError
            If the base is plain http beyond this machine, holds a user, query or fragment, or is no address.
        ConfigError
            If the subject is empty, too long, or cannot stand in an address.
        """
        checked = checked_base(base)
        _check_subject(subject)
        expiry = math.floor(self._wall_clock() + self._lifetime_s)
        return f"{checked}/{quote(subject, safe='')}/{expiry}.{self._signature(subject, expiry)}"

    @bare
    def verify(self, target: str) -> str:
        """Return the subject of an address that was called.

        Parameters
        ----------
        target : str
            The whole address, or its path; its last two segments count.

        Raises
        ------
        ForgedCallbackError
            If the signature is not ours, or the address differs by a character from what `url` writes.
        StaleCallbackError
            If the signature is ours, but the time is up, or the expiry lies further ahead than `url` ever puts it.
        """
        subject, expiry, signature = _parsed(target)
        # The whole text is compared, not what it decodes to: of several spellings of a signature one is accepted.
        if not hmac.compare_digest(self._signature(subject, expiry).encode("ascii"), signature.encode("ascii")):
            raise _forged()
        now = self._wall_clock()
        if expiry < now:
            raise StaleCallbackError("the callback address has expired", subject=subject)
        if expiry > now + self._lifetime_s + self._tolerance_s:
            raise StaleCallbackError(
                "the callback address expires later than any made here", subject=subject, hint="compare the clocks"
            )
        return subject

    def _signature(self, subject: str, expiry: int) -> str:
        """Return the signature of a subject and an expiry, base64url without padding."""
        keyed = self._keyed.copy()
        written = subject.encode()
        # The length goes first, so that no other subject and expiry run together to the same bytes.
        keyed.update(len(written).to_bytes(8, "big") + written + expiry.to_bytes(8, "big"))
        return base64.urlsafe_b64encode(keyed.digest()).rstrip(b"=").decode("ascii")


def checked_base(base: str) -> str:
    """Return the base of callback addresses without the slash at its end, once it is sure that it may be used.

    Raises
    ------
    InsecureAddressError
        If it is plain http beyond this machine, holds a user, query or fragment, is longer than 2,000 characters, or is
        no address (api/DECISIONS.md row 27).
    """
    if len(base) > LONGEST_BASE or re.fullmatch(r"[!-~]+", base) is None:
        raise InsecureAddressError("the base of callback addresses is not one", hint="give https://host/path")
    # Empty ones too: what follows a lone question mark would no longer be part of the path.
    if re.search(r"[?#@]", base):
        raise InsecureAddressError(
            "the base of callback addresses holds a user name, a query or a fragment", hint="give https://host/path"
        )
    return checked_address(base)


def _secret_bytes(secret: bytes | str) -> bytes:
    try:
        written = secret.encode() if isinstance(secret, str) else bytes(memoryview(secret))
    except (TypeError, UnicodeEncodeError):
        written = b""
    if len(written) < SHORTEST_SECRET:
        raise CredentialError(
            f"the secret that signs callback addresses must have at least {SHORTEST_SECRET} bytes",
            hint="make one with secrets.token_bytes(32), or use CallbackSigner.generate()",
        )
    return written


def _check_subject(subject: str) -> None:
    if not 0 < len(subject) <= LONGEST_SUBJECT:
        raise ConfigError(f"the subject of a callback must have 1 to {LONGEST_SUBJECT} characters")
    try:
        subject.encode()
    except UnicodeEncodeError:
        raise ConfigError("the subject of a callback holds half a character (a lone surrogate)") from None
    # Clients and proxies take such a segment away with the one before it, however it is quoted.
    if subject in {".", ".."}:
        raise ConfigError("the subject of a callback must not be one or two dots")


def _parsed(target: str) -> tuple[str, int, str]:
    """Return subject, expiry and signature of an address, if it is written as `CallbackSigner.url` writes it."""
    if len(target) > LONGEST_TARGET or not target.isascii():
        raise _forged()
    before, *segments = target.rsplit("/", 2)
    if len(segments) != 2 or _BEFORE_SUBJECT.fullmatch(before) is None:
        raise _forged()
    quoted, sealed = segments
    seal = _SEAL.fullmatch(sealed)
    subject = _unquoted(quoted)
    if seal is None or subject is None:
        raise _forged()
    return subject, int(seal[1]), seal[2]


def _unquoted(quoted: str) -> str | None:
    """Return the text of a path segment, None if it is empty or quoted in any other way than ours."""
    try:
        subject = unquote(quoted, errors="strict")
    except UnicodeDecodeError:
        return None
    return subject if subject and quote(subject, safe="") == quoted else None


def _forged() -> ForgedCallbackError:
    return ForgedCallbackError("the signature of the callback is not ours", hint="nothing was done")
