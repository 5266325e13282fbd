"""The one place that knows httpx: exchanges a request for an answer, within its time and size, or says what failed.

Transports are used directly, below httpx's client: that one logs whole addresses, follows its own ideas of redirects,
cookies and environment, and unpacks a gzip bomb before anybody can look at its size. What is left is the connection
pool, whose timeouts hold for each piece; `sockets` gives the blocking one a deadline over all pieces.

Errors are raised anew, without those of the libraries chained to them, because the frames of those hold headers with
tokens in them, which a traceback that shows local variables would print.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from hemato_lab.api.bodies import BodyReader
from hemato_lab.api.regions import is_loopback
from hemato_lab.api.sockets import PASSAGE, DeadlineBackend, Passage, WatchedBackend
from hemato_lab.errors import (
    ConfigError,
    ConnectionFailedError,
    DeadlineError,
    HematoError,
    NotJSONError,
    ResponseError,
    TimedOutError,
    TLSError,
    TruncatedResponseError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from threading import Event

    from hemato_lab.api.messages import Answer, Outgoing
    from hemato_lab.errors.root import Outcome

_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)
"""Errors that come before the first byte of a request."""
_TIMEOUTS: Final = (httpx.TimeoutException, httpcore.TimeoutException, TimeoutError)
_PHASES: Final = (
    ((httpx.ConnectTimeout, httpcore.ConnectTimeout), "connecting"),
    ((httpx.PoolTimeout, httpcore.PoolTimeout), "waiting for a free connection"),
    ((httpx.WriteTimeout, httpcore.WriteTimeout), "sending"),
    ((httpx.ReadTimeout, httpcore.ReadTimeout), "waiting for the answer"),
)
_OF_THE_NETWORK: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_KEEP_ALIVE_S: Final = 15.0
_LONGEST_S: Final = 1e6  # more, a socket cannot be told to wait
_TIMER_S: Final = 0.005  # so much before the deadline that it was set for, a timer may go off
_FAILURES: Final = (
    httpx.RequestError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    OSError,
)


def certificates(ca_file: str | Path | None) -> ssl.SSLContext:
    """Return the trusted certificates: those that ship with certifi, or those of a file.

    Raises
    ------
    ConfigError
        If the file cannot be used.
    """
    try:
        if ca_file is None:
            context = httpx.create_ssl_context(trust_env=False)
        else:
            context = ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ValueError) as error:
        problem = f"holds no certificates that can be used: {getattr(error, 'strerror', None) or 'unknown format'}"
        raise ConfigError(problem, subject=str(ca_file), hint="give a file of PEM certificates") from None
    context.keylog_filename = None  # type: ignore[assignment]  # else SSLKEYLOGFILE has the keys written to a file
    return context


def proxy_of_environment(url: str) -> str | None:
    """Return the address of the proxy that the environment names for an address, None for none.

    What goes to this machine never takes a proxy: it may be plain http, which nobody else must see.
    """
    parts = urlsplit(url)
    if not parts.hostname or is_loopback(parts.hostname) or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    return found if not found or "://" in found else f"http://{found}"


def _checked_proxy(proxy: str) -> httpx.Proxy:
    try:
        checked = httpx.Proxy(proxy)
    except (httpx.InvalidURL, ValueError):
        checked = None
    usable = checked is not None and checked.url.scheme in {"http", "https"} and checked.url.host
    if checked is None or not usable or (checked.url.port or 0) > 65535:
        raise ConfigError("is none of http or https", subject="proxy of the environment", hint="check HTTPS_PROXY")
    return checked


def _pool_options(ca_file: str | Path | None, connections: int, proxy: httpx.Proxy | None) -> dict[str, Any]:
    limits = {"max_connections": connections, "max_keepalive_connections": connections}
    options: dict[str, Any] = {**limits, "keepalive_expiry": _KEEP_ALIVE_S, "ssl_context": certificates(ca_file)}
    if proxy is not None:
        options |= {"proxy_url": _core_url(proxy.url), "proxy_auth": proxy.raw_auth}
        options |= {"proxy_ssl_context": certificates(ca_file)} if proxy.url.scheme == "https" else {}
    return options


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _core_request(request: httpx.Request) -> httpcore.Request:
    return httpcore.Request(
        request.method,
        _core_url(request.url),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _httpx_request(outgoing: Outgoing) -> httpx.Request:
    waits, left = outgoing.timeouts, min(outgoing.remaining_s, _LONGEST_S)
    phases = {"connect": waits.connect, "read": waits.read, "write": waits.write, "pool": left}
    try:
        query = urlencode(outgoing.request.query, quote_via=quote)
        return httpx.Request(
            outgoing.request.method,
            f"{outgoing.url}?{query}" if query else outgoing.url,
            headers=dict(outgoing.headers),
            content=outgoing.request.body,
            extensions={"timeout": {phase: max(0.001, min(seconds, left)) for phase, seconds in phases.items()}},
        )
    except (httpx.InvalidURL, UnicodeError):
        problem = "the address or a header cannot be sent"
    raise ConfigError(problem, subject=outgoing.request.name, hint="check the address and the ids")


class _Pool(httpx.BaseTransport):
    """A pool of connections that keep the deadline of the thread that uses them."""

    def __init__(self, options: dict[str, Any]) -> None:
        kind = httpcore.HTTPProxy if "proxy_url" in options else httpcore.ConnectionPool
        self._pool: httpcore.ConnectionPool = kind(network_backend=DeadlineBackend(), **options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange one request."""
        answer = self._pool.handle_request(_core_request(request))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The body of an answer of the pool."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _AsyncPool(httpx.AsyncBaseTransport):
    """The same without blocking; the deadline is the event loop's."""

    def __init__(self, options: dict[str, Any]) -> None:
        kind = httpcore.AsyncHTTPProxy if "proxy_url" in options else httpcore.AsyncConnectionPool
        self._pool: httpcore.AsyncConnectionPool = kind(network_backend=WatchedBackend(), **options)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange one request."""
        answer = await self._pool.handle_async_request(_core_request(request))
        return httpx.Response(answer.status, headers=answer.headers, stream=_AsyncBody(answer))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _AsyncBody(httpx.AsyncByteStream):
    """The body of an answer of the pool."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.aiter_stream()

    async def aclose(self) -> None:
        await self._answer.aclose()


class _Exchanging:
    """What both kinds of exchange are told.

    Parameters
    ----------
    transport : object or None
        A transport of httpx of the right kind; it is not closed here. None makes a pool of connections.
    ca_file : path or None
        See `certificates`.
    proxy : str or None
        Address of a proxy.
    connections, body_limit : int
        Most connections at a time, and bytes of the longest answer.

    Raises
    ------
    ConfigError
        If the transport is none, or the certificates or the proxy cannot be used.
    """

    _method: str

    def __init__(
        self,
        transport: Any = None,
        *,
        ca_file: str | Path | None = None,
        proxy: str | None = None,
        connections: int = 16,
        body_limit: int,
    ) -> None:
        if transport is not None and not callable(getattr(transport, self._method, None)):
            raise ConfigError(f"has no method {self._method}", subject="transport", hint="give a transport of httpx")
        checked = _checked_proxy(proxy) if proxy else None
        self._own = self._pool(_pool_options(ca_file, connections, checked)) if transport is None else None
        self._transport = transport if self._own is None else self._own
        self._body_limit = body_limit

    def _pool(self, options: dict[str, Any]) -> Any:
        """Make a pool of connections."""
        raise NotImplementedError

    def _begun(self, outgoing: Outgoing, stop: Event | None = None) -> tuple[Passage, BodyReader]:
        # Only our own pool tells when the first byte leaves.
        passage = Passage(time.monotonic() + outgoing.remaining_s, begun=self._own is None, stop=stop)
        return passage, BodyReader(self._body_limit, outgoing.request.name)


class Exchange(_Exchanging):
    """Blocking exchanges over a pool of connections, or over a transport that is handed in; see `_Exchanging`."""

    _method = "handle_request"

    def _pool(self, options: dict[str, Any]) -> _Pool:
        return _Pool(options)

    def send(self, outgoing: Outgoing, stop: Event | None = None) -> Answer:
        """Return the answer to a request; as soon as `stop` is set, it is as if the time was over.

        Raises
        ------
        TransportError
            If there is none; its ``outcome`` says whether the request may have been done.
        ResponseError
            If a good answer breaks off, is too long, or cannot be unpacked. Of any other one, the body is left out.
        ConfigError
            If the request cannot be sent at all.
        """
        passage, reader = self._begun(outgoing, stop)
        token = PASSAGE.set(passage)
        try:
            with closing(self._transport.handle_request(_httpx_request(outgoing))) as response:
                unpacked = response.is_stream_consumed
                reader.begin(response.status_code, response.headers.multi_items(), unpacked=unpacked)
                for piece in [response.content] if unpacked else response.iter_raw():
                    reader.feed(piece)
                    if time.monotonic() > passage.deadline:
                        raise TimeoutError
            return reader.answer()
        except ResponseError as error:
            failure: HematoError = error
        except _FAILURES as error:
            failure = _failure(error, outgoing, reader, passage)
        finally:
            PASSAGE.reset(token)
        return _settled(failure, reader)

    def close(self) -> None:
        """Close the pool."""
        if self._own is not None:
            self._own.close()


class AsyncExchange(_Exchanging):
    """The same without blocking."""

    _method = "handle_async_request"

    def _pool(self, options: dict[str, Any]) -> _AsyncPool:
        return _AsyncPool(options)

    async def send(self, outgoing: Outgoing) -> Answer:
        """Return the answer to a request; raises what `Exchange.send` does."""
        passage, reader = self._begun(outgoing)
        token = PASSAGE.set(passage)
        try:
            async with asyncio.timeout(max(0.0, outgoing.remaining_s)):
                response = await self._transport.handle_async_request(_httpx_request(outgoing))
                try:
                    await _read(response, reader)
                finally:
                    await response.aclose()
            return reader.answer()
        except ResponseError as error:
            failure: HematoError = error
        except _FAILURES as error:
            failure = _failure(error, outgoing, reader, passage)
        finally:
            PASSAGE.reset(token)
        return _settled(failure, reader)

    async def close(self) -> None:
        """Close the pool."""
        if self._own is not None:
            await self._own.aclose()


async def _read(response: httpx.Response, reader: BodyReader) -> None:
    unpacked = response.is_stream_consumed
    reader.begin(response.status_code, response.headers.multi_items(), unpacked=unpacked)
    if unpacked:
        reader.feed(response.content)
        return
    async for piece in response.aiter_raw():
        reader.feed(piece)


def _settled(failure: HematoError, reader: BodyReader) -> Answer:
    """Return an error's answer without the body that could not be read: its status and Retry-After say enough."""
    if reader.status and not 200 <= reader.status < 300 and not isinstance(failure, DeadlineError):
        return reader.head()
    raise failure


def _failure(error: Exception, outgoing: Outgoing, reader: BodyReader, passage: Passage) -> HematoError:
    """Name what failed, without the libraries' own error, whose frames and words may hold what is secret."""
    subject = outgoing.request.name
    outcome: Outcome = "not sent" if isinstance(error, _NOT_SENT) or not passage.begun else "unknown"
    timed_out = isinstance(error, _TIMEOUTS)
    if time.monotonic() >= passage.deadline - _TIMER_S * timed_out:
        return DeadlineError(f"took longer than {outgoing.remaining_s:.3g} s", subject=subject, outcome=outcome)
    if timed_out:
        phase = next((name for kinds, name in _PHASES if isinstance(error, kinds)), "waiting")
        return TimedOutError(f"timed out while {phase}", subject=subject, outcome=outcome)
    if outcome == "not sent" and _is_of_tls(error):
        hint = "check the address, the clock, and ca_file if the service has certificates of its own"
        return TLSError("the encrypted connection was refused", subject=subject, hint=hint, outcome=outcome)
    if isinstance(error, httpx.DecodingError):
        return NotJSONError("the answer cannot be unpacked", subject=subject, hint="try again later")
    if reader.status:
        return TruncatedResponseError("the connection ended before the answer did", subject=subject)
    what = "no connection could be made" if outcome == "not sent" else "the connection broke"
    return ConnectionFailedError(what, subject=subject, hint="check the address and the network", outcome=outcome)


def _is_of_tls(error: BaseException | None) -> bool:
    """Tell whether an encrypted connection was refused, anywhere down the chain of causes."""
    for _ in range(8):
        if error is None:
            return False
        if isinstance(error, ssl.SSLError) and not isinstance(error, _OF_THE_NETWORK):
            return True
        error = error.__cause__ or error.__context__
    return False
