"""Which IP addresses may be connected to on behalf of others: those of the public internet.

The standard library's ``is_global`` takes addresses for public that lead elsewhere (RELIABILITY.md): multicast, the
old site-local ones, and IPv6 addresses that carry one of IPv4. Here IPv6 is public where unicast is handed out and
nowhere else, and what an address carries is judged too.

Sources: IANA's IPv4 and IPv6 Special-Purpose Address Registries, as RFC 6890 set them up; RFC 4291 and 4007 (IPv6),
6052 and 8215 (translation to IPv4), 3056, 4380 and 5214 (tunnels), 7526 (the end of 6to4).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL_V4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network; the system takes 0 for itself
            "10.0.0.0/8",
            "100.64.0.0/10",  # behind a provider's translation
            "127.0.0.0/8",
            "168.63.129.16/32",  # public by its number, but every machine of one provider has its host's services there
            "169.254.0.0/16",  # link-local; services that hand out a machine's credentials
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",  # with broadcast
        ),
    )
)
_UNICAST_V6: Final = IPv6Network("2000::/3")
_SPECIAL_V6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols, among them the tunnels of Teredo
            "2001:db8::/32",
            "2002::/16",  # tunnels of 6to4: no service is there any more
            "3fff::/20",
        ),
    )
)
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
_TUNNEL_IN_SITE: Final = 0x5EFE
_UNIVERSAL_BIT: Final = 0x0200_0000
_LAST_32: Final = 0xFFFF_FFFF


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet, and so is every address that it carries."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    if address.scope_id is not None:
        return False
    carried = _carried(address)
    if carried is not None and not is_public(carried):
        return False
    if address.ipv4_mapped is not None or address in _TRANSLATED:
        return True
    return address in _UNICAST_V6 and not any(address in network for network in _SPECIAL_V6)


def unmapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address is another spelling of, any other address as it is."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to an IPv6 address may end at."""
    number = int(address)
    last = IPv4Address(number & _LAST_32)
    in_site = (number >> 32 & _LAST_32) & ~_UNIVERSAL_BIT == _TUNNEL_IN_SITE
    return last if in_site or address in _TRANSLATED else address.ipv4_mapped
