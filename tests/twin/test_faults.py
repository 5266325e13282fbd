"""Failures on purpose: what is asked for, what it comes to, and how it arrives under uvicorn and without a socket."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hemato_lab.api import AsyncClient, Client, Clock, Policy
from hemato_lab.errors import ConfigError
from hemato_lab.twin.faults import HEADER, FaultInjection, parse_faults
from tests.api.conftest import MovedClock
from tests.twin.served import Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DOCUMENT = {"delta": "1µs", "heartbeat": "here", "request_timestamp": 1, "version": "v" * 4000}
BODY = json.dumps(DOCUMENT).encode()
SERVERS = [(http, loop) for http in ("h11", "httptools") for loop in ("asyncio", "uvloop")]
WAYS = ["without sockets", *(f"{http}-{loop}" for http, loop in SERVERS)]


class Answering:
    """An application that reads the whole of every request and answers it well."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.received = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        while (message := await receive())["type"] == "http.request":
            self.received += len(message["body"])
            if not message["more_body"]:
                break
        self.paths.append(scope["path"])
        body = BODY * (4000 if scope["path"] == "/large" else 1)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body[:1000], "more_body": True})
        await send({"type": "http.response.body", "body": body[1000:]})
        return None

    async def _live(self, receive: Any, send: Any) -> None:
        for phase in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{phase}"
            await send({"type": f"lifespan.{phase}.complete"})


class Way:
    """One way to an application: what a request came to, whichever it is."""

    def __init__(self, name: str, app: Answering) -> None:
        self.name = name
        self.app = app

    @contextmanager
    def to(self, faults: str, **options: Any) -> Iterator[Callable[..., httpx.Response]]:
        """Have the application fail so, and give a function that makes requests."""
        failing = FaultInjection(self.app, parse_faults(faults), **options)
        if self.name == "without sockets":
            yield lambda *asked, **more: self._unconnected(failing, *asked, **more)
        else:
            http, loop = self.name.split("-")
            with Served(failing, http=http, loop=loop) as server, httpx.Client(base_url=server.url) as client:
                yield client.request

    def _unconnected(self, app: Any, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://twin") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    @property
    def broken(self) -> tuple[type[Exception], ...]:
        """What a client makes of a connection that is cut."""
        if self.name == "without sockets":
            return (ConnectionResetError,)
        return (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return Way(request.param, Answering())


# What is asked for


@pytest.mark.parametrize(
    ("text", "shares", "slow"),
    [
        ("429:0.1,503:0.05,slow:2s,drop:0.02", {"429": 0.1, "503": 0.05, "drop": 0.02}, (2.0, 1.0)),
        ("", {}, (0.0, 0.0)),
        ("  503 ", {"503": 1.0}, (0.0, 0.0)),
        ("slow:250ms:0.5", {}, (0.25, 0.5)),
        ("slow:0.5s:1", {}, (0.5, 1.0)),
        ("truncate:.5, garbage:0.25 ,drop-after:0.25", {"truncate": 0.5, "garbage": 0.25, "drop-after": 0.25}, (0, 0)),
        ("drop:0.1,400:0.1,401:0.1,403:0.1,404:0.1,405:0.1,406:0.1,418:0.1,429:0.1,500:0.1", None, (0, 0)),
    ],
)
def test_what_is_asked_for(text: str, shares: dict[str, float] | None, slow: tuple[float, float]) -> None:
    faults = parse_faults(text)
    assert shares is None or dict(faults.shares) == shares
    assert (faults.slow_s, faults.slow_share) == slow


@pytest.mark.parametrize(
    ("text", "part", "problem"),
    [
        ("429:0.1,nonsense:0.2", "nonsense:0.2", "no way to fail"),
        ("502:0.1", "502:0.1", "no way to fail"),
        ("429:0.1,,503:0.1", "''", "no fault"),
        ("429=0.1", "'429=0.1'", "no fault"),
        ("503:-0.1", "'503:-0.1'", "no fault"),
        ("503:nan", "'503:nan'", "no fault"),
        ("503:0.1:0.2", "'503:0.1:0.2'", "no fault"),
        ("٥٠٣", "'٥٠٣'", "no fault"),
        ("503:1.5", "503:1.5", "above 1"),
        ("503:1.2.3", "503:1.2.3", "no number"),
        ("503:.", "503:.", "no number"),
        ("503:2s", "503:2s", "has no time"),
        ("slow", "slow", "needs a time"),
        ("slow:0.5", "slow:0.5", "needs a time"),
        ("slow:4000s", "slow:4000s", "longer than 3600 s"),
        ("slow:1s,slow:2s", "slow", "twice"),
        ("503:0.1,drop:0.1,503:0.2", "503", "twice"),
        ("503:0.6,429:0.5", "429:0.5", "more than 1 in all"),
        ("503,drop", "drop", "more than 1 in all"),
    ],
)
def test_what_cannot_be_meant_is_named(text: str, part: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        parse_faults(text)
    assert caught.value.subject == part
    assert caught.value.hint


# Chance


def test_failures_are_as_frequent_as_asked_for() -> None:
    faults = parse_faults("429:0.1,drop:0.3,slow:2s:0.25")
    count = 20_000
    fates = [faults.fate(7, ordinal) for ordinal in range(count)]
    kinds = Counter((fate.kind, fate.processed) for fate in fates)
    expected = {("429", False): 0.1, ("drop", False): 0.15, ("drop", True): 0.15, ("", True): 0.6}
    assert set(kinds) == set(expected)
    for outcome, share in expected.items():
        assert abs(kinds[outcome] - share * count) < 4.5 * math.sqrt(count * share * (1 - share))
    slow = [fate for fate in fates if fate.delay_s]
    assert {fate.delay_s for fate in slow} == {2.0}
    assert abs(len(slow) - 0.25 * count) < 4.5 * math.sqrt(count * 0.25 * 0.75)
    both = sum(fate.kind == "429" for fate in slow)
    assert abs(both - 0.025 * count) < 4.5 * math.sqrt(count * 0.025), "whether it waits tells nothing of the rest"


def test_the_fate_of_a_request_is_that_of_its_number_and_the_seed() -> None:
    faults = parse_faults("503:0.3,drop:0.3")
    forward = [faults.fate(3, ordinal) for ordinal in range(50)]
    assert [faults.fate(3, ordinal) for ordinal in reversed(range(50))] == forward[::-1]
    assert [faults.fate(4, ordinal) for ordinal in range(50)] != forward
    # Python seeds with a text by its bytes and their SHA-512; the draws of "3 0" begin with 0.578, 0.488, 0.835.
    known = [("drop", True), ("", True), ("", True), ("drop", False), ("503", False), ("", True)]
    assert [(fate.kind, fate.processed) for fate in forward[:6]] == known, "on every machine and in every version"


@pytest.mark.parametrize(
    ("text", "kind", "processed"),
    [
        ("503", "503", {False}),
        ("garbage", "garbage", {False}),
        ("truncate", "truncate", {True}),
        ("drop", "drop", {False, True}),
        ("drop-before", "drop", {False}),
        ("drop-after", "drop", {True}),
    ],
)
def test_certain_failures(text: str, kind: str, processed: set[bool]) -> None:
    fates = [parse_faults(text).fate(0, ordinal) for ordinal in range(200)]
    assert {fate.kind for fate in fates} == {kind}
    assert {fate.processed for fate in fates} == processed


# What arrives


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 418, 429, 500, 503])
def test_every_status_of_the_document_comes_in_its_envelope(status: int) -> None:
    app = Answering()
    way = Way("without sockets", app)
    with way.to(str(status)) as ask:
        answer = ask("POST", "/pbs")
    assert answer.status_code == status
    envelope = answer.json()
    assert list(envelope) == ["status", "results", "error", "user_message", "debug_info"]
    assert (envelope["status"], envelope["results"]) == (status, {})
    assert envelope["error"]
    assert envelope["user_message"].endswith((".", "!"))
    assert envelope["debug_info"]["injected_fault"] == str(status)
    assert envelope["debug_info"]["producer"].startswith("hemato_lab twin")
    assert answer.headers.get("retry-after") == ("1" if status in {429, 503} else None)
    assert app.paths == []


def test_a_refusal(way: Way) -> None:
    with way.to("503") as ask:
        for _ in range(3):
            answer = ask("POST", "/pbs/7/files", content=b"x" * 300_000)
            assert answer.status_code == answer.json()["status"] == 503
    assert way.app.paths == []


def test_an_answer_that_does_not_fail(way: Way) -> None:
    with way.to("503:0") as ask:
        assert ask("POST", "/pbs", content=b"x" * 300_000).json() == DOCUMENT
    assert way.app.received == 300_000


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_a_connection_that_is_cut_before_the_request_is_processed(
    way: Way, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    with way.to("drop-before") as ask, pytest.raises(way.broken):
        ask("POST", "/pbs", content=b"x" * size)
    assert way.app.paths == []
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_a_connection_that_is_cut_after_the_request_was_processed(
    way: Way, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    with way.to("drop-after") as ask, pytest.raises(way.broken):
        ask("POST", "/pbs", content=b"x" * size)
    assert (way.app.paths, way.app.received) == (["/pbs"], size)
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(("path", "size"), [("/heartbeat", len(BODY)), ("/large", 4000 * len(BODY))])
def test_an_answer_that_is_cut_short(way: Way, path: str, size: int, caplog: pytest.LogCaptureFixture) -> None:
    with way.to("truncate") as ask:
        if way.name == "without sockets":
            answer = ask("GET", path)
            assert (len(answer.content), answer.headers["content-length"]) == (size // 2, str(size))
        else:
            with pytest.raises(httpx.RemoteProtocolError, match=f"received {size // 2} bytes, expected {size}"):
                ask("GET", path)
    assert way.app.paths == [path]
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_a_page_instead_of_json(way: Way) -> None:
    with way.to("garbage") as ask:
        answer = ask("POST", "/pbs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert way.app.paths == []


def test_a_request_that_waits(way: Way) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    with way.to("slow:2s,429:0.5", sleep=sleep) as ask:
        answers = [ask("GET", "/heartbeat").status_code for _ in range(20)]
    assert waited == [2.0] * 20
    assert set(answers) == {200, 429}


def test_requests_fail_in_the_order_of_their_numbers(way: Way) -> None:
    faults = parse_faults("429:0.2,418:0.3")
    expected = [int(fate.kind or 200) for fate in (faults.fate(11, ordinal) for ordinal in range(30))]
    with way.to("429:0.2,418:0.3", seed=11) as ask:
        assert [ask("GET", "/heartbeat").status_code for _ in range(30)] == expected
    assert set(expected) == {200, 418, 429}


def test_a_server_goes_on_after_all_of_it(way: Way) -> None:
    """What is cut is one connection, and what is cut short ends with its own."""
    with way.to("drop:0.2,truncate:0.2,garbage:0.2,503:0.2", seed=1) as ask:
        good = 0
        for _ in range(60):
            try:
                answer = ask("GET", "/heartbeat")
                good += answer.status_code == 200 and answer.content == BODY
            except way.broken:
                pass
    assert 2 <= good <= 30


# What concerns one request alone


def test_a_request_names_its_own_fate(way: Way) -> None:
    with way.to("") as ask:
        assert ask("GET", "/heartbeat").status_code == 200
        assert ask("GET", "/heartbeat", headers={HEADER: "503"}).status_code == 503
        assert ask("GET", "/heartbeat", headers={"x-twin-fault": "garbage"}).content.startswith(b"<!DOCTYPE")
        with pytest.raises(way.broken):
            ask("GET", "/heartbeat", headers={HEADER: "drop-before"})
        assert ask("GET", "/heartbeat").json() == DOCUMENT


def test_it_counts_instead_of_chance() -> None:
    with Way("without sockets", Answering()).to("503") as ask:
        assert ask("GET", "/heartbeat", headers={HEADER: "418"}).status_code == 418
        assert ask("GET", "/heartbeat", headers={HEADER: "418:0"}).status_code == 200


def test_a_fate_that_is_none_is_refused() -> None:
    with Way("without sockets", Answering()).to("") as ask:
        answer = ask("GET", "/heartbeat", headers={HEADER: "503,nonsense"})
    assert answer.status_code == 400
    assert answer.json()["error"] == "bad_request"
    assert "nonsense" in answer.json()["debug_info"]["problem"]


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        (("127.0.0.1", 5), 418),
        (("127.8.9.10", 5), 418),
        (("::1", 5), 418),
        (("::ffff:127.0.0.1", 5), 418),
        (("10.0.0.7", 5), 200),
        (("::ffff:10.0.0.7", 5), 200),
        (("2001:db8::1", 5), 200),
        (None, 200),
    ],
)
def test_only_this_machine_is_heard(peer: Any, status: int) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(FaultInjection(Answering(), parse_faults("")), client=peer)
        async with httpx.AsyncClient(transport=transport, base_url="http://twin") as client:
            return await client.get("/heartbeat", headers={HEADER: "418"})

    assert asyncio.run(ask()).status_code == status


def test_what_is_not_of_the_api_never_fails_and_is_not_counted() -> None:
    app = Answering()
    ours = ["/", "/openapi.json", "/_twin/overview", "/_twin/page.js"]
    faults = parse_faults("503:0.5")
    expected = [200 if not faults.fate(0, ordinal).kind else 503 for ordinal in range(20)]
    with Way("without sockets", app).to("503:0.5") as ask:
        given = []
        for number in range(20):
            assert ask("GET", ours[number % 4], headers={HEADER: "503"}).status_code == 200
            given.append(ask("GET", "/_twin").status_code)
    assert given == expected


# Our clients


HARD = "429:0.1,503:0.1,500:0.1,drop:0.1,truncate:0.1,garbage:0.1"
PATIENT = Policy(attempts=50, call_s=1e6)


def hurried() -> Clock:
    """A clock on which waits take no time."""
    moved = MovedClock()
    return Clock(moved.monotonic, moved.wall, moved.sleep)


def test_the_blocking_client_gets_there(tmp_path: Path) -> None:
    app = Answering()
    settings: dict[str, Any] = {"policy": PATIENT, "journal": tmp_path / "journal", "clock": hurried()}
    with Served(FaultInjection(app, parse_faults(HARD))) as server, Client(base_url=server.url, **settings) as api:
        assert [api.heartbeat().heartbeat for _ in range(40)] == ["here"] * 40
    assert len(app.paths) > 40, "some answers were lost"


def test_the_awaited_client_gets_there_without_a_socket(tmp_path: Path) -> None:
    app = Answering()
    transport = httpx.ASGITransport(FaultInjection(app, parse_faults(HARD)))
    settings: dict[str, Any] = {"policy": PATIENT, "journal": tmp_path / "journal", "clock": hurried()}

    async def beats() -> list[str]:
        async with AsyncClient("eu", transport=transport, **settings) as api:
            return [(await api.heartbeat()).heartbeat for _ in range(40)]

    assert asyncio.run(beats()) == ["here"] * 40
    assert len(app.paths) > 40, "some answers were lost"
