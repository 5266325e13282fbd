"""The sockets: threads of the standard library that listen on 127.0.0.1 and hand requests to an `Exchange`."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self

from hemato_lab.errors import ConfigError
from hemato_lab.widgets.loopback.admission import HOST, Admission
from hemato_lab.widgets.loopback.exchange import MOST_BYTES, Exchange, Request, Response, text_response
from hemato_lab.widgets.loopback.sharing import SharedWidgets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hemato_lab.widgets.base import SmearWidget

_LOGGER: Final = logging.getLogger(__name__)
_SILENT_S: Final = 60.0
"""Seconds after which a connection that says nothing is closed."""
_STRANGER_S: Final = 5.0
"""Seconds in which a connection has to bring a whole request of somebody who is let in."""
_PIECE: Final = 1 << 16
_MOST_STRANGERS: Final = 64
"""Connections that nobody who is let in has used yet; beyond, the oldest has to go."""
_ENDING_S: Final = 3.0
"""Seconds for answers under way when the server ends."""


class LoopbackServer:
    """Shows widgets in browsers of this machine until it is closed.

    Parameters
    ----------
    widgets : sequence of SmearWidget
        From top to bottom of the page.
    title : str
        Of the page.
    words : str
        A line on the page about what it shows.
    port : int
        Where to listen; 0 takes any that is free.
    tell : callable
        Told in a line of text what the user should know of browsers that were refused.

    Raises
    ------
    ConfigError
        If the port is in use or not permitted.

    Notes
    -----
    Used as a context manager it answers from entering to leaving; what a page has decided is on disk before it is told
    so, and leaving waits a little for answers under way.
    """

    def __init__(
        self,
        widgets: Sequence[SmearWidget],
        *,
        title: str,
        words: str = "",
        port: int = 0,
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        try:
            self._server = _Server((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no such port"
            hint = "choose another port, or 0 for any that is free"
            raise ConfigError(f"cannot listen at port {port}: {reason}", subject="--port", hint=hint) from error
        keyed = {f"widget-{number}": widget for number, widget in enumerate(widgets, 1)}
        self._shared = SharedWidgets(keyed)
        self._admission = Admission(self._server.server_port, told=tell)
        self._server.exchange = Exchange(self._admission, self._shared, keyed, title=title, words=words)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def address(self) -> str:
        """What to open in a browser of this machine; who has it sees everything."""
        return self._admission.address

    def address_for_one(self) -> str:
        """Return an address that works once; see `Admission.address_for_one`."""
        return self._admission.address_for_one()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, after the answers under way."""
        self._shared.close()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.let_go(_ENDING_S)


class _Server(ThreadingHTTPServer):
    """Counts its connections, so that there are not too many and none is cut off in an answer."""

    daemon_threads = True
    request_queue_size = 128
    block_on_close = False
    # Elsewhere it would let two servers listen at one port.
    allow_reuse_address = os.name == "posix"
    exchange: Exchange

    def __init__(self, *arguments: Any) -> None:
        self._idle = threading.Condition()
        self._admitted: set[socket.socket] = set()
        self._strangers: dict[socket.socket, float] = {}
        self._answering = 0
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection; where there are too many of strangers, end the oldest of these."""
        with self._idle:
            if len(self._strangers) >= _MOST_STRANGERS:
                self._end_stranger(next(iter(self._strangers)))
            self._strangers[request] = time.monotonic()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._idle:
                self._admitted.discard(request)
                self._strangers.pop(request, None)

    def service_actions(self) -> None:
        """End the connections on which nobody has been let in for a while."""
        with self._idle:
            begin = time.monotonic() - _STRANGER_S
            for stranger in [one for one, since in self._strangers.items() if since < begin]:
                self._end_stranger(stranger)

    def admit(self, connection: socket.socket) -> None:
        """Keep a connection on which somebody was let in."""
        with self._idle:
            if self._strangers.pop(connection, None) is not None:
                self._admitted.add(connection)

    def _end_stranger(self, connection: socket.socket) -> None:
        del self._strangers[connection]
        with suppress(OSError):  # it has gone already
            connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 (the library calls it so)
        """Note what went wrong, without its words: these could hold names. Browsers come and go, that is nothing."""
        error = sys.exception()
        if not isinstance(error, OSError):
            _LOGGER.error("a connection ended with %s", type(error).__name__)

    def answering(self, change: int) -> None:
        """Count answers under way."""
        with self._idle:
            self._answering += change
            self._idle.notify_all()

    def let_go(self, within_s: float) -> None:
        """End the connections, as soon as no answer is under way."""
        with self._idle:
            self._idle.wait_for(lambda: self._answering == 0, within_s)
            for connection in (*self._admitted, *self._strangers):
                with suppress(OSError):  # it has gone already
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Reads one request after another from a connection."""

    protocol_version = "HTTP/1.1"
    timeout = _SILENT_S
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Answer a request that reads."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a message."""
        self._serve()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer what is no request of ours as everything else is answered."""
        self.close_connection = True
        self._send(text_response(code, "Not done in this way."))

    def version_string(self) -> str:
        """Return what the header Server says: no versions."""
        return "hemato-lab"

    def log_message(self, *_: object) -> None:
        """Write nothing: addresses hold the token."""

    def _serve(self) -> None:
        self.server.answering(1)
        try:
            self._send(self._response())
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        finally:
            self.server.answering(-1)

    def _response(self) -> Response:
        exchange = self.server.exchange
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers)
        refused = self._refused_length()
        if refused is not None:
            self.close_connection = True  # its body is not read
            return refused
        # What is refused is read too: a client that still sends would not see why.
        length, refused = int(self.headers.get("Content-Length", 0)), exchange.refusal(request)
        if refused is not None:
            self._skip(length)
            return refused
        if exchange.is_admitted(request):
            self.server.admit(self.connection)
        return exchange.respond(Request(self.command, self.path, headers, self.rfile.read(length)))

    def _skip(self, length: int) -> None:
        while length > 0 and (piece := self.rfile.read(min(length, _PIECE))):
            length -= len(piece)

    def _refused_length(self) -> Response | None:
        lengths = self.headers.get_all("Content-Length", ["0"] if self.command == "GET" else [])
        if len(lengths) != 1 or not lengths[0].isdecimal() or "Transfer-Encoding" in self.headers:
            return text_response(411, "The length of the content has to be stated, once.")
        if int(lengths[0]) > MOST_BYTES:
            return text_response(413, f"More than {MOST_BYTES} bytes.")
        return None

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
