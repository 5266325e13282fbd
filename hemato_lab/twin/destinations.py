"""The parts of an address on the web, in the one spelling that nobody reads differently.

Programs disagree about ``http://127.1``, ``http://①②⑦.0.0.1``, and about what a backslash or a second ``@`` before the
path means. What two of them could take for two hosts is refused here, before any name is looked up.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from hemato_lab.errors import InsecureAddressError

LONGEST: Final = 8_000
"""Characters of an address; presigned ones with a session's token have two thousand."""
_PORTS: Final = {"http": 80, "https": 443}
_PRINTED: Final = re.compile(r"[!-\[\]-~]+")
_PLACE: Final = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^\[\]:@%]+)(?::[0-9]{1,5})?")
_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
_NUMBER: Final = re.compile("[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes.

    Attributes
    ----------
    scheme : str
        ``http`` or ``https``.
    host : str
        A name in lower case, or an IP address without brackets.
    target : str
        Path and query; may hold a signature.
    """

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @property
    def authority(self) -> str:
        """The host as a request names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """What may be said of it in messages and logs."""
        return f"{self.scheme}://[{self.host}]" if ":" in self.host else f"{self.scheme}://{self.host}"


def destination(url: str) -> Destination:
    """Return the parts of an address; a fragment is left out.

    Raises
    ------
    InsecureAddressError
        If it is none of http or https, names a user, or could be read in two ways. It is not repeated.
    """
    found = _read(url)
    if isinstance(found, Destination):
        return found
    raise InsecureAddressError(found, subject="an address", hint="give https://host/path")


def shown(url: str) -> str:
    """Return what may be said of an address in messages and logs: scheme and host, for it may be signed."""
    found = _read(url)
    return found.shown if isinstance(found, Destination) else "an address"


def _read(url: object) -> Destination | str:
    """Return the parts of an address, or what is wrong with it."""
    unusable = "the address is none of http or https"
    if not isinstance(url, str) or len(url) > LONGEST or not _PRINTED.fullmatch(url):
        return unusable
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return unusable
    if parts.scheme not in _PORTS:
        return unusable
    if "@" in parts.netloc:
        return "the address holds a user name"
    if port == 0 or not _PLACE.fullmatch(parts.netloc) or not _is_host(host, bracketed="[" in parts.netloc):
        return "the host or port of the address cannot be one"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, host, port or _PORTS[parts.scheme], target)


def _is_host(host: str, *, bracketed: bool) -> bool:
    """Tell whether this is a name or an IP address; 127.1, 0x7f.1 and 2130706433 are neither (RELIABILITY.md)."""
    try:
        return (ipaddress.ip_address(host).version == 6) == bracketed
    except ValueError:
        return not bracketed and bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(host.rpartition(".")[2])
