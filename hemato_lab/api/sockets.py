"""A deadline for everything that one thread does on its sockets.

The timeouts of an HTTP library hold for each piece: a server that sends a byte a second never meets them. The streams
here look at the deadline of the running exchange before each piece and give it no more than the time that is left.
"""

from __future__ import annotations

import socket
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import httpcore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable
    from typing import Any

DEADLINE: Final[ContextVar[float | None]] = ContextVar("hemato_lab_exchange_deadline", default=None)
"""Monotonic time at which the exchange of this thread has to end."""
_PIECE: Final = 1 << 18


def _left(timeout: float | None) -> float | None:
    deadline = DEADLINE.get()
    if deadline is None:
        return timeout
    left = max(0.001, deadline - time.monotonic())
    return left if timeout is None else min(timeout, left)


def _is_over() -> bool:
    deadline = DEADLINE.get()
    return deadline is not None and time.monotonic() >= deadline


class DeadlineStream(httpcore.NetworkStream):
    """A stream whose every read and write ends with the exchange's deadline."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, at most `max_bytes`."""
        if _is_over():
            raise httpcore.ReadTimeout("deadline")
        return self._stream.read(max_bytes, timeout=_left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write everything."""
        connection = self._stream.get_extra_info("socket")
        if not isinstance(connection, socket.socket):  # TLS within TLS has no socket of its own to send on
            self._stream.write(buffer, timeout=_left(timeout))
            return
        rest = memoryview(buffer)
        try:
            while rest:
                if _is_over():
                    raise httpcore.WriteTimeout("deadline")
                connection.settimeout(_left(timeout))
                rest = rest[connection.send(rest[:_PIECE]) :]
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
        """Return what the library asks about the stream."""
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Makes connections within the exchange's deadline."""

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
        """Connect."""
        return DeadlineStream(self._backend.connect_tcp(host, port, _left(timeout), local_address, socket_options))
