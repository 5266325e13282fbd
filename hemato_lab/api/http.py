"""The one place that knows httpx: exchanges a request for an answer, within its time and size, or says what failed.

Transports are used directly, below httpx's client: that one logs whole addresses, follows its own ideas of redirects,
cookies and environment, and unpacks a gzip bomb before anybody can look at its size. What is left is the connection
pool, whose timeouts hold for each piece; the blocking one gets a deadline over all pieces from `sockets`.

Errors are raised anew, without those of the libraries chained to them, because the frames of those hold headers with
tokens in them, which a traceback that shows local variables would print.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from hemato_lab.api.bodies import BodyReader
from hemato_lab.api.sockets import DEADLINE, DeadlineBackend
from hemato_lab.errors import (
    ConfigError,
    ConnectionFailedError,
    DeadlineError,
    HematoError,
    TimedOutError,
    TLSError,
    TruncatedResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
_KEEP_ALIVE_S: Final = 15.0
_CONNECTION_ERRORS: Final = (
    httpx.TransportError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    OSError,
    TimeoutError,
)


def certificates(ca_file: str | Path | None) -> ssl.SSLContext:
    """Return the trusted certificates: those that ship with certifi, or those of a file.

    Raises
    ------
    ConfigError
        If the file cannot be used.
    """
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        problem = f"holds no certificates that can be used: {error.strerror or 'unknown format'}"
        raise ConfigError(problem, subject=str(ca_file), hint="give a file of PEM certificates") from None


def proxy_of_environment(url: str) -> str | None:
    """Return the address of the proxy that the environment names for an address, None for none."""
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _httpx_request(outgoing: Outgoing) -> httpx.Request:
    waits, left = outgoing.timeouts, outgoing.remaining_s
    phases = {"connect": waits.connect, "read": waits.read, "write": waits.write, "pool": left}
    return httpx.Request(
        outgoing.request.method,
        outgoing.url,
        params=list(outgoing.request.query) or None,
        headers=dict(outgoing.headers),
        content=outgoing.request.body,
        extensions={"timeout": {phase: max(0.001, min(seconds, left)) for phase, seconds in phases.items()}},
    )


class _PooledTransport(httpx.BaseTransport):
    """A pool of connections that keep the deadline of the thread that uses them."""

    def __init__(self, context: ssl.SSLContext, connections: int, proxy: str | None) -> None:
        options: dict[str, Any] = {
            "ssl_context": context,
            "max_connections": connections,
            "max_keepalive_connections": connections,
            "keepalive_expiry": _KEEP_ALIVE_S,
            "network_backend": DeadlineBackend(),
        }
        self._pool: httpcore.ConnectionPool
        if proxy is None:
            self._pool = httpcore.ConnectionPool(**options)
        else:
            via = httpx.Proxy(proxy)
            address = httpcore.URL(
                scheme=via.url.raw_scheme, host=via.url.raw_host, port=via.url.port, target=via.url.raw_path
            )
            self._pool = httpcore.HTTPProxy(proxy_url=address, proxy_auth=via.raw_auth, **options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange one request."""
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
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


class Exchange:
    """Blocking exchanges over a pool of connections, or over a transport that is handed in.

    Parameters
    ----------
    transport : object or None
        Anything with ``handle_request`` of ``httpx.BaseTransport``; it is not closed here.
    ca_file : path or None
        See `certificates`.
    proxy : str or None
        Address of a proxy.
    connections : int
        Most connections at a time.
    body_limit : int
        Bytes of the longest answer.

    Raises
    ------
    ConfigError
        If the transport is none.
    """

    def __init__(
        self,
        transport: Any = None,
        *,
        ca_file: str | Path | None = None,
        proxy: str | None = None,
        connections: int = 16,
        body_limit: int,
    ) -> None:
        _check_transport(transport, "handle_request")
        self._own = None if transport is not None else _PooledTransport(certificates(ca_file), connections, proxy)
        self._transport = transport if self._own is None else self._own
        self._body_limit = body_limit

    def send(self, outgoing: Outgoing) -> Answer:
        """Return the answer to a request.

        Raises
        ------
        TransportError
            If there is none; its ``outcome`` says whether the request may have been done.
        ResponseError
            If it breaks off, is too long, or cannot be unpacked.
        """
        deadline = time.monotonic() + outgoing.remaining_s
        reader = BodyReader(self._body_limit, outgoing.request.name)
        token = DEADLINE.set(deadline)
        try:
            with closing(self._transport.handle_request(_httpx_request(outgoing))) as response:
                unpacked = response.is_stream_consumed
                reader.begin(response.status_code, response.headers.multi_items(), unpacked=unpacked)
                for piece in [response.content] if unpacked else response.iter_raw():
                    reader.feed(piece)
                    if time.monotonic() > deadline:
                        raise TimeoutError
            return reader.answer()
        except _CONNECTION_ERRORS as error:
            failure = _failure(error, outgoing, reader, late=time.monotonic() >= deadline)
        finally:
            DEADLINE.reset(token)
        raise failure

    def close(self) -> None:
        """Close the pool."""
        if self._own is not None:
            self._own.close()


class AsyncExchange:
    """The same without blocking; the parameters are those of `Exchange`."""

    def __init__(
        self,
        transport: Any = None,
        *,
        ca_file: str | Path | None = None,
        proxy: str | None = None,
        connections: int = 16,
        body_limit: int,
    ) -> None:
        _check_transport(transport, "handle_async_request")
        self._own = None
        if transport is None:
            limits = httpx.Limits(
                max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEEP_ALIVE_S
            )
            context = certificates(ca_file)
            self._own = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits, proxy=proxy)
        self._transport = transport if self._own is None else self._own
        self._body_limit = body_limit

    async def send(self, outgoing: Outgoing) -> Answer:
        """Return the answer to a request; raises what `Exchange.send` does."""
        reader = BodyReader(self._body_limit, outgoing.request.name)
        limit = asyncio.timeout(max(0.0, outgoing.remaining_s))
        try:
            async with limit:
                response = await self._transport.handle_async_request(_httpx_request(outgoing))
                try:
                    unpacked = response.is_stream_consumed
                    reader.begin(response.status_code, response.headers.multi_items(), unpacked=unpacked)
                    if unpacked:
                        reader.feed(response.content)
                    else:
                        async for piece in response.aiter_raw():
                            reader.feed(piece)
                finally:
                    await response.aclose()
            return reader.answer()
        except _CONNECTION_ERRORS as error:
            failure = _failure(error, outgoing, reader, late=limit.expired())
        raise failure

    async def close(self) -> None:
        """Close the pool."""
        if self._own is not None:
            await self._own.aclose()


def _check_transport(transport: Any, method: str) -> None:
    if transport is not None and not callable(getattr(transport, method, None)):
        raise ConfigError(f"has no method {method}", subject="transport", hint="give a transport of httpx")


def _failure(error: BaseException, outgoing: Outgoing, reader: BodyReader, *, late: bool) -> HematoError:
    """Name what failed, without the libraries' own error, whose frames and words may hold what is secret."""
    subject = outgoing.request.name
    outcome: Outcome = "not sent" if isinstance(error, _NOT_SENT) else "unknown"
    if late:
        return DeadlineError(f"took longer than {outgoing.remaining_s:.3g} s", subject=subject, outcome=outcome)
    if _is_of_tls(error):
        hint = "check the address, the clock, and ca_file if the service has certificates of its own"
        return TLSError("the encrypted connection was refused", subject=subject, hint=hint, outcome="not sent")
    if reader.status:
        return TruncatedResponseError("the connection ended before the answer did", subject=subject)
    if isinstance(error, _TIMEOUTS):
        phase = next((name for kinds, name in _PHASES if isinstance(error, kinds)), "waiting")
        return TimedOutError(f"timed out while {phase}", subject=subject, outcome=outcome)
    what = "no connection could be made" if outcome == "not sent" else "the connection broke"
    return ConnectionFailedError(what, subject=subject, hint="check the address and the network", outcome=outcome)


def _is_of_tls(error: BaseException | None) -> bool:
    """Tell whether an encrypted connection was refused, anywhere down the chain of causes."""
    for _ in range(8):
        if error is None:
            return False
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return True
        error = error.__cause__ or error.__context__
    return False
