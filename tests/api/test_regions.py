"""Where the service is, and which addresses are refused before anything is sent to them."""

from __future__ import annotations

import pytest

from hemato_lab.api import REGIONS, AsyncClient, Client
from hemato_lab.api.regions import checked_address, endpoint, is_loopback
from hemato_lab.errors import InsecureAddressError, RegionError, SecurityError

# The table "Endpoints" of the vendor's document.
TABLE = {
    "dev": "https://dev.api.hemato.ai",
    "qa": "https://qa.api.hemato.ai",
    "us": "https://us.api.hemato.ai",
    "ca": "https://ca.api.hemato.ai",
    "eu": "https://eu.api.hemato.ai",
}
GOOD = {
    "https://lab.example": "lab.example",
    "https://lab.example/": "lab.example",
    "https://lab.example:8443": "lab.example",
    "https://lab.example/prefix/": "lab.example",
    "HTTPS://Lab.Example": "lab.example",
    "https://lab_twin": "lab_twin",
    "https://xn--bcher-kva.example": "xn--bcher-kva.example",
    "https://10.0.0.7": "10.0.0.7",
    "https://[2001:db8::7]:8443": "2001:db8::7",
    "http://localhost": "localhost",
    "http://LOCALHOST:8000": "localhost",
    "http://127.0.0.1:8000": "127.0.0.1",
    "http://127.8.9.10": "127.8.9.10",
    "http://[::1]": "::1",
    "http://[::1]:8000": "::1",
    "http://[0:0:0:0:0:0:0:1]": "0:0:0:0:0:0:0:1",
}
BAD = [
    # no address at all
    "",
    " ",
    "/",
    "//lab.example",
    "lab.example",
    "eu.api.hemato.ai",
    "localhost:8000",
    "https:",
    "https://",
    "https:///pbs",
    "https:/lab.example",
    "https:lab.example",
    "https://:443",
    # other schemes
    "ftp://lab.example",
    "file:///etc/hosts",
    "ws://localhost",
    "http+unix://localhost",
    "javascript:alert(1)",
    # plain http beyond this machine
    "http://lab.example",
    "http://eu.api.hemato.ai",
    "http://10.0.0.7",
    "http://0.0.0.0",
    "http://[::]",
    "http://[2001:db8::7]",
    "http://128.0.0.1",
    "http://localhost.lab.example",
    "http://127.0.0.1.lab.example",
    "http://notlocalhost",
    # what the system takes for this machine and `ipaddress` does not
    "http://127.1",
    "http://2130706433",
    "http://0x7f.1",
    "http://0x7f000001",
    "http://0177.0.0.1",
    "http://0",
    "https://127.1",
    "https://2130706433",
    "https://lab.0x7f",
    "https://256.1.1.1",
    # somebody's name, and what a parser may take for it
    "https://user:word@lab.example",
    "https://user@lab.example",
    "https://@lab.example",
    "https://:@lab.example",
    "http://127.0.0.1@lab.example",
    "http://lab.example@127.0.0.1",
    "http://lab.example#@127.0.0.1",
    "http://lab.example?@127.0.0.1",
    "http://lab.example\\@127.0.0.1",
    "http://[::1]@lab.example",
    "http://[::1].lab.example",
    "http://[::1]lab.example",
    "https://[lab.example]",
    "https://[::1",
    # a query or a fragment, empty ones too
    "https://lab.example?key=7",
    "https://lab.example#here",
    "https://lab.example?",
    "https://lab.example/#",
    "https://lab.example\\pbs",
    "https://lab.example/a\\b",
    # ports
    "https://lab.example:",
    "https://lab.example:0",
    "https://lab.example:65536",
    "https://lab.example:-1",
    "https://lab.example:https",
    "https://lab.example:４４３",
    # hosts
    "https://bücher.example",
    "https://lab。example",
    "https://ⓛocalhost",
    "http://１２７.0.0.1",
    "https://ex%61mple.com",
    "https://lab..example",
    "https://.lab.example",
    "https://-lab.example",
    "https://lab-.example",
    "https://lab!.example",
    "https://lab,example",
    f"https://{'a' * 64}.example",
    f"https://{'a.' * 130}example",
    "https://[::1%25eth0]",
    "http://[::1%eth0]",
    # white space and control characters
    " https://lab.example",
    "https://lab.example ",
    "https://lab example",
    "https://lab.example\n",
    "https://lab\t.example",
    "https://lab.example/\r\nHost: elsewhere",
    "\x00https://lab.example",
    "https://lab.example/\x00",
    "https://lab.example/\x7f",
    "https://lab.example/" + "a" * 3000,
]


def test_the_regions_are_those_of_the_document() -> None:
    assert {region: endpoint(region).base_url for region in REGIONS} == TABLE


@pytest.mark.parametrize(("region", "url"), TABLE.items())
def test_each_region(region: str, url: str) -> None:
    found = endpoint(region)
    assert (found.base_url, found.audience, found.label) == (url, f"{region}.api.hemato.ai", region)
    assert not found.is_local
    unprotected = region in {"dev", "qa"}
    assert ("is not HIPAA compliant" in found.notice) == unprotected
    assert found.notice.startswith(f"{region}.api.hemato.ai ") == unprotected


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_there_is_no_default(kind: type[Client | AsyncClient]) -> None:
    with pytest.raises(RegionError, match="no region is named, and there is no default") as refused:
        kind()
    assert refused.value.hint == f"one of {', '.join(TABLE)}"


@pytest.mark.parametrize("region", ["", "EU", "us ", "api", "de", "in", "us.api.hemato.ai", "https://us.api.hemato.ai"])
def test_no_region(region: str) -> None:
    with pytest.raises(RegionError, match="is no region"):
        endpoint(region)
    with pytest.raises(RegionError, match="is no region"):  # also beside an address of one's own
        endpoint(region, "https://lab.example")


def test_the_region_of_the_later_dialect() -> None:
    found = endpoint("in", demo=True)
    assert found.base_url == "https://in.api.hemato.ai"
    assert "is not HIPAA compliant" in found.notice


@pytest.mark.parametrize(("address", "host"), GOOD.items())
def test_good_addresses(address: str, host: str) -> None:
    found = endpoint(None, address)
    assert found.base_url == checked_address(address) == address.rstrip("/").lower()
    assert found.audience == host
    assert found.notice == ""
    assert found.label == found.base_url
    assert found.is_local == (not host.startswith(("lab", "xn", "10.", "2001")))


def test_an_address_of_a_region_keeps_its_notice_beyond_this_machine_only() -> None:
    assert "is not HIPAA compliant" in endpoint("dev", "https://lab.example").notice
    assert endpoint("dev", "http://127.0.0.1:8000").notice == ""
    assert endpoint("us", "https://lab.example").notice == ""


def test_there_are_many_bad_addresses() -> None:
    assert len(BAD) == len(set(BAD)) >= 40


@pytest.mark.parametrize("address", BAD, ids=range(len(BAD)))
def test_bad_addresses(address: str) -> None:
    with pytest.raises(InsecureAddressError) as refused:
        endpoint("eu", address)
    assert isinstance(refused.value, SecurityError)
    assert "https://host" in refused.value.hint
    assert "word" not in str(refused.value), "what may be a password is not repeated"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://lab.example/pbs", "plain http to lab.example is refused"),
        ("https://user:word@lab.example", "holds a user name"),
        ("https://lab.example:0", "host or port"),
        ("lab.example", "none of http or https"),
    ],
)
def test_the_reason_is_told(address: str, words: str) -> None:
    with pytest.raises(InsecureAddressError, match=words):
        checked_address(address)


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.255.255.254", "::1", "[::1]", "0::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.1",
        "0",
        "::",
        "::2",
        "128.0.0.1",
        "10.0.0.1",
        "169.254.1.1",
        "localhost.",
        "localhost.lab.example",
        "lab",
    ],
)
def test_other_machines(host: str) -> None:
    assert not is_loopback(host)
