"""Nothing reaches what it must not, however it is spelled, whenever a name changes its mind, wherever a redirect leads.

What is blocked listens, and must see no connection. Names that are not in a test's table lead to this machine, and what
the system's own look-up would make of a number, the table's does: only the guard stands between.
"""

# ruff: noqa: S104 (nothing is bound)

from __future__ import annotations

import contextlib
import socket
import ssl
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.errors import (
    BlockedAddressError,
    ConnectionFailedError,
    DeadlineError,
    HematoError,
    InsecureAddressError,
    RedirectRefusedError,
    SecurityError,
)
from hemato_lab.twin.fetching import Fetcher, FetchRules
from tests.api.test_tls import certificate, server_context
from tests.twin.spellings import BLOCKED_V4, BLOCKED_V6, spellings
from tests.twin.tripwires import Tripwires
from tests.twin.web import HOST, NAME, Names, Web, always, moved, ok

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
WEB_ALONE = (ip_network(f"{HOST}/32"),)
PUBLIC = ("93.184.216.34", "2606:2800:220:1::1", "1.1.1.1")
IMAGE = b"an image"


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tripwires]:
    with Tripwires(monkeypatch) as wires:
        yield wires


class Gullible(Names):
    """Leads every name that it does not know to this machine, and reads numbers as `inet_aton` does."""

    def __call__(self, host: str, port: int, **options: Any) -> list[tuple[Any, ...]]:
        with contextlib.suppress(OSError, UnicodeError):
            self._table[host] = [[socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))]]
        return super().__call__(host, port, **options)


def gullible(**table: list[list[str]]) -> Gullible:
    return Gullible(table, default=["127.0.0.1"])


def rules(**changes: Any) -> FetchRules:
    return FetchRules(**({"allowed": WEB_ALONE, "tls": TLS, "allow_http": True} | changes))


def refused(fetcher: Fetcher, url: str) -> list[HematoError]:
    """Return the errors of a download and of a call."""
    errors = []
    with pytest.raises(HematoError) as caught:
        fetcher.download(url, print, most_bytes=100)
    errors.append(caught.value)
    with pytest.raises(HematoError) as caught:
        fetcher.post(url, b"{}")
    errors.append(caught.value)
    return errors


# ---- controls: the wires do trip ------------------------------------------------------------------------------------


def test_control_what_is_permitted_reaches_the_wires(wires: Tripwires) -> None:
    networks = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    fetcher = Fetcher(rules(allowed=networks, total_s=0.05), resolve=gullible())
    hosts = ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "spoofed.example"]
    for number, host in enumerate(hosts, start=1):
        with pytest.raises(DeadlineError):
            fetcher.post(f"http://{host}:{wires.port}/", b"")
        assert wires.reached() == 1
        assert wires._seen == ["127.0.0.1"] * number
    assert not wires.untouched()


def test_control_a_connection_made_by_anybody_is_seen(wires: Tripwires) -> None:
    assert wires.untouched()
    with socket.socket() as one:
        one.connect(("127.0.0.1", wires.port))
    assert wires._seen == ["127.0.0.1"]
    assert wires.reached() == 1
    assert not wires.untouched()


def test_control_public_addresses_are_tried(wires: Tripwires) -> None:
    fetcher = Fetcher(rules(), resolve=Names({NAME: [list(PUBLIC)]}))
    errors = refused(fetcher, f"http://{NAME}/") + refused(fetcher, "http://[2606:2800:220:1::1]/")
    assert {type(error) for error in errors} == {ConnectionFailedError}
    assert wires.tried == [*PUBLIC, *PUBLIC, *PUBLIC[1:2], *PUBLIC[1:2]]


# ---- spellings ------------------------------------------------------------------------------------------------------


def test_no_spelling_reaches_what_is_blocked(wires: Tripwires) -> None:
    urls = spellings(wires.port)
    assert len(urls) >= 300
    fetcher = Fetcher(rules(allowed=()), resolve=gullible())
    for url in urls:
        for error in refused(fetcher, url):
            assert isinstance(error, BlockedAddressError | InsecureAddressError), (url, error)
        assert wires.untouched(), url
    assert wires.tried == []


def test_what_looks_like_a_number_is_never_looked_up(wires: Tripwires) -> None:
    names = gullible()
    fetcher = Fetcher(rules(allowed=()), resolve=names)
    for url in spellings(wires.port):
        refused(fetcher, url)
    assert names.asked
    for name in names.asked:
        with pytest.raises(OSError, match="illegal"):
            socket.inet_aton(name)


@pytest.mark.parametrize("address", [*BLOCKED_V4, *BLOCKED_V6])
def test_no_name_leads_to_what_is_blocked(address: str, wires: Tripwires) -> None:
    fetcher = Fetcher(rules(), resolve=Names({NAME: [[address]]}))
    for scheme in ("http", "https"):
        for error in refused(fetcher, f"{scheme}://{NAME}:{wires.port}/"):
            assert isinstance(error, BlockedAddressError)
    assert wires.untouched()


@pytest.mark.parametrize(
    "found", ["fe80::1%lo", "::1%1", "2a00::1%1", "localhost", "", "127.1", "0x7f.1", "/run/x.sock"]
)
def test_what_a_look_up_finds_has_to_be_an_address(found: str, wires: Tripwires) -> None:
    fetcher = Fetcher(rules(), resolve=Names({NAME: [[found]]}))
    for error in refused(fetcher, f"http://{NAME}:{wires.port}/"):
        assert isinstance(error, BlockedAddressError)
    assert wires.untouched()


# ---- names that change their mind -----------------------------------------------------------------------------------

EVIL = [
    "127.0.0.1",
    "::1",
    "169.254.169.254",
    "10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "0.0.0.0",
    "fe80::1%lo",
]
FLIPS = [(public, evil, again) for public in (*PUBLIC, "8.8.8.8") for evil in EVIL for again in (1, 2, 3)]
MIXED = [[*PUBLIC[:place], evil, *PUBLIC[place:]] for evil in EVIL for place in range(len(PUBLIC) + 1)]
TO_WEB = [(evil, extra) for evil in EVIL for extra in range(9)]


def test_there_are_200_rebinds() -> None:
    assert len(FLIPS) + len(MIXED) + len(TO_WEB) == 200


@pytest.mark.parametrize(("public", "evil", "times"), FLIPS)
def test_a_public_name_that_turns_evil(public: str, evil: str, times: int, wires: Tripwires) -> None:
    names = Names({NAME: [[public]] * times + [[evil]]})
    fetcher = Fetcher(rules(), resolve=names)
    for turn in range(1, times + 2):
        with pytest.raises(ConnectionFailedError if turn <= times else BlockedAddressError):
            fetcher.post(f"http://{NAME}:{wires.port}/", b"{}")
        # One look-up a request, and the address that was judged is the one that is tried.
        assert names.asked == [NAME] * turn
        assert wires.tried == [public] * min(turn, times)
    assert wires.untouched(public)


@pytest.mark.parametrize("answer", MIXED)
def test_a_name_that_is_both(answer: list[str], wires: Tripwires) -> None:
    fetcher = Fetcher(rules(), resolve=Names({NAME: [answer]}))
    for error in refused(fetcher, f"http://{NAME}:{wires.port}/"):
        assert isinstance(error, BlockedAddressError)
    assert wires.tried == []
    assert wires.untouched()


@pytest.mark.parametrize(("evil", "redirects"), TO_WEB)
def test_a_permitted_name_that_turns_evil(evil: str, redirects: int, wires: Tripwires) -> None:
    """The server redirects to itself; at the last but one look-up its name still leads to it, at the last to evil."""
    turns = redirects % 3 + 1
    names = Names({NAME: [[HOST]] * turns + [[evil]]})
    answers = iter([moved(f"/{turn}") for turn in range(1, turns)] + [ok(IMAGE)])
    content = bytearray()
    with Web(lambda _: [next(answers)], listener=wires.free) as web:
        fetcher = Fetcher(rules(), resolve=names)
        fetcher.download(f"{web.url}/", content.extend, most_bytes=100)
        assert content == IMAGE
        assert names.asked == [NAME] * turns
        with pytest.raises(BlockedAddressError):
            fetcher.download(f"{web.url}/", content.extend, most_bytes=100)
        assert len(web.requests) == turns
    assert wires.tried == [HOST] * turns
    assert wires.untouched()


# ---- redirects ------------------------------------------------------------------------------------------------------

REDIRECTS = [
    "http://127.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://localhost:{port}/",
    "http://spoofed.example:{port}/",
    "//127.0.0.1:{port}/",
    "//[::1]:{port}/",
    "//localhost:{port}",
    "https://127.0.0.1:{port}/",
    "https://spoofed.example:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://[fe80::1%25lo]:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.0.0.1%2e:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://files.example@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@files.example/",
    "\\\\127.0.0.1:{port}\\",
    "/\\127.0.0.1:{port}/",
    "http://files.example\\@127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "data:text/plain,x",
    "javascript:x",
    "jar:http://127.0.0.1:{port}!/",
    "http:127.0.0.1:{port}",
    "http://255.255.255.255:{port}/",
    "http:///127.0.0.1:{port}/",
    "http://127。0。0。1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "ws://127.0.0.1:{port}/",
]
STATUSES = ("301 A", "302 A", "303 A", "307 A", "308 A")


def test_there_are_40_redirects() -> None:
    assert len(REDIRECTS) >= 40


@pytest.mark.parametrize("location", REDIRECTS)
def test_no_redirect_reaches_what_is_blocked(location: str, wires: Tripwires) -> None:
    names = Gullible({NAME: [[HOST]]}, default=["127.0.0.1"])
    # Header values are bytes, and what they mean beyond ASCII is for the other side to guess.
    where = location.format(port=wires.port).encode()
    redirects = {status[:3].encode(): moved("{}", status).replace(b"{}", where) for status in STATUSES}
    with Web(lambda request: [redirects.get(request.split()[1][1:], redirects[b"302"])], listener=wires.free) as web:
        for number in redirects:
            with pytest.raises(SecurityError) as caught:
                Fetcher(rules(), resolve=names).download(f"{web.url}/{number.decode()}", print, most_bytes=100)
            assert isinstance(caught.value, BlockedAddressError | RedirectRefusedError)
            assert Fetcher(rules(), resolve=names).post(f"{web.url}/{number.decode()}", b"{}") == int(number)
    assert wires.untouched()


def test_a_long_way_round_ends_blocked_too(wires: Tripwires) -> None:
    answers = iter([moved("/1"), moved("//second.example:{port}/2"), moved("http://127.0.0.1:{port}/")])
    names = Names({NAME: [[HOST]], "second.example": [[HOST]]})
    with (
        Web(lambda _: [next(answers).replace(b"{port}", str(wires.port).encode())], listener=wires.free) as web,
        pytest.raises(BlockedAddressError),
    ):
        Fetcher(rules(), resolve=names).download(web.url, print, most_bytes=100)
    assert wires.tried == [HOST] * 3
    assert wires.untouched()


def test_a_redirect_from_https_to_http_is_refused(wires: Tripwires, tmp_path: Path) -> None:
    path = certificate(tmp_path, NAME)
    trusted = ssl.create_default_context(cafile=path)
    with Web(always(moved(f"http://{NAME}:{wires.port}/")), tls=server_context(path)) as web:
        with pytest.raises(RedirectRefusedError, match="https to http"):
            Fetcher(rules(tls=trusted), resolve=Names({NAME: [[HOST]]})).download(web.url, print, most_bytes=100)
        assert len(web.requests) == 1


# ---- the environment ------------------------------------------------------------------------------------------------


def test_no_proxy_is_asked(wires: Tripwires, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{wires.port}")
    content = bytearray()
    with Web(always(ok(IMAGE))) as web:
        Fetcher(rules(), resolve=Names({NAME: [[HOST]]})).download(web.url, content.extend, most_bytes=100)
    assert content == IMAGE
    assert wires.untouched()
