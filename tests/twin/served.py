"""Any ASGI application behind a real uvicorn on loopback, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """Tells when it serves, and ends as soon as it is told to instead of looking now and then."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = threading.Event()
        self._ended: asyncio.Event
        self.loop: asyncio.AbstractEventLoop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        try:
            await super().startup(sockets)
        finally:
            self.serving.set()

    async def main_loop(self) -> None:
        await self._ended.wait()

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self._ended.set)


class Served:
    """Serves an application while its context lasts.

    Parameters
    ----------
    options
        Of `uvicorn.Config`.
    """

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        # Only of a socket that says TCP does asyncio switch Nagle's delay off, which costs 40 ms an answer.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        quiet = {"interface": "asgi3", "log_config": None, "access_log": False, "ws": "none", "proxy_headers": False}
        self._server = _Server(uvicorn.Config(app, timeout_graceful_shutdown=2, **{**quiet, **options}))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="uvicorn", daemon=True)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it runs in."""
        return self._server.loop

    def __enter__(self) -> Self:
        self._thread.start()
        self._server.serving.wait()
        if not self._server.started:
            raise AssertionError("the application did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.end()
        self._thread.join()
        self._socket.close()
