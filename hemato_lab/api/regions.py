"""Where the service is, and what an address must be like (vendor's document, "Endpoints"; api/DECISIONS.md row 27)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from hemato_lab.errors import InsecureAddressError, RegionError

REGIONS: Final[dict[str, str]] = {
    "dev": "for development and testing purposes",
    "qa": "for external quality assurance and external automated testing",
    "us": "production, for customers in the United States",
    "ca": "production, for customers in Canada",
    "eu": "production, for customers in the European Union",
}
"""Regions of the document and whom they are for."""
DEMO_REGIONS: Final[dict[str, str]] = {"in": "demonstration, later material of the vendor only"}
"""Regions that only the later dialect knows (api/DECISIONS.md section 5)."""
_PRINTED: Final = re.compile("[!-~]{1,2000}")
_NAME: Final = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?")
UNPROTECTED: Final = frozenset({"dev", "qa", "in"})
"""Regions where no privacy law protects what is sent; ``in`` makes no promise, so the same is said of it."""
UNPROTECTED_NOTICE: Final = (
    "is not HIPAA compliant: nothing sent there is protected by privacy laws, and staff of the vendor may inspect it. "
    "Send no data of patients."
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of the service.

    Attributes
    ----------
    region : str
        Empty for an address of the user's own.
    base_url : str
        Without a slash at its end.
    """

    region: str
    base_url: str

    @property
    def audience(self) -> str:
        """The host, as a token's ``aud`` has to name it (api/DECISIONS.md row 8)."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether it is this machine."""
        return is_loopback(self.audience)

    @property
    def notice(self) -> str:
        """What must be said before anything is sent there; empty for production and for this machine."""
        if self.region not in UNPROTECTED or self.is_local:
            return ""
        return f"{self.audience} {UNPROTECTED_NOTICE}"

    @property
    def label(self) -> str:
        """For people."""
        return self.region if self.region and not self.is_local else self.base_url


def endpoint(region: str | None, base_url: str | None = None, *, demo: bool = False) -> Endpoint:
    """Return the address of a region, or a checked address of the user's own.

    Parameters
    ----------
    region : str or None
        One of `REGIONS`. There is no default: data sent to the wrong region cannot be called back.
    base_url : str or None
        In the place of the region's own address, as for a twin.
    demo : bool
        Whether the regions of the later dialect count too.

    Raises
    ------
    RegionError
        If neither is given, or the region is none.
    InsecureAddressError
        If the address is plain http beyond this machine, or no address (api/DECISIONS.md row 27).
    """
    known = REGIONS | DEMO_REGIONS if demo else REGIONS
    listed = ", ".join(f"{name} ({purpose})" for name, purpose in known.items())
    if region is not None and region not in known:
        raise RegionError("is no region", subject=repr(region)[:40], hint=f"one of {listed}")
    try:
        if base_url is not None:
            return Endpoint(region or "", checked_address(base_url))
    finally:
        del base_url
    if region is None:
        raise RegionError("no region is named, and there is no default", hint=f"one of {listed}")
    return Endpoint(region, f"https://{region}.api.hemato.ai")


def checked_address(address: str) -> str:
    """Return an address without the slash at its end, once it is sure that it may be used.

    Raises
    ------
    InsecureAddressError
        If it is not https (plain http is for loopback alone), holds a user, query or fragment, or cannot be read.
    """
    try:
        problem = _problem(address)
        if not problem:
            return address.rstrip("/")
    finally:
        del address  # it may hold a password, and a traceback may show the variables of this frame
    raise InsecureAddressError(
        problem, subject="the service's address", hint="give https://host or https://host:port"
    )


def _problem(address: object) -> str:
    """Return what is wrong with an address, in words without any part of it; nothing for a good one."""
    if not isinstance(address, str) or not _PRINTED.fullmatch(address):
        return "the address is none of http or https"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "the address cannot be read"
    if parts.scheme not in {"http", "https"} or not host:
        return "the address is none of http or https"
    # Empty ones too: what is put after a lone question mark would be no path.
    if "@" in parts.netloc or re.search(r"[?#\\]", address):
        return "the address holds a user name, a query or a fragment"
    if not _is_host(host) or port == 0 or parts.netloc.endswith(":"):
        return "the host or port of the address cannot be one"
    if parts.scheme == "http" and not is_loopback(host):
        return "plain http is refused beyond this machine: anybody on the way could read it"
    return ""


def _is_host(host: str) -> bool:
    """Tell whether this is a name or an IP address, spelled in the one way that nobody reads differently."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        # The system takes 127.1, 0x7f.1 and 2130706433 for addresses of this machine (RELIABILITY.md).
        return _NAME.fullmatch(host) is not None and re.fullmatch(r"\d+|0x[0-9a-f]*", last) is None
    return "%" not in host


def is_loopback(host: str) -> bool:
    """Tell whether a host name or number is this machine; names other than ``localhost`` are not looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
