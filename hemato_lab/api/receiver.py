"""Receivers of the service's callbacks: a core without a network, an ASGI application, a small server for notebooks.

The signed address says which study a call is about; the body says nothing that is believed, so it is never parsed
(api/DECISIONS.md rows 22 and 23). No address is ever logged, since it is as good as a key until it expires.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from hemato_lab.api.callbacks import CallbackSigner, checked_base
from hemato_lab.api.hints import Hints
from hemato_lab.errors import CallbackError, ConfigError, ReplayedCallbackError

if TYPE_CHECKING:
    from io import BufferedIOBase

LARGEST_BODY: Final = 65_536
"""Bytes."""
MOST_SPENT: Final = 100_000
"""Subjects that are remembered as used up; an address of one forgotten lives on until it expires, as a mere hint."""
_MOST_CONNECTIONS: Final = 128
_IDLE_S: Final = 10.0
_LAST_CALLS_S: Final = 5.0
_LARGEST_DRAIN: Final = 1_048_576

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

_logger = logging.getLogger(__name__)


class CallbackHandler:
    """Decides about one call from outside; knows no network, and may be used from any thread.

    Parameters
    ----------
    signer : CallbackSigner
        Whose addresses are accepted.
    on_hint : callable
        Called with the subject of each call that is accepted; may block, and may come twice for one event.
    """

    def __init__(self, signer: CallbackSigner, *, on_hint: Callable[[str], None]) -> None:
        self._signer = signer
        self._on_hint = on_hint
        self._spent: dict[str, None] = {}
        self._lock = threading.Lock()

    @property
    def asgi(self) -> AsgiApplication:
        """The same as an ASGI 3 application; see `asgi_application`."""
        return asgi_application(self)

    def spend(self, subject: str) -> None:
        """Use up the addresses of a subject, once its study has ended: a later call is a replay."""
        with self._lock:
            self._spent.pop(subject, None)
            self._spent[subject] = None
            if len(self._spent) > MOST_SPENT:
                del self._spent[next(iter(self._spent))]

    def check(self, path: str) -> str:
        """Return the subject of an address that was called.

        Raises
        ------
        ForgedCallbackError
            If the signature is not ours.
        StaleCallbackError
            If the time of the address is up.
        ReplayedCallbackError
            If the study ended before.
        """
        subject = self._signer.verify(path)
        with self._lock:
            spent = subject in self._spent
        if spent:
            raise ReplayedCallbackError("the callback address was used up when its study ended", subject=subject)
        return subject

    def handle(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str]]:
        """Answer one call.

        Parameters
        ----------
        method : str
            As in the request; only POST is one of a callback.
        path : str
            As in the request, still quoted.
        body : bytes
            Anything of at most 64 KiB, or nothing.

        Returns
        -------
        status : int
            200; 400 for a body too large; 403 for a forged or stale address; 405; 410 for one used up; 500 if the hint
            could not be passed on, so that the sender tries again.
        answer : dict
            To be sent as JSON.
        """
        if method != "POST":
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed")
        try:
            subject = self.check(path)
        except ReplayedCallbackError as error:
            return _refusal(HTTPStatus.GONE, error.code)
        except CallbackError as error:
            return _refusal(HTTPStatus.FORBIDDEN, error.code)
        if len(body) > LARGEST_BODY:
            return _refusal(HTTPStatus.BAD_REQUEST, "body-too-large")
        try:
            self._on_hint(subject)
        except Exception as error:  # noqa: BLE001 (whatever it is, the sender must hear of it and try again)
            # Its type alone: the message may hold what the caller never meant for a log.
            _logger.warning("a callback could not be passed on: %s", type(error).__name__)
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "not-passed-on")
        _logger.debug("callback about %r", subject)
        return int(HTTPStatus.OK), {"status": "ok"}


def _refusal(status: HTTPStatus, code: str) -> tuple[int, dict[str, str]]:
    return int(status), {"error": code}


def asgi_application(handler: CallbackHandler) -> AsgiApplication:
    """Return an ASGI 3 application that answers callbacks; mount it under any path of a web application.

    Raises
    ------
    NotImplementedError
        By the application, when it is asked for anything but http and lifespan, as ASGI wants it.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError("callbacks come by http only")
        body = await _body(receive)
        if body is None:
            return
        status, answer = await asyncio.to_thread(handler.handle, scope["method"], _raw_path(scope), body)
        content = json.dumps(answer).encode()
        headers = [(name.lower().encode(), value.encode()) for name, value in _headers(status, content)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return application


async def _live(receive: Receive, send: Send) -> None:
    while True:
        asked = (await receive())["type"]
        await send({"type": f"{asked}.complete"})
        if asked == "lifespan.shutdown":
            return


async def _body(receive: Receive) -> bytes | None:
    """Return a body, cut short once it is too large, or None when the sender has left."""
    body = bytearray()
    while len(body) <= LARGEST_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")[: LARGEST_BODY + 1]
        if not message.get("more_body", False):
            break
    return bytes(body)


def _raw_path(scope: Scope) -> str:
    """Return the path as it was sent; servers that only give it unquoted have it quoted again."""
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw else quote(scope["path"], safe="/")
    # No address made here has a query, so one that has it must be refused.
    return f"{path}?" if scope.get("query_string") else path


def _headers(status: int, content: bytes) -> list[tuple[str, str]]:
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    return [*headers, ("Allow", "POST")] if status == HTTPStatus.METHOD_NOT_ALLOWED else headers


class CallbackReceiver:
    """A small server of this process for callbacks; it listens from its making to `close`, or as a context manager.

    Parameters
    ----------
    signer : CallbackSigner or None
        Whose addresses are made and accepted; one with a secret of its own when None.
    hints : Hints or None
        Where hints go; new ones when None.
    host : str
        The address of this machine to listen at.
    port : int
        0 for any that is free.
    public_url : str or None
        The https address by which the service reaches this server through a proxy or tunnel. Without it addresses are
        those of loopback, which only a twin on the same machine can call.

    Raises
    ------
    InsecureAddressError
        If `public_url`, or without it `host`, may not be called (api/DECISIONS.md row 27).
    ConfigError
        If it cannot listen at this host and port.
    """

    def __init__(
        self,
        *,
        signer: CallbackSigner | None = None,
        hints: Hints | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
    ) -> None:
        named = f"[{host}]" if ":" in host else host
        checked_base(public_url or f"http://{named}:{port or 1}")  # 0 stands for one that is not known yet
        self.hints = Hints() if hints is None else hints
        self._signer = CallbackSigner.generate() if signer is None else signer
        self._handler = CallbackHandler(self._signer, on_hint=self.hints.give)
        try:
            self._server = _Server(host, port, self._handler)
        except OSError as error:
            raise ConfigError(f"cannot listen at {host} port {port}: {error.strerror}", hint="try port 0") from None
        self.base_url = checked_base(public_url or f"http://{named}:{self._server.server_port}")
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="callback receiver", daemon=True
        )
        self._thread.start()

    def __repr__(self) -> str:
        return f"CallbackReceiver({self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def url(self, subject: str) -> str:
        """Return a signed address about a subject, to be handed to the service as ``callback_url``.

        Raises
        ------
        ConfigError
            If the subject is empty, too long, or cannot stand in an address.
        """
        return self._signer.url(self.base_url, subject)

    def spend(self, subject: str) -> None:
        """Use up the addresses of a subject, once its study has ended."""
        self._handler.spend(subject)

    def close(self) -> None:
        """Stop listening and close every connection; may be called more than once."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.close_connections()


class _Server(ThreadingHTTPServer):
    """One thread a connection; knows its open connections, to close them when it ends."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, handler: CallbackHandler) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.handler = handler
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__((host, port), _Request)

    def server_bind(self) -> None:
        """Bind without asking for the name of this machine, which may go out to the network and take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection and remember it."""
        connection, address = super().get_request()
        with self._changed:
            self._open.add(connection)
        return connection, address

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002
        """Drop connections beyond what is ever needed; the hint they may bring is found by polling."""
        with self._changed:
            return len(self._open) <= _MOST_CONNECTIONS

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and forget it."""
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Say nothing of connections that break: the standard library would print them with the address."""
        _logger.debug("a connection of the callback receiver broke")

    def close_connections(self) -> None:
        """Wake the threads that read from a connection and wait until all are closed."""
        with self._changed:
            for connection in self._open:
                with suppress(OSError):  # it ended by itself
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, _LAST_CALLS_S)


class _Request(BaseHTTPRequestHandler):
    """One request a connection."""

    protocol_version = "HTTP/1.1"  # without it nobody is told to go on who asks before sending a body
    timeout = _IDLE_S
    server: _Server

    def _answer(self) -> None:
        body = self._read_body()
        if body is None:
            self._reply(*_refusal(HTTPStatus.BAD_REQUEST, "bad-request"))
        else:
            self._reply(*self.server.handler.handle(self.command, self.path, body))

    do_POST = do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _answer  # noqa: N815

    def _read_body(self) -> bytes | None:
        """Return the body, cut short once it is too large, or None if its length makes no sense."""
        lengths = self.headers.get_all("Content-Length", [])
        codings = self.headers.get_all("Transfer-Encoding", [])
        if codings:
            return _chunks(self.rfile) if not lengths and [name.lower() for name in codings] == ["chunked"] else None
        if not lengths:
            return b""
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) <= 12):
            return None
        asked = min(int(lengths[0]), LARGEST_BODY + 1)
        body = self.rfile.read(asked)
        return body if len(body) == asked else None

    def _reply(self, status: int, answer: dict[str, str]) -> None:
        content = json.dumps(answer).encode()
        self.close_connection = True
        self.send_response_only(status)
        for name, value in [*_headers(status, content), ("Date", self.date_time_string()), ("Connection", "close")]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        # Closing while the rest of a body is still coming would reset the connection before the answer is read.
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
        left = _LARGEST_DRAIN
        while left > 0 and (read := self.rfile.read1(min(left, LARGEST_BODY))):
            left -= len(read)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Refuse what is no HTTP in the same form as everything else; the standard page repeats the address."""
        self._reply(*_refusal(HTTPStatus(code), "bad-request"))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet: the standard library would print the address."""


def _chunks(stream: BufferedIOBase) -> bytes | None:
    """Return a body sent in chunks, cut short once it is too large, or None if it is none."""
    body = bytearray()
    while len(body) <= LARGEST_BODY:
        size = stream.readline(256).partition(b";")[0].strip()
        if not 0 < len(size) <= 8 or size.strip(b"0123456789abcdefABCDEF"):
            return None
        asked = min(int(size, 16), LARGEST_BODY + 1)
        if asked == 0:
            break
        chunk = stream.read(asked)
        if len(chunk) != asked or (asked <= LARGEST_BODY and stream.read(2) != b"\r\n"):
            return None
        body += chunk
    return bytes(body)
