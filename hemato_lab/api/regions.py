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
_VENDOR: Final = ".api.hemato.ai"
_PRINTED: Final = re.compile("[!-~]{1,2000}")
_PLACE: Final = re.compile(r"(?:\[[^\[\]]+\]|[^\[\]:]+)(?::[0-9]+)?")
_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")
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
        If neither is given, the region is none, or the address is one of another region's.
    InsecureAddressError
        If the address is plain http beyond this machine, or no address (api/DECISIONS.md row 27).
    """
    known = REGIONS | DEMO_REGIONS if demo else REGIONS
    listed = ", ".join(known)
    if region is not None and region not in known:
        hint = f"one of {listed}; another address goes to base_url or --base-url"
        raise RegionError("is no region", subject=repr(region)[:40], hint=hint)
    try:
        if base_url is not None:
            address = checked_address(base_url)
            return Endpoint(_region_of(address, region), address)
    finally:
        del base_url
    if region is None:
        raise RegionError("no region is named, and there is no default", hint=f"one of {listed}")
    return Endpoint(region, f"https://{region}.api.hemato.ai")


def _region_of(address: str, region: str | None) -> str:
    """Return the region of an address: the vendor's own hosts say it themselves, others have the one that is given."""
    host = urlsplit(address).hostname or ""
    found = host.removesuffix(_VENDOR) if host.endswith(_VENDOR) else None
    if region is not None and found is not None and region != found:
        raise RegionError(f"is not the region of {host}", subject=region, hint="name the one that is meant")
    return region or found or ""


def checked_address(address: str) -> str:
    """Return an address in its one spelling, without a slash at its end, once it is sure that it may be used.

    Raises
    ------
    InsecureAddressError
        If it is not https (plain http is for loopback alone), holds a user, query or fragment, or cannot be read.
    """
    try:
        problem = _problem(address)
        if not problem:
            return _spelled(address)
    finally:
        del address  # it may hold a password, and a traceback may show the variables of this frame
    raise InsecureAddressError(problem, hint="give https://host or https://host:port")


def _spelled(address: str) -> str:
    """Return the one spelling of an address: the same service must not have two names in the journal."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    place = f"[{host}]" if ":" in host else host
    usual = parts.port in {None, {"http": 80, "https": 443}[parts.scheme]}
    return f"{parts.scheme}://{place}{'' if usual else f':{parts.port}'}{parts.path.rstrip('/')}"


def _problem(address: str) -> str:
    """Return what is wrong with an address, nothing for a good one; no part of it but a host is repeated."""
    try:
        parts = urlsplit(address)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except (ValueError, AttributeError, TypeError):
        host = ""
    if not host or scheme not in {"http", "https"} or not _PRINTED.fullmatch(address):
        return "the address is none of http or https"
    # Empty ones too: what is put after a lone question mark would be no path.
    if "@" in parts.netloc or re.search(r"[?#\\]", address):
        return "the address holds a user name, a query or a fragment"
    if not _is_host(host) or port == 0 or not _PLACE.fullmatch(parts.netloc):
        return "the host or port of the address cannot be one"
    if scheme == "http" and not is_loopback(host):
        return f"plain http to {host} is refused: beyond this machine anybody on the way could read it"
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
