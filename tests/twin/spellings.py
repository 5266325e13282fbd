"""Addresses of web pages that lead to machines that must not be reached, spelled in every way that some program reads.

All are for port `port`, where the spelling leaves room for one.
"""

# ruff: noqa: S104 (nothing is bound)

from __future__ import annotations

from ipaddress import IPv4Address
from urllib.parse import quote

BLOCKED_V4 = [
    "127.0.0.1",
    "127.0.0.53",
    "127.1.2.3",
    "127.255.255.254",
    "0.0.0.0",
    "0.0.0.1",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
]
CARRIED = ["127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.0.1", "0.0.0.0", "100.64.0.1", "224.0.0.1"]
BLOCKED_V6 = [
    "::",
    "::1",
    "::2",
    "0:0:0:0:0:0:0:1",
    "0000:0000:0000:0000:0000:0000:0000:0001",
    "0::1",
    "::0001",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "febf::1",
    "fec0::1",
    "ff01::1",
    "ff02::1",
    "ff05::2",
    "ff0e::1",
    "4000::1",
    "8000::1",
]
SCOPED = ["[fe80::1%eth0]", "[fe80::1%25eth0]", "[fe80::1%1]", "[::1%lo]", "[::1%25lo]", "[::1%251]", "[2a00::1%251]"]
NAMES = [
    "localhost",
    "LOCALHOST",
    "LocalHost",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "metadata",
    "metadata.google.internal",
    "127.0.0.1.nip.io",
    "7f000001.nip.io",
    "localtest.me",
    "127-0-0-1.sslip.io",
    "spoofed.example",
    "kubernetes.default.svc",
    "broadcasthost",
]
CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
BOLD = str.maketrans("0123456789", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def numbers(address: str) -> list[str]:
    """Return an IPv4 address as whole numbers, octal, hexadecimal, shortened and mixed, as `inet_aton` reads it."""
    one, two, three, four = (int(part) for part in address.split("."))
    whole, last24, last16 = int(IPv4Address(address)), two << 16 | three << 8 | four, three << 8 | four
    return [
        str(whole),
        hex(whole),
        f"0X{whole:08X}",
        f"0{whole:o}",
        f"000{whole:o}",
        f"{one}.{last24}",
        f"{one}.{two}.{last16}",
        f"{one:#x}.{two:#x}.{three:#x}.{four:#x}",
        f"0{one:o}.0{two:o}.0{three:o}.0{four:o}",
        f"{one:#x}.{last24}",
        f"0{one:o}.{two}.{last16:#x}",
        f"{one:03d}.{two:03d}.{three:03d}.{four:03d}",
        f"{one}.{two}.{three}.{four:#06x}",
        f"0x00000000{one:x}.{two}.{three}.{four}",
    ]


def disguises(address: str) -> list[str]:
    """Return an IPv4 address in signs that are turned into digits and dots, or away, by some program."""
    return [
        address.translate(CIRCLED),
        address.translate(WIDE),
        address.translate(BOLD),
        address.translate(ARABIC),
        address.replace(".", "。"),
        address.replace(".", "．"),
        address.replace(".", "｡"),
        address.replace(".", "%2e"),
        quote(address[0]).replace(address[0], f"%3{address[0]}") + address[1:],
        address + ".",
        address + "..",
        address + "%00",
        address + "%20",
        address.replace(".", ".\t", 1),
        address.replace(".", ".\n", 1),
        address.replace(".", "\u00ad.", 1),
        address.replace(".", "\u200b.", 1),
        " " + address,
        f"[{address}]",
    ]


def carriers(address: str) -> list[str]:
    """Return IPv6 addresses that carry one of IPv4."""
    number = int(IPv4Address(address))
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    return [
        f"[::ffff:{address}]",
        f"[::ffff:{high}:{low}]",
        f"[0:0:0:0:0:FFFF:{high}:{low}]",
        f"[::{address}]",
        f"[::ffff:0:{address}]",
        f"[64:ff9b::{address}]",
        f"[64:ff9b::{high}:{low}]",
        f"[64:ff9b:1::{high}:{low}]",
        f"[2002:{high}:{low}::]",
        f"[2002:{high}:{low}::1]",
        f"[2001:0:{high}:{low}::1]",
        f"[2001:0:808:808:0:0:{number >> 16 ^ 0xFFFF:x}:{number & 0xFFFF ^ 0xFFFF:x}]",
        f"[2a00::5efe:{address}]",
        f"[2a00::200:5efe:{high}:{low}]",
    ]


def readings(host: str, port: int) -> list[str]:
    """Return addresses whose host is another for different programs."""
    return [
        f"http://public.example@{host}:{port}/",
        f"http://public.example:80@{host}:{port}/",
        f"http://public.example%40{host}:{port}/",
        f"http://{host}:{port}@public.example/",
        f"http://@{host}:{port}/",
        f"http://:@{host}:{port}/",
        f"http://public.example@@{host}:{port}/",
        f"http://{host}:{port}\\@public.example/",
        f"http://public.example\\@{host}:{port}/",
        f"http://public.example#@{host}:{port}\\",
        f"http://public.example:80:{port}@{host}/",
        f"http://{host}:{port}%23@public.example/",
        f"http:\\\\{host}:{port}\\",
        f"http:/{host}:{port}/",
        f"http:{host}:{port}/",
        f"http:///{host}:{port}/",
        f"//{host}:{port}/",
        f"http://{host}:{port}0000/",
        f"http://{host}:+{port}/",
        f"http://{host}:{port}:{port}/",
        f"http://{host}: {port}/",
        f"\x00http://{host}:{port}/",
        f" http://{host}:{port}/",
        f"ht\ntp://{host}:{port}/",
        f"http://{host}\r\nHost: public.example:{port}/",
        f"url:http://{host}:{port}/",
        f"ftp://{host}:{port}/",
        f"gopher://{host}:{port}/_GET",
        f"file://{host}:{port}/etc/passwd",
        f"ws://{host}:{port}/",
        f"jar:http://{host}:{port}!/",
        f"unix://{host}:{port}/var/run/docker.sock",
    ]


def spellings(port: int) -> list[str]:
    """Return each address once: http and https for the plain hosts, http for the others, as both are judged alike."""
    plain = [*BLOCKED_V4, *(f"[{address}]" for address in BLOCKED_V6), *NAMES]
    odd = [*SCOPED]
    for address in ("127.0.0.1", "169.254.169.254", "10.0.0.1"):
        odd += numbers(address)
    odd += ["127.1", "127.0.1", "0", "0.0", "00", "0x0", "0x7f.1", "017700000001", "4294967295", "-1", "1", "256.0.0.1"]
    odd += [
        "127.0.0.1.0",
        "0x7f.0x1",
        "127.0.0.0x1",
        "0177.1",
        "0xa9fea9fe",
        "169.16689662",
        "[0x7f.1]",
        "[1]",
        "[]",
        "",
    ]
    for address in ("127.0.0.1", "169.254.169.254"):
        odd += disguises(address)
    for address in CARRIED:
        plain += carriers(address)
    urls = [f"{scheme}://{host}:{port}/latest/meta-data/" for host in plain for scheme in ("http", "https")]
    urls += [f"http://{host}:{port}/" for host in odd]
    for host in ("127.0.0.1", "[::1]"):
        urls += readings(host, port)
    return list(dict.fromkeys(urls))
