"""Ways to the fake service without a socket: one that works, and one that fails in every way a network can."""

from __future__ import annotations

import functools
import json
import random
import re
import threading
import zlib
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import httpx

from tests.api.recording import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from tests.api.fake_service import FakeService

ELSEWHERE = "http://elsewhere.invalid/"
HTML = b"<!DOCTYPE html><html><body>Please sign in to the guest network</body></html>"
CHUNK = 65_536
BOMB_MIB = 72
_STUDY = re.compile(r"(?<=^/pbs/)[^/]+")


class Fault(Enum):
    """What goes wrong with one exchange, and whether the service processed the request before it did."""

    REFUSED = "ConnectError; not processed"
    RESET_BEFORE_SEND = "WriteError; not processed"
    RESET_AFTER_SEND = "processed, then ReadError"
    CONNECT_TIMEOUT = "ConnectTimeout; not processed"
    WRITE_TIMEOUT = "WriteTimeout; not processed"
    READ_TIMEOUT = "processed, then ReadTimeout"
    THROTTLED = "429 without Retry-After; not processed"
    THROTTLED_RETRY_AFTER = "429 with Retry-After: 1; not processed"
    INTERNAL = "500; processed or not"
    UNAVAILABLE = "503; not processed"
    TRUNCATED_JSON = "processed; half the body, of which Content-Length knows"
    HTML_PAGE = "200 or 502 with a page of a proxy; processed or not"
    WRONG_TYPES = "processed; JSON, but of other types than documented"
    SLOW_DRIP = "processed; ReadTimeout in the middle of the body"
    REDIRECT = "302 or 307 to another host; not processed"
    GZIP_BOMB = "200 with 70 kB that unpack to 72 MiB; processed or not"
    DUPLICATE = "processed; the last good answer of the same kind of request, about another study or file"


NOT_PROCESSED = {
    Fault.REFUSED,
    Fault.RESET_BEFORE_SEND,
    Fault.CONNECT_TIMEOUT,
    Fault.WRITE_TIMEOUT,
    Fault.THROTTLED,
    Fault.THROTTLED_RETRY_AFTER,
    Fault.UNAVAILABLE,
    Fault.REDIRECT,
}
COIN_FLIP = {Fault.INTERNAL, Fault.HTML_PAGE, Fault.GZIP_BOMB}
RAISED: dict[Fault, type[httpx.RequestError]] = {
    Fault.REFUSED: httpx.ConnectError,
    Fault.RESET_BEFORE_SEND: httpx.WriteError,
    Fault.RESET_AFTER_SEND: httpx.ReadError,
    Fault.CONNECT_TIMEOUT: httpx.ConnectTimeout,
    Fault.WRITE_TIMEOUT: httpx.WriteTimeout,
    Fault.READ_TIMEOUT: httpx.ReadTimeout,
}
ERRORS = {
    Fault.THROTTLED: (429, "throttled", {}),
    Fault.THROTTLED_RETRY_AFTER: (429, "throttled", {"retry-after": "1"}),
    Fault.INTERNAL: (500, "internal", {}),
    Fault.UNAVAILABLE: (503, "unavailable", {}),
}


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body as it comes from a socket: raw, in pieces, and with `error` after half of it if there is one."""

    def __init__(self, body: bytes, error: httpx.RequestError | None = None) -> None:
        self._body = body if error is None else body[: len(body) // 2]
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), CHUNK):
            yield self._body[start : start + CHUNK]
        if self._error is not None:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


def response_to(answer: Answer, error: httpx.RequestError | None = None) -> httpx.Response:
    """Return an answer as a response whose raw bytes can still be read."""
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    return httpx.Response(answer.status, headers=headers, stream=Chunks(answer.body, error))


def ask(service: FakeService, request: httpx.Request) -> Answer:
    """Hand a request that was read to the service."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return service.respond(request.method, request.url.raw_path.decode("ascii"), headers, request.content)


def mock_transport(service: FakeService) -> httpx.MockTransport:
    """Return a transport, synchronous and asynchronous, that never fails."""
    return httpx.MockTransport(lambda request: response_to(ask(service, request)))


@functools.cache
def gzip_bomb() -> bytes:
    """Return 72 MiB of JSON, packed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = [packer.compress(b'{"status": 200, "results": "')]
    packed += [packer.compress(b" " * 2**20) for _ in range(BOMB_MIB)]
    return b"".join([*packed, packer.compress(b'"}'), packer.flush()])


@dataclass(frozen=True)
class Draw:
    """What chance decided about one request; the same numbers are drawn whether or not they are used."""

    fault: Fault | None
    processed: bool
    variant: int


class FaultyTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands requests to the service, and spoils a share of the exchanges.

    The n-th request meets the same fate in every run with the same seed. `injected` counts the faults by kind.
    """

    def __init__(
        self, service: FakeService, share: float, *, seed: int = 0, faults: Sequence[Fault] = tuple(Fault)
    ) -> None:
        self.service = service
        self.share = share
        self.faults = tuple(faults)
        self.injected: Counter[Fault] = Counter()
        self._chance = random.Random(seed)  # noqa: S311 (repeatable, not secret)
        self._lock = threading.Lock()
        self._previous: dict[str, Answer] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._exchange(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._exchange(request)

    def _draw(self) -> Draw:
        with self._lock:
            strikes = self._chance.random() < self.share
            fault = self._chance.choice(self.faults)
            coin, variant = self._chance.random() < 0.5, self._chance.randrange(4)
            if strikes:
                self.injected[fault] += 1
        processed = fault not in NOT_PROCESSED and (coin or fault not in COIN_FLIP)
        return Draw(fault, processed, variant) if strikes else Draw(None, processed=True, variant=0)

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        draw = self._draw()
        fault = draw.fault
        previous, answer = self._processed(request, fault) if draw.processed else (None, None)
        if fault in RAISED:
            raise RAISED[fault](f"injected: {fault.name}", request=request)
        if fault in ERRORS:
            status, code, headers = ERRORS[fault]
            return response_to(self.service.error(status, code, headers=headers))
        if fault is Fault.SLOW_DRIP and answer is not None:
            return response_to(answer, httpx.ReadTimeout("injected: SLOW_DRIP", request=request))
        return response_to(self._spoilt(draw, answer, previous))

    def _processed(self, request: httpx.Request, fault: Fault | None) -> tuple[Answer | None, Answer]:
        """Let the service answer; return the last answer to the same kind of request that arrived, and this one.

        Only what arrived once can arrive twice. Errors are not kept: they name no study, so that nobody could tell
        them from one's own.
        """
        answer = ask(self.service, request)
        shape = f"{request.method} {_STUDY.sub('{id}', request.url.path)}"
        with self._lock:
            previous = self._previous.get(shape)
            arrives = fault is None or (fault is Fault.DUPLICATE and previous is None)
            if answer.status < 300 and arrives:
                self._previous[shape] = answer
        return previous, answer

    def _spoilt(self, draw: Draw, answer: Answer | None, previous: Answer | None) -> Answer:
        if draw.fault is Fault.HTML_PAGE:
            return html_page(502 if draw.variant % 2 else 200)
        if draw.fault is Fault.REDIRECT:
            return redirect(307 if draw.variant % 2 else 302)
        if draw.fault is Fault.GZIP_BOMB:
            return bomb()
        if answer is None:
            raise AssertionError(f"{draw.fault} needs an answer")
        if draw.fault is Fault.TRUNCATED_JSON:
            return Answer(answer.status, answer.headers, answer.body[: len(answer.body) // 2])
        if draw.fault is Fault.WRONG_TYPES:
            return Answer(answer.status, answer.headers, wrong_types(answer.body, draw.variant))
        return previous or answer if draw.fault is Fault.DUPLICATE else answer


def html_page(status: int) -> Answer:
    """Return the page of a proxy."""
    return Answer(status, {"content-type": "text/html; charset=utf-8"}, HTML)


def redirect(status: int) -> Answer:
    """Return an answer that sends the client to another host."""
    return Answer(status, {"location": ELSEWHERE}, b"")


def bomb() -> Answer:
    """Return an answer that unpacks to far more than was sent."""
    return Answer(200, {"content-type": "application/json", "content-encoding": "gzip"}, gzip_bomb())


def wrong_types(body: bytes, variant: int) -> bytes:
    """Return the JSON with a list for results, null for them, numbers for all of their members, or a list around it."""
    document: Any = json.loads(body)
    members = document.get("results", document) or {}
    spoilt: list[Any] = [
        {**document, "results": [members]},
        {**document, "results": None},
        {**document, "results": dict.fromkeys(members, 7)},
        [document],
    ]
    return json.dumps(spoilt[variant]).encode()
