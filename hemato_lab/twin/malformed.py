"""What is no HTTP is refused in the vendor's envelope too; the web server alone would answer it in plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hemato_lab.twin.exchange import JSON_TYPE, refused
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.reporting import PRODUCER

if TYPE_CHECKING:
    import asyncio

LARGEST_HEAD: Final = 64 << 10
"""Bytes of a request's first line and headers."""


def refusal_of_malformed() -> bytes:
    """Return the whole answer, head and body, after which the connection is closed."""
    body = refused(Refusal("bad_request", {"reason": "malformed HTTP"})).envelope({"producer": PRODUCER})
    head = (
        "HTTP/1.1 400 Bad Request",
        f"content-type: {JSON_TYPE}",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body


def protocol() -> type[asyncio.Protocol]:
    """Return the web server's own HTTP protocol with this one answer changed, and with a limit to a request's head."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    members: dict[str, Any] = {"send_400_response": _refuse}
    if hasattr(AutoHTTPProtocol, "on_message_begin"):  # that of httptools; h11 has a limit of its own
        members |= _with_limited_head(AutoHTTPProtocol)
    return type("Protocol", (AutoHTTPProtocol,), members)


def _with_limited_head(base: Any) -> dict[str, Any]:
    """Return methods that refuse a head which does not end: the parser would collect headers for ever."""

    def on_message_begin(self: Any) -> None:
        self.head_bytes = 0
        base.on_message_begin(self)

    def on_headers_complete(self: Any) -> None:
        self.head_bytes = None
        base.on_headers_complete(self)

    def data_received(self: Any, data: bytes) -> None:
        if self.transport.is_closing():
            return
        base.data_received(self, data)
        if getattr(self, "head_bytes", None) is not None:
            self.head_bytes += len(data)
            if self.head_bytes > LARGEST_HEAD:
                _refuse(self, "")

    return {each.__name__: each for each in (on_message_begin, on_headers_complete, data_received)}


def _refuse(connection: Any, _message: str) -> None:
    connection.transport.write(refusal_of_malformed())
    connection.transport.close()
