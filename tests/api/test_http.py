"""Exchanges over transports that were made up: what every failure is called, and what becomes of the answer."""

from __future__ import annotations

import ast
import asyncio
import inspect
import socket
import ssl
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest

import hemato_lab
from hemato_lab import api as public
from hemato_lab.api import Timeouts, requests
from hemato_lab.api.http import AsyncExchange, Exchange
from hemato_lab.api.messages import Answer, Outgoing
from hemato_lab.errors import (
    ConfigError,
    ConnectionFailedError,
    HematoError,
    NotJSONError,
    ResponseTooLargeError,
    TimedOutError,
    TLSError,
    TruncatedResponseError,
)
from tests.api.transports import Chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 2**20
CONTENT = b"for Research Use Only " * 200
PACKED = zlib.compress(CONTENT, 9, 31)


class Made(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport that raises or returns what it was told to."""

    def __init__(self, outcome: Exception | Callable[[], httpx.Response]) -> None:
        self.outcome = outcome

    def handle_request(self, _request: httpx.Request) -> httpx.Response:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


@pytest.fixture(params=["blocking", "awaited"])
def send(request: pytest.FixtureRequest) -> Callable[..., Answer]:
    """Exchange one request, over a transport or the network."""

    def one(transport: Any = None, url: str = "https://eu.api.hemato.ai/heartbeat", limit: int = MIB) -> Answer:
        headers = {"Authorization": "a-secret"}
        outgoing = Outgoing(requests.heartbeat(), url, headers, Timeouts(connect=2, read=2, write=2), 10.0)
        if request.param == "blocking":
            exchange = Exchange(transport, body_limit=limit)
            try:
                return exchange.send(outgoing)
            finally:
                exchange.close()

        async def awaited() -> Answer:
            exchange = AsyncExchange(transport, body_limit=limit)
            try:
                return await exchange.send(outgoing)
            finally:
                await exchange.close()

        return asyncio.run(awaited())

    return one


def of_tls() -> httpx.ConnectError:
    error = httpx.ConnectError("no")
    error.__context__ = ssl.SSLCertVerificationError(1, "certificate verify failed")
    return error


def hung_up(cause: Exception, kind: type[Exception] = httpx.ConnectError) -> Exception:
    error = kind("no")
    error.__cause__ = cause
    return error


FAILURES: list[tuple[Exception, type[HematoError], str]] = [
    *(
        (getattr(library, name)("a-secret"), kind, outcome)
        for library in (httpx, httpcore)
        for name, kind, outcome in [
            ("ConnectError", ConnectionFailedError, "not sent"),
            ("ProxyError", ConnectionFailedError, "not sent"),
            ("UnsupportedProtocol", ConnectionFailedError, "not sent"),
            ("ConnectTimeout", TimedOutError, "not sent"),
            ("PoolTimeout", TimedOutError, "not sent"),
            ("ReadError", ConnectionFailedError, "unknown"),
            ("WriteError", ConnectionFailedError, "unknown"),
            ("RemoteProtocolError", ConnectionFailedError, "unknown"),
            ("LocalProtocolError", ConnectionFailedError, "unknown"),
            ("ReadTimeout", TimedOutError, "unknown"),
            ("WriteTimeout", TimedOutError, "unknown"),
        ]
    ),
    (httpx.CloseError("x"), ConnectionFailedError, "unknown"),
    (httpx.TooManyRedirects("x"), ConnectionFailedError, "unknown"),
    (httpx.DecodingError("x"), NotJSONError, "unknown"),
    (ConnectionResetError("x"), ConnectionFailedError, "unknown"),
    (TimeoutError("x"), TimedOutError, "unknown"),
    (of_tls(), TLSError, "not sent"),
    (hung_up(ssl.SSLEOFError(8, "x")), ConnectionFailedError, "not sent"),
    (hung_up(ssl.SSLWantReadError(2, "x")), ConnectionFailedError, "not sent"),
    (hung_up(ssl.SSLError(1, "bad record mac"), httpx.ReadError), ConnectionFailedError, "unknown"),
]


@pytest.mark.parametrize(("error", "kind", "outcome"), FAILURES, ids=lambda value: repr(value)[:40])
def test_every_failure_has_a_name_and_an_outcome(
    error: Exception, kind: type[HematoError], outcome: str, send: Callable[..., Answer]
) -> None:
    with pytest.raises(HematoError) as caught:
        send(Made(error))
    assert (type(caught.value), caught.value.outcome) == (kind, outcome)
    assert caught.value.subject == "GET /heartbeat"
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ReadError("x"), TruncatedResponseError),
        (httpx.RemoteProtocolError("x"), TruncatedResponseError),
        (httpx.ReadTimeout("x"), TimedOutError),
    ],
    ids=repr,
)
def test_a_failure_in_the_body_spoils_good_answers_only(
    error: httpx.RequestError, kind: type[HematoError], status: int, send: Callable[..., Answer]
) -> None:
    made = Made(lambda: httpx.Response(status, headers={"retry-after": "7"}, stream=Chunks(CONTENT, error)))
    if status == 503:
        assert send(made) == Answer(503, {"retry-after": "7"}, b"")
        return
    with pytest.raises(kind) as caught:
        send(made)
    assert caught.value.outcome == "unknown"


class Counted(Chunks):
    """A body that knows whether it was closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("headers", [{}, {"content-length": "9" * 9}, {"content-encoding": "br"}], ids=str)
@pytest.mark.parametrize("error", [None, httpx.ReadError("x")], ids=repr)
def test_an_answer_is_closed_however_it_ends(headers: dict[str, str], error: Any, send: Callable[..., Answer]) -> None:
    body = Counted(CONTENT, error)
    made = Made(lambda: httpx.Response(200, headers=headers, stream=body))
    try:
        assert send(made).body == CONTENT
    except HematoError:
        assert headers or error
    assert body.closed == 1


def test_what_a_transport_has_read_already_is_taken(send: Callable[..., Answer]) -> None:
    made = Made(lambda: httpx.Response(200, headers={"content-encoding": "gzip"}, content=PACKED))
    assert send(made).body == CONTENT
    with pytest.raises(ResponseTooLargeError):
        send(made, limit=100)


@pytest.mark.parametrize("url", ["https://eu.api.hemato.ai/" + "x" * 70_000, "https://\x00", "https://xn--\x7f"])
def test_an_address_that_cannot_be_is_refused(url: str, send: Callable[..., Answer]) -> None:
    with pytest.raises(ConfigError, match="address"):
        send(Made(AssertionError("is not reached")), url)


@pytest.mark.parametrize("error", [UnicodeError("label empty or too long"), OSError("no such host")], ids=repr)
def test_a_name_that_cannot_be_looked_up_is_no_connection(
    error: Exception, send: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(ConnectionFailedError) as caught:
        send(None, "https://eu.api.hemato.ai/heartbeat")
    assert caught.value.outcome == "not sent"


@pytest.mark.parametrize("kind", [Exchange, AsyncExchange])
def test_what_is_no_transport_or_no_certificates_is_refused(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no method"):
        kind(object(), body_limit=1)
    (tmp_path / "empty.pem").touch()
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(ConfigError, match="certificates"):
            kind(ca_file=tmp_path / name, body_limit=1)


PACKAGE = Path(hemato_lab.__file__).parent
NETWORK = {"httpx", "httpcore", "h11", "anyio"}


def imported(path: Path) -> set[str]:
    """Return the packages that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_one_module_knows_httpx_and_few_know_any_of_it() -> None:
    modules = {path.relative_to(PACKAGE).as_posix(): imported(path) for path in PACKAGE.rglob("*.py")}
    assert [name for name, names in modules.items() if "httpx" in names] == ["api/http.py"]
    known = {"api/http.py", "api/sockets.py", "twin/fetching.py", "twin/pinning.py"}
    assert {name for name, names in modules.items() if names & NETWORK} == known


def annotations(thing: Any) -> Iterator[str]:
    """Yield every annotation of a function, or of a class and the members that it has from us, as it is written."""
    if inspect.isclass(thing):
        for base in thing.__mro__:
            if base.__module__.startswith("hemato_lab"):
                yield from map(str, vars(base).get("__annotations__", {}).values())
                for member in vars(base).values():
                    yield from annotations(getattr(member, "fget", getattr(member, "__func__", member)))
    elif inspect.isfunction(thing):
        yield from map(str, thing.__annotations__.values())


def test_no_type_of_a_library_is_part_of_what_is_public() -> None:
    found = {name: " ".join(annotations(getattr(public, name))) for name in public.__all__}
    assert "Coroutine[Any, Any, StudyStatus]" in found["AsyncClient"]
    assert "Policy | None" in found["Client"]
    assert not {name for name, words in found.items() if any(library in words for library in NETWORK)}
