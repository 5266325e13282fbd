"""Sockets that must never be reached, and an eye on every connection that this process tries to make."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from typing import TYPE_CHECKING, Any, Self

from tests.twin.web import HOST

if TYPE_CHECKING:
    import pytest

_WATCHING: list[list[str]] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        for seen in _WATCHING:
            seen.append(arguments[1][0])


sys.addaudithook(_note)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return two sockets that listen at one port, of `HOST` and of where everything else of this machine is."""
    while True:
        free = socket.create_server((HOST, 0))
        try:
            return free, socket.create_server(("127.0.0.1", free.getsockname()[1]), backlog=64)
        except OSError:
            free.close()


class Tripwires:
    """Listens at the addresses of this machine that are blocked, all at one port, while its context lasts.

    Attributes
    ----------
    tried : list of str
        Every address that was connected to, or tried. What lies beyond loopback is noted and then found unreachable,
        so that a test can let something try it.
    free : socket.socket
        Listens at the same port of `HOST`, for a test's web server.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tried: list[str] = []
        self._seen: list[str] = []
        self.free, first = _pair()
        self.port: int = self.free.getsockname()[1]
        self._listeners = [first]
        for address in ("127.0.0.53", "127.1.2.3", "127.255.255.254", "::1"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with contextlib.suppress(OSError):  # not every machine has all of them
                self._listeners.append(socket.create_server((address, self.port), family=family, backlog=64))
        connect = socket.create_connection

        def watched(address: tuple[str, int], *arguments: Any, **options: Any) -> socket.socket:
            self.tried.append(address[0])
            if address[0] != "::1" and not address[0].startswith("127."):
                raise OSError(errno.ENETUNREACH, "unreachable")
            return connect(address, *arguments, **options)

        monkeypatch.setattr(socket, "create_connection", watched)

    def __enter__(self) -> Self:
        _WATCHING.append(self._seen)
        for listener in self._listeners:
            listener.settimeout(0)
        return self

    def __exit__(self, *_: object) -> None:
        _WATCHING.remove(self._seen)
        for listener in (*self._listeners, self.free):
            listener.close()

    def reached(self) -> int:
        """Return how many connections came since the last look."""
        count = 0
        for listener in self._listeners:
            with contextlib.suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
                    count += 1
        return count

    def untouched(self, *but: str) -> bool:
        """Tell whether nothing was connected to, nor tried, except for the addresses given."""
        permitted = {HOST, *but}
        return self.reached() == 0 and set(self._seen) <= permitted and set(self.tried) <= permitted
