"""Names are looked up once, and connections made to the addresses found: looked up again, a name may lead elsewhere."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import httpcore

from hemato_lab.api.sockets import PASSAGE, DeadlineBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hemato_lab.twin.addresses import Address


def look_up(resolve: Callable[..., Iterable[Any]], name: str, port: int, most_s: float) -> list[str]:
    """Return what a name leads to, within so many seconds and the time of the running exchange.

    Parameters
    ----------
    resolve : callable
        As `socket.getaddrinfo`, which cannot be told how long it may take, so it runs in a thread.

    Raises
    ------
    TimeoutError
        If it was not found in time.
    OSError, UnicodeError
        If it leads nowhere, or cannot be a name.
    """
    found: Future[list[str]] = Future()

    def work() -> None:
        try:
            entries = resolve(name, port, type=socket.SOCK_STREAM)
            found.set_result([str(entry[4][0]) for entry in entries])
        except Exception as error:  # noqa: BLE001 (raised again where it is waited for)
            found.set_exception(error)

    passage = PASSAGE.get()
    left = most_s if passage is None else min(most_s, passage.deadline - time.monotonic())
    threading.Thread(target=work, name="hemato_lab-look-up", daemon=True).start()
    return found.result(max(0.0, left))


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to addresses that were judged, whatever name the library asks for."""

    def __init__(self, addresses: tuple[Address, ...]) -> None:
        self._addresses = addresses
        self._backend = DeadlineBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 (its name is not looked up again)
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first that answers; each has its share of the time."""
        end = None if timeout is None else time.monotonic() + timeout
        failure: Exception = httpcore.ConnectError("the host has no address")
        for tried, address in enumerate(self._addresses):
            share = None if end is None else max(0.001, (end - time.monotonic()) / (len(self._addresses) - tried))
            try:
                return self._backend.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure
