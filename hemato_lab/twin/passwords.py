"""Passwords at rest: scrypt (RFC 7914) of the hex SHA-256 that the API's login sends in a password's place.

What is sent is as good as the password to who reads it, so it is stored no more than the password would be.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

from hemato_lab.errors import ConfigError

_COST: Final = (2**14, 8, 1)
"""n, r and p of scrypt: 16 MiB and some 60 ms a try."""
_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_MOST_MEMORY: Final = 64 << 20
_STORED: Final = re.compile(r"scrypt\$([0-9]{1,8})\$([0-9]{1,3})\$([0-9]{1,3})\$([A-Za-z0-9+/]+=*)\$([A-Za-z0-9+/]+=*)")
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look like another one in some typeface."""
_GROUPS: Final = 4
_GROUP_LENGTH: Final = 4


def hashed(pass_hash: str) -> str:
    """Return what to store for a password.

    Parameters
    ----------
    pass_hash : str
        SHA-256 of the password in hex.

    Returns
    -------
    str
        ``scrypt$n$r$p$salt$digest``, the last two in base64; with a new salt each time.
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    texts = (base64.b64encode(each).decode("ascii") for each in (salt, _digest(pass_hash, salt, _COST)))
    return "$".join(["scrypt", *map(str, _COST), *texts])


def matches(pass_hash: str, stored: str | None) -> bool:
    """Tell whether a password is the one stored, in a time that tells nothing.

    Parameters
    ----------
    pass_hash : str
        SHA-256 of the password in hex.
    stored : str or None
        What `hashed` returned; None where there is no user or no password: the same work is done, and the answer is no.

    Raises
    ------
    ConfigError
        If what is stored was not made by `hashed`.
    """
    if stored is None:
        _digest(pass_hash, bytes(_SALT_BYTES), _COST)
        return False
    cost, salt, digest = _parsed(stored)
    return hmac.compare_digest(_digest(pass_hash, salt, cost), digest)


def one_time_password() -> str:
    """Return a new password for people to type: four groups of four letters and digits, 79 bits by chance."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def _digest(pass_hash: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    n, r, p = cost
    written = pass_hash.lower().encode("utf-8", "surrogatepass")
    return hashlib.scrypt(written, salt=salt, n=n, r=r, p=p, dklen=_DIGEST_BYTES, maxmem=_MOST_MEMORY)


def _parsed(stored: str) -> tuple[tuple[int, int, int], bytes, bytes]:
    found = _STORED.fullmatch(stored)
    if found is None:
        raise ConfigError("a stored password cannot be read", hint="give the user a new one")
    salt, digest = (base64.b64decode(found[place]) for place in (4, 5))
    return (int(found[1]), int(found[2]), int(found[3])), salt, digest
