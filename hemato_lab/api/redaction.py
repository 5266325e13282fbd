"""Blotting out of secrets in words that come from elsewhere, before they reach an error or a log."""

from __future__ import annotations

import re
import threading
from typing import Any, Final

BLOT: Final = "[redacted]"
_SHORTEST: Final = 6
"""Characters; shorter secrets would blot out half of a text."""
_PATTERNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
        r"eyJ[\w-]{4,}(?:\.[\w-]*){0,4}",  # a JSON Web Token, whole or cut short
        r"(?i)\bbearer\s+[^\s\"',;]+",
        r"(?i)\b(?:x-amz-[a-z-]+|x-goog-[a-z-]+|sig|signature|se|sp|sv|token|access_token|awsaccesskeyid|expires|key-pair-id|policy)=[^\s\"'&#]+",
        r"(?i)\b[a-z][a-z0-9+.-]*://[^\s\"'/]*:[^\s\"'/]*@",  # a user name and password in an address
        r"\b[0-9a-fA-F]{64}\b",  # a SHA-256, as the hash of a password is one
    )
)


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

    def scrub(self, text: str) -> str:
        """Return a text without the secrets held and without anything that looks like one."""
        with self._lock:
            known = sorted((one for one in self._known if len(one) >= _SHORTEST), key=len, reverse=True)
        for secret in known:
            text = text.replace(secret, BLOT)
        for pattern in _PATTERNS:
            text = pattern.sub(BLOT, text)
        return text

    def scrub_tree(self, value: Any, *, depth: int = 0) -> Any:
        """Return JSON with every string in it scrubbed; what lies deeper than 20 levels is left out."""
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, dict | list) and depth > 20:
            return BLOT
        if isinstance(value, dict):
            return {self.scrub(str(key)): self.scrub_tree(item, depth=depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.scrub_tree(item, depth=depth + 1) for item in value]
        return value
