"""A small review that is served, and a client that speaks as our page does."""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from hemato_lab.widgets.loopback import LoopbackServer
from hemato_lab.widgets.loopback.framing import pack_frame, unpack_frame
from hemato_lab.widgets.smear_review import SmearReview
from tests.analysed import analysis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["analysis"]


@pytest.fixture
def review(analysis, tmp_path) -> SmearReview:
    return SmearReview(analysis, decisions=tmp_path / "decisions.jsonl", reader="A")


@pytest.fixture
def server(review) -> Iterator[LoopbackServer]:
    with LoopbackServer([review.viewer, review.gallery], title="sample & <b>") as running:
        yield running


@dataclass
class Client:
    """A browser: it knows the address, keeps the cookie, and says what a page says."""

    address: str
    name: str = "page"
    cookie: str = ""
    seen: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    @property
    def path(self) -> str:
        return urlsplit(self.address).path

    def send(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, target, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def come(self) -> bytes:
        """Open the address as it was printed."""
        status, headers, _ = self.send("GET", self.path + "?" + urlsplit(self.address).query)
        assert (status, headers["Location"]) == (303, self.path)
        self.cookie = headers["Set-Cookie"].partition(";")[0]
        status, _, page = self.send("GET", self.path, headers={"Cookie": self.cookie})
        assert status == 200
        return page

    def page_headers(self) -> dict[str, str]:
        return {
            "Origin": f"http://{self.host}",
            "Cookie": self.cookie,
            "Content-Type": "application/octet-stream",
            **self.headers,
        }

    def post(self, what: str, buffers: tuple[bytes, ...] = (), **head: Any) -> tuple[list[dict[str, Any]], list[bytes]]:
        frame = pack_frame({"client": self.name, **head}, buffers)
        status, _, body = self.send("POST", self.path + what, frame, self.page_headers())
        assert status == 200, body
        answer, received = unpack_frame(body)
        if what in {"open", "wait"}:
            self.seen = answer["version"]
        return answer["messages"], received

    def ask(self, widget: str, kind: str, **fields: Any) -> tuple[dict[str, Any], list[bytes]]:
        messages, buffers = self.post("ask", widget=widget, content={"kind": kind, "request": "r", **fields})
        (message,) = messages
        return message["content"], [buffers[place] for place in message["buffers"]]


@pytest.fixture
def client(server) -> Client:
    one = Client(server.address)
    one.come()
    return one


@pytest.fixture
def second_client(server) -> Client:
    other = Client(server.address, "another")
    other.come()
    return other
