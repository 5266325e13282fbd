"""The fake service behind a real HTTP/1.1 server on loopback, with faults that only sockets have.

``python -m tests.api.loopback TOKEN`` starts one in a process of its own, accepts that token, prints the address and
serves until it is terminated.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Self

import h11

from tests.api.fake_service import FakeService
from tests.api.transports import bomb, html_page, redirect

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from tests.api.recording import Answer

DRIP_S = 0.05
GRACE_S = 5.0
PIECE = 1 << 20
NO_LINGER = struct.pack("ii", 1, 0)


class Behaviour(Enum):
    """What the server does with one request instead of answering it well."""

    RESET_BEFORE_READING = "reset as soon as the headers are there"
    RESET_AFTER_PROCESSING = "processed, then reset"
    CLOSE_AFTER_PROCESSING = "processed, then closed without an answer"
    SILENT = "processed, and no answer until the server closes"
    DRIP_HEADERS = "processed; one byte of the head each 50 ms"
    DRIP_BODY = "processed; the head at once, one byte of the body each 50 ms"
    TRUNCATE_BODY = "processed; half of what Content-Length says, then closed"
    TWICE = "processed; the answer is written twice"
    GZIP_BOMB = "processed; the answer unpacks to 72 MiB"
    REDIRECT = "not processed; 302 to another host"
    HTML = "not processed; 200 with a page of a proxy"
    NEVER_READ = "the body is never read, so that the client's writes block"


class LoopbackServer:
    """Serves a fake service in a thread of its own while its context lasts.

    Each request takes one of `behaviours`; None, or nothing left, is the normal one. At the end, answers under way are
    finished and idle connections closed.
    """

    def __init__(self, service: FakeService, behaviours: Iterable[Behaviour | None] = (), *, port: int = 0) -> None:
        self.service = service
        self.behaviours: deque[Behaviour | None] = deque(behaviours)
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)  # few large reads are a third faster
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="loopback", daemon=True)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        server = await asyncio.start_server(self._converse, sock=self._listener, limit=PIECE)
        self._started.set()
        await self._closing.wait()
        server.close()
        await asyncio.sleep(0)  # connections accepted just now get their tasks
        for task in tuple(self._idle):
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(tuple(self._tasks), timeout=GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await server.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            exchange = Exchange(self, reader, writer)
            while not self._closing.is_set() and await exchange.once(task):
                pass
        except (OSError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass  # the client went away, or the server closes
        finally:
            self._tasks.discard(task)
            self._idle.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


class Exchange:
    """The requests and answers of one connection, one after the other."""

    def __init__(self, server: LoopbackServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._connection = h11.Connection(h11.SERVER)

    async def once(self, task: asyncio.Task[Any]) -> bool:
        """Take one request and answer it; return whether the connection stays open."""
        self._server._idle.add(task)
        request = await self._next_event()
        self._server._idle.discard(task)
        if not isinstance(request, h11.Request):
            return False
        behaviour = self._server.behaviours.popleft() if self._server.behaviours else None
        if behaviour is Behaviour.RESET_BEFORE_READING:
            return self._reset()
        if behaviour is Behaviour.NEVER_READ:
            return await self._never_read()
        if self._connection.they_are_waiting_for_100_continue:
            self._writer.write(self._sent(h11.InformationalResponse(status_code=100, headers=[])))
        answer = self._answer(request, await self._body(), behaviour)
        if not await self._give(answer, behaviour) or self._connection.our_state is not h11.DONE:
            return False
        self._connection.start_next_cycle()
        return True

    def _answer(self, request: h11.Request, body: bytes, behaviour: Behaviour | None) -> Answer:
        if behaviour is Behaviour.REDIRECT:
            return redirect(302)
        if behaviour is Behaviour.HTML:
            return html_page(200)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        answer = self._server.service.respond(request.method.decode(), request.target.decode(), headers, body)
        return bomb() if behaviour is Behaviour.GZIP_BOMB else answer

    async def _give(self, answer: Answer, behaviour: Behaviour | None) -> bool:
        if behaviour is Behaviour.RESET_AFTER_PROCESSING:
            return self._reset()
        if behaviour is Behaviour.SILENT:
            await self._server._closing.wait()
        if behaviour in {Behaviour.SILENT, Behaviour.CLOSE_AFTER_PROCESSING}:
            return False
        headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
        head = self._sent(h11.Response(status_code=answer.status, headers=headers))
        body = self._sent(h11.Data(data=answer.body)) + self._sent(h11.EndOfMessage())
        if behaviour is Behaviour.DRIP_HEADERS:
            return await self._drip(head) and await self._write(body)
        if behaviour is Behaviour.DRIP_BODY:
            return await self._write(head) and await self._drip(body)
        if behaviour is Behaviour.TRUNCATE_BODY:
            await self._write(head + body[: len(body) // 2])
            return False
        return await self._write((head + body) * (2 if behaviour is Behaviour.TWICE else 1))

    async def _next_event(self) -> Any:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            self._connection.receive_data(await self._reader.read(PIECE))
        return event

    async def _body(self) -> bytes:
        pieces = []
        while isinstance(event := await self._next_event(), h11.Data):
            pieces.append(bytes(event.data))
        return b"".join(pieces)

    def _sent(self, event: Any) -> bytes:
        return self._connection.send(event) or b""

    async def _write(self, data: bytes) -> bool:
        self._writer.write(data)
        await self._writer.drain()
        return True

    async def _drip(self, data: bytes) -> bool:
        for place in range(len(data)):
            if self._server._closing.is_set():
                return False
            await self._write(data[place : place + 1])
            await asyncio.sleep(DRIP_S)
        return True

    def _reset(self) -> bool:
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._writer.transport.abort()
        return False

    async def _never_read(self) -> bool:
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with suppress(RuntimeError):  # paused already, or closed
            self._writer.transport.pause_reading()  # type: ignore[attr-defined]
        await self._server._closing.wait()
        return self._reset()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the process is terminated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("token", help="accepted in Authorization")
    parser.add_argument("--port", type=int, default=0, help="any free one if not given")
    chosen = parser.parse_args(arguments)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    service = FakeService(static_tokens={chosen.token}, record=False, keep_bodies=False)
    with LoopbackServer(service, port=chosen.port) as server:
        print(server.url, flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
