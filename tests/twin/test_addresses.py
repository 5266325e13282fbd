from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.twin.addresses import is_public, unmapped

# Copied from IANA's registries of special-purpose addresses; the last ones are of multicast and of one provider.
SPECIAL = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::1/128",
    "::/128",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:2::/48",
    "2001:10::/28",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "224.0.0.0/4",
    "168.63.129.16/32",
]


@pytest.mark.parametrize("network", SPECIAL)
def test_special_addresses_are_not_public(network: str) -> None:
    block = ip_network(network)
    for address in {block[0], block[-1], block[block.num_addresses // 2]}:
        assert not is_public(address), address


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "1.0.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "2001:200::",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "2001:db7:ffff::1",
        "2001:db9::1",
        "2003::1",
        "3ffe:ffff::1",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
        "2a00::5efe:808:808",
        "2a00::200:5efe:808:808",
    ],
)
def test_their_neighbours_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::",
        "::127.0.0.1",
        "::8.8.8.8",
        "::2",
        "::ffff:0:127.0.0.1",
        "::ffff:0:8.8.8.8",
        "64:ff9b:1::808:808",
        "2002:7f00:1::",
        "2002:808:808::",
        "2001:0:808:808::1",
        "2a00::5efe:7f00:1",
        "2a00::5efe:a00:1",
        "2a00::200:5efe:a9fe:a9fe",
        "fec0::1",
        "fe80::1",
        "fe80::1%1",
        "2a00::1%1",
        "fd00:ec2::254",
        "ff02::1",
        "4000::1",
        "1000::1",
    ],
)
def test_what_leads_elsewhere_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@given(st.one_of(st.ip_addresses(v=4), *(st.ip_addresses(network=network) for network in SPECIAL)))
def test_whatever_is_public_the_standard_library_finds_global_too(address: ipaddress.IPv4Address) -> None:
    assert address.is_global or not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_carried_by_another_is_judged_as_itself(address: IPv4Address) -> None:
    number = int(address)
    assert is_public(IPv6Address((0xFFFF << 32) + number)) == is_public(address)
    assert is_public(IPv6Address((0x64FF9B << 96) + number)) == is_public(address)
    assert is_public(IPv6Address((0x2A00 << 112) + (0x5EFE << 32) + number)) == is_public(address)


def test_one_address_has_one_spelling() -> None:
    assert unmapped(ip_address("::ffff:127.0.0.1")) == ip_address("127.0.0.1")
    for other in ("127.0.0.1", "::1", "::127.0.0.1", "64:ff9b::7f00:1"):
        assert unmapped(ip_address(other)) == ip_address(other)
