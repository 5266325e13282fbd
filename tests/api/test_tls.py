"""Encrypted connections and proxies: who is trusted, and who sees what."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import itertools
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hemato_lab.api import AsyncClient, Client, Policy, TokenAuth
from hemato_lab.api.http import proxy_of_environment
from hemato_lab.errors import ConfigError, ConnectionFailedError, HematoError, TLSError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKEN = "token-behind-tls"  # noqa: S105 (made up)
REGION = "eu.api.hemato.ai"
PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"]
Calls = "Callable[..., list[Any]]"


def certificate(folder: Path, name: str, *, days: int = 1) -> Path:
    """Write a self-signed certificate of a name or address, and its key, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name} of a test")])
    now = dt.datetime.now(dt.UTC)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form, encoding = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    path = folder / f"{name} {days}.pem"
    path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()) + made.public_bytes(encoding))
    return path


def server_context(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


class Server:
    """Accepts connections and converses on each in a thread of its own while its context lasts."""

    def __init__(self) -> None:
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                self._threads.append(threading.Thread(target=self._guarded, args=[connection]))
                self._threads[-1].start()

    def _guarded(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.converse(connection)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def converse(self, connection: socket.socket) -> None:
        raise NotImplementedError


class Secure(Server):
    """Answers every request with a numbered heartbeat, `copies` times in records of their own, sent together."""

    def __init__(self, path: Path, copies: int = 1) -> None:
        super().__init__()
        self._context = server_context(path)
        self._copies = copies
        self._numbers = itertools.count()
        self.requests: list[bytes] = []

    def converse(self, connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        encrypted = self._context.wrap_bio(incoming, outgoing, server_side=True)

        def done(action: Callable[[], Any]) -> Any:
            while True:
                try:
                    result = action()
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(65536) or b"no more")
                else:
                    connection.sendall(outgoing.read())
                    return result

        done(encrypted.do_handshake)
        while request := done(lambda: encrypted.read(65536)):
            self.requests.append(request)
            body = b'{"heartbeat": "%d"}' % next(self._numbers)
            for _ in range(self._copies):
                encrypted.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            connection.sendall(outgoing.read())


class Proxy(Server):
    """Connects whoever asks to one port of this machine, and remembers what it saw; or refuses."""

    def __init__(self, target: int | None, path: Path | None = None) -> None:
        super().__init__()
        self._target = target
        self._context = server_context(path) if path else None
        self.seen = bytearray()

    def converse(self, connection: socket.socket) -> None:
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
            self._open.append(connection)
        while b"\r\n\r\n" not in self.seen:
            self.seen += connection.recv(65536) or b"\r\n\r\n"
        if self._target is None:
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self._target)) as beyond:
            back = threading.Thread(target=relay, args=[beyond, connection, bytearray()])
            back.start()
            relay(connection, beyond, self.seen)
            back.join()


def relay(source: socket.socket, target: socket.socket, seen: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            seen += data
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(params=["blocking", "awaited"])
def calls(request: pytest.FixtureRequest, tmp_path: Path) -> Calls:
    """Make some calls with one client; return results and errors."""

    def make(count: int, **options: Any) -> list[Any]:
        options |= {
            "journal": tmp_path / "journal.sqlite3",
            "auth": TokenAuth(TOKEN),
            "policy": Policy(attempts=2, first_wait_s=0.01),
        }
        found: list[Any] = []
        if request.param == "blocking":
            with Client(**options) as client:
                for _ in range(count):
                    try:
                        found.append(client.heartbeat())
                    except HematoError as error:
                        found.append(error)
            return found

        async def awaited() -> None:
            async with AsyncClient(**options) as client:
                for _ in range(count):
                    found.extend(await asyncio.gather(client.heartbeat(), return_exceptions=True))

        asyncio.run(awaited())
        return found

    return make


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*PROXIES, *map(str.lower, PROXIES)]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificates"), "127.0.0.1")


@pytest.fixture(scope="module")
def regional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificates"), REGION)


def assert_refused(found: list[Any]) -> None:
    assert [(type(one), one.outcome) for one in found] == [(TLSError, "not sent")]


def test_a_certificate_of_nobody_is_refused_and_one_of_the_file_is_taken(local: Path, calls: Calls) -> None:
    with Secure(local) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert_refused(calls(1, base_url=url))
        assert (server.connections, server.requests) == (1, [])
        assert [one.heartbeat for one in calls(20, base_url=url, ca_file=local)] == [str(one) for one in range(20)]
        assert server.connections == 2


def test_a_certificate_of_another_name_or_time_is_refused(tmp_path: Path, calls: Calls) -> None:
    for path in (certificate(tmp_path, REGION), certificate(tmp_path, "127.0.0.1", days=-1)):
        with Secure(path) as server:
            assert_refused(calls(1, base_url=f"https://127.0.0.1:{server.port}", ca_file=path))
            assert server.requests == []


class Plain(Server):
    """Says something that is no TLS."""

    def converse(self, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def test_a_server_without_tls_is_refused(calls: Calls) -> None:
    with Plain() as server:
        assert_refused(calls(1, base_url=f"https://127.0.0.1:{server.port}"))


def test_a_second_answer_in_a_record_of_its_own_is_not_taken_either(local: Path, calls: Calls) -> None:
    """It came from the socket together with the first one, and waits to be decrypted."""
    with Secure(local, copies=2) as server:
        found = calls(20, base_url=f"https://127.0.0.1:{server.port}", ca_file=local)
    assert [one.heartbeat for one in found] == [str(number) for number in range(20)]


def test_the_keys_of_a_session_are_written_nowhere(
    local: Path, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with Secure(local) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert calls(1, base_url=url, ca_file=local)[0].heartbeat == "0"
        assert_refused(calls(1, base_url=url))
    assert "CLIENT" not in (tmp_path / "keys").read_text(), "nothing but a heading"


@pytest.fixture(params=["http", "https", ""])
def through(
    request: pytest.FixtureRequest, local: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Proxy]]:
    """Start a proxy that the environment names, with TLS of its own, without, or without saying so."""
    with contextlib.ExitStack() as opened:

        def start(target: int | None) -> Proxy:
            proxy = opened.enter_context(Proxy(target, local if request.param == "https" else None))
            host = f"me:too@127.0.0.1:{proxy.port}"
            monkeypatch.setenv("HTTPS_PROXY", f"{request.param}://{host}" if request.param else host)
            return proxy

        yield start


def both(tmp_path: Path, *paths: Path) -> Path:
    """Write certificates into one file to trust."""
    path = tmp_path / "trusted.pem"
    path.write_bytes(b"".join(one.read_bytes() for one in paths))
    return path


def test_a_proxy_of_the_environment_connects_and_sees_nothing(
    through: Callable[..., Proxy], local: Path, regional: Path, calls: Calls, tmp_path: Path
) -> None:
    with Secure(regional) as server:
        proxy = through(server.port)
        found = calls(3, region="eu", trust_env=True, ca_file=both(tmp_path, local, regional))
        assert [one.heartbeat for one in found] == ["0", "1", "2"]
        assert proxy.connections == server.connections == 1
    assert proxy.seen.startswith(f"CONNECT {REGION}:443 HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic bWU6dG9v\r\n" in proxy.seen
    assert b"heartbeat" not in proxy.seen
    assert b"GET /heartbeat HTTP/1.1" in server.requests[0]
    assert b"bWU6dG9v" not in b"".join(server.requests)


def test_a_proxy_that_refuses_is_no_connection(through: Callable[..., Proxy], local: Path, calls: Calls) -> None:
    proxy = through(None)
    (found,) = calls(1, region="eu", trust_env=True, ca_file=local)
    assert (type(found), found.outcome, proxy.connections) == (ConnectionFailedError, "not sent", 2)


def test_proxies_are_not_used_unless_asked(
    through: Callable[..., Proxy], calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("no such host")

    proxy = through(None)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    (found,) = calls(1, region="eu")
    assert (type(found), found.outcome, proxy.connections) == (ConnectionFailedError, "not sent", 0)


def test_which_proxy_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"https://{REGION}"
    assert proxy_of_environment(url) is None
    monkeypatch.setenv("ALL_PROXY", "http://all:1")
    monkeypatch.setenv("HTTP_PROXY", "http://plain:2")
    assert proxy_of_environment(url) == "http://all:1"
    monkeypatch.setenv("HTTPS_PROXY", "secure:3")
    assert proxy_of_environment(url) == "http://secure:3"
    for mine in ("http://127.0.0.1:8000", "https://localhost", "http://[::1]:8000", "https://127.8.8.8"):
        assert proxy_of_environment(mine) is None
    monkeypatch.setenv("NO_PROXY", "hemato.ai")
    assert proxy_of_environment(url) is None


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1", "http://", "http://a b:x"])
def test_a_proxy_that_is_none_is_refused(proxy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    for kind in (Client, AsyncClient):
        with pytest.raises(ConfigError, match="HTTPS_PROXY"):
            kind("eu", trust_env=True, journal=tmp_path / "j.sqlite3")
