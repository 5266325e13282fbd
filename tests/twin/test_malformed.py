"""What is no HTTP, byte for byte over a socket: refused in the envelope, and the server lives on."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from tests.twin.described import validator
from tests.twin.fuzzed_twin import FuzzedTwin

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "Host: 127.0.0.1"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with FuzzedTwin(tmp_path_factory.mktemp("twin"), prepared=False) as running:
        yield int(running.url.rpartition(":")[2])


def said(port: int, request: bytes) -> bytes:
    """Return everything that is answered until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def request(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello \r\n\r\n",
        request("GETS /heartbeat HTTP/1.1", HOST),
        request("GET /heartbeat HTTP/9.9", HOST),
        request("GET /heartbeat HTTP/1.1", HOST, "Accept: a\x7fb"),
        request("GET /heartbeat HTTP/1.1", HOST, "no colon"),
        request("POST /pbs HTTP/1.1", HOST, "Content-Length: two"),
        request("POST /pbs HTTP/1.1", HOST, "Content-Length: -1"),
        request("POST /pbs HTTP/1.1", HOST, "Content-Length: 2", "Transfer-Encoding: chunked", body=b"{}"),
        request("GET /heartbeat HTTP/1.1", HOST, "Bad Name: 1"),
    ],
)
def test_refused_in_the_envelope(port: int, sent: bytes) -> None:
    head, _, body = said(port, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/json" in head
    assert b"connection: close" in head
    document = json.loads(body)
    validator({"$ref": "#/components/schemas/Refusal"}).validate(document)
    assert (document["status"], document["error"]) == (400, "bad_request")
    assert f"content-length: {len(body)}".encode() in head


def test_what_is_http_is_answered_as_ever(port: int) -> None:
    answer = said(port, request("GET /heartbeat HTTP/1.1", HOST, "Connection: close"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"heartbeat"' in answer
