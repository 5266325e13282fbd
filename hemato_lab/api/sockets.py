"""What the pools of connections lack: a deadline over everything, and an eye for answers that nobody asked for.

The timeouts of an HTTP library hold for each piece: a server that sends a byte a second never meets them. The blocking
streams here look at the deadline of the running exchange before each piece and give it no more than the time that is
left; the asynchronous client has the deadline of its event loop.

Both kinds of streams watch where an answer ends. What comes after it would be taken for the answer to the next request
on the same connection; such a connection is not used again.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio
import h11
import httpcore

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class Passage:
    """What is known of one exchange while it runs.

    Attributes
    ----------
    deadline : float
        Monotonic time at which it has to end.
    begun : bool
        Whether a byte of the request may have left.
    stop : threading.Event or None
        Ends it before its time.
    """

    deadline: float
    begun: bool = False
    stop: threading.Event | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has to end now."""
        return time.monotonic() >= self.deadline or (self.stop is not None and self.stop.is_set())


PASSAGE: Final[ContextVar[Passage | None]] = ContextVar("hemato_lab_passage", default=None)
"""The exchange of this thread or task."""
_PIECE: Final = 1 << 18
_LOOK_UP_S: Final = 0.25


class _OfOthers(logging.Filter):
    """Lets through what a log says of exchanges that are not ours: what it says of ours holds all headers."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 (whatever it says)
        return PASSAGE.get() is None


for _part in ("connection", "http11", "http2", "proxy", "socks"):
    logging.getLogger(f"httpcore.{_part}").addFilter(_OfOthers())


def _left(timeout: float | None) -> float | None:
    passage = PASSAGE.get()
    if passage is None:
        return timeout
    left = max(0.001, passage.deadline - time.monotonic())
    return left if timeout is None else min(timeout, left)


def _is_over() -> bool:
    passage = PASSAGE.get()
    return passage is not None and passage.is_over


def _slice(until: float | None) -> float | None:
    """Return the seconds to wait at a time: what can be stopped looks up now and then whether it is."""
    left = _left(None if until is None else max(0.001, until - time.monotonic()))
    passage = PASSAGE.get()
    if passage is None or passage.stop is None:
        return left
    return _LOOK_UP_S if left is None else min(left, _LOOK_UP_S)


def _note_begun() -> None:
    passage = PASSAGE.get()
    if passage is not None:
        passage.begun = True


class AnswerWatch:
    """Reads along on one connection and knows whether more came than the answers that were asked for.

    Attributes
    ----------
    surplus : bool
        Whether it did, so that the connection must not be used for another request.
    """

    def __init__(self) -> None:
        self.surplus = False
        self._ended = False
        self._reader: h11.Connection | None = None

    def sent(self) -> None:
        """Take note that a part of a request leaves."""
        if self._ended:
            self._ended, self._reader = False, None

    def received(self, data: bytes) -> None:
        """Take note of what came; nothing means that the other side has closed."""
        if self.surplus or self._ended or not data:
            self.surplus = True
            return
        more = _bytes_after_answer(data) if self._reader is None else None
        if more is None:
            self._read_along(data)
        else:
            self._ended, self.surplus = True, more > 0

    def _read_along(self, data: bytes) -> None:
        if self._reader is None:
            self._reader = h11.Connection(h11.CLIENT)
            # The end of an answer to GET is that of one to POST; for CONNECT it is not, but then nothing is reused.
            self._reader.send(h11.Request(method="GET", target="/", headers=[("host", "any")]))
            self._reader.send(h11.EndOfMessage())
        try:
            self._reader.receive_data(data)
            while (event := self._reader.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
                if isinstance(event, h11.EndOfMessage):
                    self._ended = True
                    self.surplus = bool(self._reader.trailing_data[0])
                    return
        except h11.RemoteProtocolError:
            self.surplus = True


_PLAIN_HEAD: Final = re.compile(rb"HTTP/1\.1 (?!204|304)[2-5][0-9]{2}[ \r]")
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*(?=\r\n|$)")


def _bytes_after_answer(data: bytes) -> int | None:
    """Return how many bytes come after an answer that is all there with its length, None where it is not so simple."""
    head, end, body = data.partition(b"\r\n\r\n")
    lengths = _LENGTH.findall(head)
    if not end or not _PLAIN_HEAD.match(head) or len(lengths) != 1 or b"transfer-encoding" in head.lower():
        return None
    more = len(body) - int(lengths[0])
    return more if more >= 0 else None


class DeadlineStream(httpcore.NetworkStream):
    """A stream whose every read and write ends with the exchange's deadline."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._watch = AnswerWatch()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, at most `max_bytes`."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            if _is_over():
                raise httpcore.ReadTimeout("deadline")
            try:
                data = self._stream.read(max_bytes, timeout=_slice(until))
            except httpcore.ReadTimeout:
                if until is None or time.monotonic() < until:
                    continue
                raise
            self._watch.received(data)
            return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write everything; the timeout holds for each piece of 256 KiB."""
        _note_begun()
        self._watch.sent()
        rest = memoryview(buffer)
        until = None if timeout is None else time.monotonic() + timeout
        while rest:
            if _is_over():
                raise httpcore.WriteTimeout("deadline")
            try:
                rest = rest[self._write_some(rest[:_PIECE], _slice(until)) :]
            except httpcore.WriteTimeout:
                if until is None or time.monotonic() < until:
                    continue
                raise
            until = None if timeout is None else time.monotonic() + timeout

    def _write_some(self, piece: memoryview, timeout: float | None) -> int:
        """Write a piece or the beginning of it and return its length, so that a slow taker meets the deadline."""
        connection = self._stream.get_extra_info("socket")
        # TLS within the TLS of a proxy has no socket of its own: what is sent on the proxy's is open to the proxy.
        nested = isinstance(self._stream.get_extra_info("ssl_object"), ssl.SSLObject)
        if nested or not isinstance(connection, socket.socket):
            self._stream.write(bytes(piece), timeout=timeout)
            return len(piece)
        try:
            connection.settimeout(timeout)
            return connection.send(piece)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.WriteError(str(error)) from None

    def close(self) -> None:
        """Close."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Go on encrypted."""
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        """Return what the library asks about the stream: an idle one that can be read from is not used again."""
        return (info == "is_readable" and self._watch.surplus) or self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Makes connections within the exchange's deadline, looking up of names included."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host that answers; each has its share of the time."""
        limit = _left(timeout)
        end = None if limit is None else time.monotonic() + limit
        addresses = _addresses(host, port, limit)
        failure: Exception = httpcore.ConnectError("the host has no address")
        for tried, address in enumerate(addresses):
            share = None if end is None else max(0.001, (end - time.monotonic()) / (len(addresses) - tried))
            try:
                stream = self._backend.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return DeadlineStream(stream)
        raise failure


def _addresses(host: str, port: int, timeout: float | None) -> list[str]:
    """Look up the addresses of a host, which the system cannot be told to do in so many seconds: in a thread."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return [host]
    found: Future[list[Any]] = Future()

    def look_up() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 (raised again where it is waited for)
            found.set_exception(error)

    threading.Thread(target=look_up, name="hemato_lab-look-up", daemon=True).start()
    try:
        entries = found.result(timeout)
    except TimeoutError:
        raise httpcore.ConnectTimeout("the name was not found in time") from None
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


class WatchedStream(httpcore.AsyncNetworkStream):
    """An asynchronous stream that watches where answers end, and writes in pieces, each with the phase's timeout."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._watch = AnswerWatch()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, at most `max_bytes`."""
        data = await self._stream.read(max_bytes, timeout=timeout)
        self._watch.received(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write everything."""
        _note_begun()
        self._watch.sent()
        for start in range(0, len(buffer), _PIECE):
            await self._stream.write(buffer[start : start + _PIECE], timeout=timeout)

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Go on encrypted; a connection that is given up in the middle of it is closed."""
        try:
            return WatchedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:  # cancelling is how the deadline comes, and the library closes after errors alone
            with anyio.CancelScope(shield=True):
                await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        """Return what the library asks about the stream: an idle one that can be read from is not used again."""
        known = self._stream.get_extra_info(info)
        return self._watch.surplus or known or self._holds_more() if info == "is_readable" else known

    def _holds_more(self) -> bool:
        """Tell whether there is more that came from the socket already and waits to be decrypted."""
        encrypted = self._stream.get_extra_info("ssl_object")
        if not isinstance(encrypted, ssl.SSLObject):
            return False
        try:
            encrypted.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            pass
        return True


class WatchedBackend(httpcore.AsyncNetworkBackend):
    """Makes the connections of the asynchronous client."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect."""
        try:
            return WatchedStream(await self._backend.connect_tcp(host, port, timeout, local_address, socket_options))
        except UnicodeError as error:
            raise httpcore.ConnectError(str(error)) from None

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._backend.sleep(seconds)
