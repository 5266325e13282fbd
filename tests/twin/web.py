"""A web server on loopback that answers with the very bytes that a test gives it, and one name that leads to it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import socketserver
import threading
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

HOST = "127.0.0.2"
"""Loopback, but not the address that everything else of this machine is at."""
NAME = "files.example"


class Web:
    """Answers while its context lasts.

    `answer` gets a request's head, and gives the pieces to send; then the connection is closed.
    """

    def __init__(
        self,
        answer: Callable[[bytes], Iterable[bytes]],
        *,
        tls: ssl.SSLContext | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        web = self
        self.requests: list[bytes] = []
        self.names: list[str | None] = []
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
                    connection = self.request
                    connection.settimeout(5)
                    if tls is not None:
                        connection = opened.enter_context(tls.wrap_socket(connection, server_side=True))
                    request = _read(connection)
                    web.requests.append(request)
                    for piece in answer(request):
                        connection.sendall(piece)

        self._server = socketserver.ThreadingTCPServer((HOST, 0), Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener or socket.create_server((HOST, 0), backlog=64)
        self.port: int = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], name="web")
        self.url = f"{'http' if tls is None else 'https'}://{NAME}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _read(connection: Any) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(65536)
        request += piece
        if not piece or request.startswith(b"\x16\x03"):  # the other side is gone, or speaks TLS
            return request
    head, _, body = request.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def always(*pieces: bytes) -> Callable[[bytes], Iterable[bytes]]:
    return lambda _: pieces


def dripping(first: bytes, drip: bytes = b"x") -> Callable[[bytes], Iterator[bytes]]:
    """Return an answer that begins well, and goes on with a byte each hundredth of a second for ten seconds."""

    def answer(request: bytes) -> Iterator[bytes]:
        yield first
        for _ in itertools.repeat(None, 1000):
            time.sleep(0.01)
            yield drip

    return answer


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def moved(location: str, status: str = "302 Found") -> bytes:
    return ok(b"", f"Location: {location}", status=status)


def entry(address: str, port: int) -> tuple[Any, ...]:
    """Return what a look-up finds, as `socket.getaddrinfo` writes it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = (address, port, 0, 0) if ":" in address else (address, port)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where


class Names:
    """Looks names up in a table of answers: each time the next one, and the last for ever."""

    def __init__(self, table: dict[str, list[list[str]]], default: list[str] | None = None) -> None:
        self._table = {name: list(answers) for name, answers in table.items()}
        self._default = default
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_options: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        answers = self._table.get(host, [] if self._default is None else [self._default])
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [entry(address, port) for address in addresses]


def to_web() -> Names:
    return Names({NAME: [[HOST]]})
