"""Blotting out of secrets in words that come from elsewhere, before they reach an error or a log."""

from __future__ import annotations

import functools
import re
import threading
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar
from urllib.parse import quote

from hemato_lab.errors import HematoError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

BLOT: Final = "[redacted]"
_SHORTEST: Final = 6
"""Characters; shorter secrets would blot out half of a text."""
_SHORTEST_PART: Final = 4
"""Characters of the beginning of a secret, at the end of a text that was cut there."""
_PARAMETERS: Final = (
    "x-amz-[a-z-]{1,40}|x-goog-[a-z-]{1,40}|sig|signature|se|sp|sv|awsaccesskeyid|expires|key-pair-id|policy|token|access_token|"
    "refresh_token|id_token|session_token|password|passwd|pass_hash|passphrase|secret|client_secret|api_?key"
)
_PATTERNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
        r"eyJ[\w-]{4,}(?:\.[\w-]*){0,4}",  # a JSON Web Token, whole or cut short
        r"(?i)\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|digest|token)\s+)?[^\s\"',;<]+",
        r"(?i)\bbearer\s+[^\s\"',;<]+",
        rf"(?i)\b(?:{_PARAMETERS})(?:=|%3d)[^\s\"'&#<]+",
        r"(?i)\b[a-z][a-z0-9+.-]{0,20}://[^\s\"'/?#@<]+@(?:[^\s\"'/?#@<]+@)*",  # who is named in an address
        r"\b[0-9a-fA-F]{64}\b",  # a SHA-256, as the hash of a password is one
    )
)


_TELLING_KEY: Final = re.compile(r"(?i)token|passw|pass_?hash|passphrase|secret|authori[sz]ation|cookie|api_?key")
"""Names of members whose values are secrets, whatever they look like."""


class Secrets:
    """The secrets that a client holds at the moment; knows how to blot them out, never shows them."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Secrets({len(self._known)} held)"

    def __reduce__(self) -> Any:
        raise TypeError("secrets are not pickled")

    def hold(self, secret: str) -> None:
        """Remember a secret; the last 64 are known."""
        with self._lock:
            self._known.pop(secret, None)
            self._known[secret] = None
            while len(self._known) > 64:
                del self._known[next(iter(self._known))]

    def _spellings(self) -> list[str]:
        """Return what is to be blotted out, the longest first."""
        with self._lock:
            known = list(self._known)
        # The signature of a token makes one of the parts that are no secret.
        known += [secret.rpartition(".")[2] for secret in known if secret.count(".") == 2]
        known += [quote(secret, safe="") for secret in known]
        return sorted({one for one in known if len(one) >= _SHORTEST}, key=len, reverse=True)

    def scrub(self, text: str) -> str:
        """Return a text without the secrets held and without anything that looks like one."""
        text = self.scrub_held(text)
        for pattern in _PATTERNS:
            text = pattern.sub(BLOT, text)
        return text

    def are_in(self, body: bytes) -> bool:
        """Tell whether bytes hold one of the secrets, also as JSON spells it with escapes."""
        plain = [spelling.encode() for spelling in self._spellings()]
        escaped = [one.replace(b"/", b"\\/") for one in plain if b"/" in one]
        return any(one in body for one in (*plain, *escaped))

    def scrub_held(self, text: str) -> str:
        """Return a text without the secrets held; for what must stay as it came otherwise."""
        for secret in self._spellings():
            text = text.replace(secret, BLOT)
        return text

    def scrub_beginning(self, text: str, length: int) -> str:
        """Return the beginning of a text, scrubbed, without half a secret where it was cut."""
        if len(text) <= length:
            return self.scrub(text)
        cut = self.scrub_held(text[:length])
        for secret in self._spellings():
            # Whole ones are gone, so what is left of one at the end is shorter.
            parts = (secret[:size] for size in range(len(secret) - 1, _SHORTEST_PART - 1, -1))
            part = next((part for part in parts if cut.endswith(part)), "")
            cut = cut.removesuffix(part)
        return self.scrub(cut)

    def scrub_tree(self, value: Any, *, depth: int = 0) -> Any:
        """Return JSON with every string in it scrubbed; what lies deeper than 20 levels is left out."""
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, dict | list) and depth > 20:
            return BLOT
        if isinstance(value, dict):
            return {
                self.scrub(str(key)): BLOT if _TELLING_KEY.search(str(key)) else self.scrub_tree(item, depth=depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.scrub_tree(item, depth=depth + 1) for item in value]
        # A token of digits alone comes back as a number.
        is_secret = not isinstance(value, bool) and self.scrub_held(str(value)) != str(value)
        return BLOT if is_secret else value


def without_frames(error: HematoError) -> HematoError:
    """Return an error without the frames and errors below it: their variables hold tags, answers, names and tokens."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def bare(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function that is handed secrets fail without showing them in the frames of its error."""

    @functools.wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except HematoError as error:
            failure = without_frames(error)
        finally:
            del arguments, options
        raise failure

    return call
