"""What tests of the client share: a wire that answers as told, and both clients on both ways to the fake service."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx
import pytest

from hemato_lab.api import AsyncClient, Client, Clock, Policy, TokenAuth
from tests.api.fake_service import FakeService
from tests.api.loopback import Behaviour, LoopbackServer
from tests.api.pictures import jpeg
from tests.api.transports import ask, mock_transport, response_to
from tests.twin.not_of_the_twin import skip_what_is_not_of_the_twin
from tests.twin.twin_service import TwinServer, TwinService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from tests.api.recording import Answer, Received, Recording

DOCUMENTED_TOKEN = "HEMATO_AI_AUTH_TOKEN"  # noqa: S105 (the document's placeholder)
ISSUED_AT = 1682945428
"""Unix time of the sample token in the vendor's document."""
POLICY = Policy(
    first_wait_s=0.02,
    longest_wait_s=0.02,
    poll_first_s=0.01,
    poll_longest_s=0.02,
    call_s=10.0,
    upload_s=10.0,
    jitter=lambda: 0.5,
)
"""Waits so small that real ones do not matter."""


@pytest.fixture(scope="session")
def rsa_key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Wire:
    """Answers as it is told to and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: deque[tuple[int, Any]] = deque()
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        status, document = self.answers.popleft()
        content = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
        return httpx.Response(status, content=content.encode())

    @property
    def last(self) -> httpx.Request:
        return self.asked[-1]

    def will_answer(self, status: int, document: Any) -> None:
        self.answers.append((status, document))

    def assert_asked(
        self, method: str, url: str, body: Any = None, *, token: str | None = DOCUMENTED_TOKEN, which: int = -1
    ) -> None:
        """Compare a request, the last one if no other is meant; bytes are a raw body, an object is one of JSON."""
        request = self.asked[which]
        assert (request.method, str(request.url)) == (method, url)
        assert request.headers["accept"] == "application/json"
        assert request.headers.get_list("authorization") == ([] if token is None else [token])
        if isinstance(body, bytes) or body is None:
            assert request.content == (body or b"")
        else:
            assert request.headers["content-type"] == "application/json"
            assert json.loads(request.content) == body


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def connect(wire: Wire, tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Make blocking clients that talk over the wire, one try a call, at the second of the document's sample token."""
    clock = Clock(wall=lambda: float(ISSUED_AT), sleep=lambda _: None)
    with ExitStack() as opened:

        def make(region: str = "us", **options: Any) -> Client:
            options = {"auth": TokenAuth(DOCUMENTED_TOKEN), "policy": Policy(attempts=1), **options}
            journal = tmp_path / "journal.sqlite3"
            transport = httpx.MockTransport(wire)
            return opened.enter_context(Client(region, transport=transport, journal=journal, clock=clock, **options))

        yield make
    assert not wire.answers


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


class MovedClock:
    """Stands still but for the waits of the client, which it keeps; for any number of threads."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.waits.append(seconds)

    def monotonic(self) -> float:
        with self._lock:
            return sum(self.waits)

    def wall(self) -> float:
        return ISSUED_AT + self.monotonic()


@dataclass
class Api:
    """A client and the service behind it; a call looks the same whichever client it is and however it gets there.

    Attributes
    ----------
    kind : type
        `Client` or `AsyncClient`.
    service : FakeService or TwinService
        What answers.
    server : LoopbackServer or TwinServer or None
        None for the way without sockets.
    moved : MovedClock or None
        None for real sockets, on which time passes.
    """

    kind: type[Client | AsyncClient]
    service: Any
    server: LoopbackServer | TwinServer | None
    moved: MovedClock | None
    folder: Path
    region: str
    options: dict[str, Any]
    ahead_s: float = 0.0
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self._loop = asyncio.Runner()
        self._closed = False
        self.client = self.make()

    def make(self) -> Any:
        """Make one more client of the same options; it is to be closed by who asked for it."""
        clock = self.moved or Clock()
        times = Clock(clock.monotonic, lambda: clock.wall() + self.ahead_s, clock.sleep)
        where = {"transport": self._transport()} if self.server is None else {"base_url": self.server.url}
        return self.kind(self.region, clock=times, **where, **self.options)

    def _transport(self) -> httpx.MockTransport:
        if self.kind is Client:
            return mock_transport(self.service)

        async def handle(request: httpx.Request) -> httpx.Response:
            return response_to(await asyncio.to_thread(ask, self.service, request))

        return httpx.MockTransport(handle)

    @property
    def host(self) -> str:
        return urlsplit(self.client._endpoint.base_url).hostname or ""

    @property
    def journal(self) -> Any:
        return self.client.journal

    def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client, or await it."""
        return self._result_of(partial(getattr(self.client, name), *arguments, **options))

    def _result_of(self, function: Callable[[], Any]) -> Any:
        if self.kind is Client:
            return function()

        async def awaited() -> Any:
            return await function()

        return self._loop.run(awaited())

    def elsewhere(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of another client, in a thread of its own, and return its result or error."""
        outcome: list[Any] = []

        def work() -> None:
            with self.another() as other:
                try:
                    outcome.append(other.call(name, *arguments, **options))
                except Exception as error:  # noqa: BLE001 (to be looked at by the test)
                    outcome.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return outcome[0]

    def another(self, **changes: Any) -> Api:
        """Return another client of the same service and journal, as in another process; use it in a `with`."""
        ahead_s = changes.pop("ahead_s", self.ahead_s)
        return replace(self, options={**self.options, **changes}, ahead_s=ahead_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._closed:
            self._result_of(self.client.close)
            self._loop.close()
        self._closed = True

    def asked(self, ending: str = "", method: str = "") -> list[Received]:
        """Return the requests whose path ends so."""
        return [
            one for one in self.service.received if one.path.endswith(ending) and one.method in {method, one.method}
        ]

    def answer(self, *answers: Answer | Callable[[Received], Answer]) -> None:
        """Have the next requests answered so."""
        self.service.next_answers.extend(answers)

    def lose_answer(self) -> None:
        """Have the next request processed and its answer lost."""
        if self.server is not None:
            self.server.behaviours.append(Behaviour.RESET_AFTER_PROCESSING)
            return

        def lost(received: Received) -> Answer:
            self.service.process(received)
            raise httpx.ReadError("lost")

        self.answer(lost)

    def study(self, **tags: str) -> str:
        """Make a study and return its id."""
        return str(self.call("create", tags).pbs_study_id)

    def filled(self) -> str:
        """Make a study with a file, so that tasks can be requested, and return its id."""
        study_id = self.study()
        self.call("upload", study_id, jpeg())
        return study_id


@pytest.fixture(params=["fake", "twin"])
def make_service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Any]]:
    """Make services without a server, both kinds; a class that is given goes before theirs."""
    if request.param == "twin":
        skip_what_is_not_of_the_twin(request)
    kind = TwinService if request.param == "twin" else FakeService
    with ExitStack() as opened:

        def make(before: type[Recording] | None = None, **options: Any) -> Any:
            options = {"host": "eu.api.hemato.ai", **options}
            where = [tmp_path_factory.mktemp("twin")] if kind is TwinService else []
            service: Any = (kind if before is None else type(before.__name__, (before, kind), {}))(*where, **options)
            opened.callback(service.close)
            return service

        yield make


WAYS = [(which, kind, sockets) for which in ("fake", "twin") for kind in (Client, AsyncClient) for sockets in (0, 1)]
LEFT_FOR_LATER = {("fake", Client, 1), ("fake", AsyncClient, 0), ("twin", Client, 0), ("twin", AsyncClient, 1)}
"""Ways of the slow run: in the normal one, any two of service, client and transport meet once."""


def _way(service: str, kind: type[Client | AsyncClient], sockets: int) -> Any:
    name = f"{kind.__name__}-{'sockets' if sockets else 'mock'}"
    marks = [pytest.mark.slow] if (service, kind, sockets) in LEFT_FOR_LATER else []
    return pytest.param((service, kind, sockets), id=name if service == "fake" else f"{service}-{name}", marks=marks)


@pytest.fixture(params=[_way(*way) for way in WAYS])
def open_api(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Api]]:
    """Open a client with a service of its own: both clients, without sockets and with them, the fake and the twin."""
    which, kind, sockets = request.param
    if which == "twin":
        skip_what_is_not_of_the_twin(request)
    with ExitStack() as opened:

        def make(region: str = "eu", *, ahead_s: float = 0.0, **options: Any) -> Api:
            moved = None if sockets else MovedClock()
            settings: dict[str, Any] = {"wall_clock": time.time if moved is None else moved.wall}
            settings["static_tokens"] = {"a-token"}
            if which == "twin":
                service: Recording = TwinService(tmp_path_factory.mktemp("twin"), **settings)
            else:
                service = FakeService(**settings)
            opened.callback(service.close)
            serve = TwinServer if which == "twin" else LoopbackServer
            server = opened.enter_context(serve(service)) if sockets else None
            journal = tmp_path / "journal.sqlite3"
            options = {"auth": TokenAuth("a-token"), "policy": POLICY, "journal": journal, **options}
            api = Api(kind, service, server, moved, tmp_path, region, options, ahead_s)
            opened.callback(api.close)
            service.host = api.host
            return api

        yield make


@pytest.fixture
def api(open_api: Callable[..., Api]) -> Api:
    return open_api()
