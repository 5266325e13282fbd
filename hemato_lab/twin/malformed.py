"""What is no HTTP is refused in the vendor's envelope too; the web server alone would answer it in plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hemato_lab.twin.exchange import JSON_TYPE, refused
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.reporting import PRODUCER

if TYPE_CHECKING:
    import asyncio


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
    """Return the web server's own HTTP protocol with this one answer changed."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    return type("Protocol", (AutoHTTPProtocol,), {"send_400_response": _refuse})


def _refuse(connection: Any, _message: str) -> None:
    connection.transport.write(refusal_of_malformed())
    connection.transport.close()
