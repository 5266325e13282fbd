"""Over real connections: which answer belongs to which request, and what is left of a connection that went wrong."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import httpcore
import pytest

from hemato_lab.api import AsyncClient, Client, Policy, Timeouts, TokenAuth
from hemato_lab.api.sockets import AnswerWatch, DeadlineBackend
from hemato_lab.errors import (
    ConnectionFailedError,
    HematoError,
    NotFoundError,
    NotJSONError,
    RedirectRefusedError,
    ResponseTooLargeError,
    TruncatedResponseError,
)
from tests.api.fake_service import FakeService
from tests.api.loopback import Behaviour, LoopbackServer
from tests.api.recording import Answer, Received

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "token-of-the-sockets"  # noqa: S105 (made up)
MIB = 2**20
Calls = "Callable[..., list[Any]]"


@pytest.fixture(params=["blocking", "awaited"])
def calls(request: pytest.FixtureRequest, tmp_path: Path) -> Calls:
    """Make calls one after the other with one client; return results and errors."""

    def make(url: str, *names: str) -> list[Any]:
        policy = Policy(attempts=1, body_limit=MIB, timeouts=Timeouts(read=5))
        journal = tmp_path / "journal.sqlite3"
        options: dict[str, Any] = {"base_url": url, "auth": TokenAuth(TOKEN), "policy": policy, "journal": journal}
        if request.param == "awaited":
            return asyncio.run(awaited(options, names))
        found: list[Any] = []
        with Client(**options) as client:
            for name in names:
                try:
                    found.append(getattr(client, name)())
                except HematoError as error:
                    found.append(error)
        return found

    async def awaited(options: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
        found: list[Any] = []
        async with AsyncClient(**options) as client:
            for name in names:
                found.extend(await asyncio.gather(getattr(client, name)(), return_exceptions=True))
        return found

    return make


@pytest.fixture
def service() -> FakeService:
    """A service whose heartbeats are numbered."""
    service = FakeService(static_tokens={TOKEN})
    service.next_answers.extend(beat(number) for number in range(40))
    return service


def beat(number: int) -> Answer:
    body = b'{"heartbeat": "%d"}' % number
    return Answer(200, {"content-type": "application/json"}, body)


def test_good_answers_share_one_connection(service: FakeService, calls: Calls) -> None:
    service.next_answers.extendleft([service.error(404, "not_found"), beat(-1)])
    with LoopbackServer(service) as server:
        found = calls(server.url, *["heartbeat"] * 30)
        assert server.connections == 1
    assert found[0].heartbeat == "-1"
    assert type(found[1]) is NotFoundError
    assert [one.heartbeat for one in found[2:]] == [str(number) for number in range(28)]


def test_a_second_answer_is_never_taken_for_the_next_one(service: FakeService, calls: Calls) -> None:
    with LoopbackServer(service, [Behaviour.TWICE] * 40) as server:
        found = calls(server.url, *["heartbeat"] * 40)
        assert server.connections == 40
    assert [one.heartbeat for one in found] == [str(number) for number in range(40)]
    assert len(service.received) == 40


PROCESSED = {
    Behaviour.RESET_AFTER_PROCESSING: ConnectionFailedError,
    Behaviour.CLOSE_AFTER_PROCESSING: ConnectionFailedError,
    Behaviour.TRUNCATE_BODY: TruncatedResponseError,
    Behaviour.GZIP_BOMB: ResponseTooLargeError,
}
NOT_PROCESSED = {
    Behaviour.RESET_BEFORE_READING: ConnectionFailedError,
    Behaviour.REDIRECT: RedirectRefusedError,
    Behaviour.HTML: NotJSONError,
}


@pytest.mark.parametrize("behaviour", [*PROCESSED, *NOT_PROCESSED], ids=lambda behaviour: behaviour.name)
def test_what_a_server_does_wrong_has_a_name_and_does_not_last(
    behaviour: Behaviour, service: FakeService, calls: Calls
) -> None:
    """Every other exchange goes wrong, and those between them are good, with their own answers."""
    with LoopbackServer(service, [None, behaviour] * 10) as server:
        found = calls(server.url, *["heartbeat"] * 20)
        assert server.connections <= 11
    kind = (PROCESSED | NOT_PROCESSED)[behaviour]
    assert {type(one) for one in found[1::2]} == {kind}
    assert {one.outcome for one in found[1::2]} == {"nothing done" if kind is RedirectRefusedError else "unknown"}
    step = 2 if behaviour in PROCESSED else 1
    assert [one.heartbeat for one in found[::2]] == [str(number * step) for number in range(10)]


def test_a_connection_that_nobody_takes_was_not_used(calls: Calls) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (found,) = calls(f"http://127.0.0.1:{port}", "heartbeat")
    assert (type(found), found.outcome) == (ConnectionFailedError, "not sent")


def test_cancelled_calls_leave_room_for_others(service: FakeService, tmp_path: Path) -> None:
    """More of them than the pool has connections, each of them cancelled in the middle."""

    async def main(url: str) -> str:
        async with AsyncClient(base_url=url, policy=Policy(call_s=5), journal=tmp_path / "j.sqlite3") as client:
            for _ in range(2):
                before = len(service.received)
                tasks = [asyncio.ensure_future(client.heartbeat()) for _ in range(16)]
                while len(service.received) < before + 16:
                    await asyncio.sleep(0.005)
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert {type(one) for one in ended} == {asyncio.CancelledError}
            return (await client.heartbeat()).heartbeat

    with LoopbackServer(service, [Behaviour.SILENT] * 32) as server:
        assert asyncio.run(main(server.url)) == "32"


def test_a_closed_client_leaves_no_connection_open(service: FakeService, calls: Calls) -> None:
    with LoopbackServer(service) as server:
        calls(server.url, "heartbeat")
        for _ in range(200):
            if not server._tasks:
                break
            asyncio.run(asyncio.sleep(0.01))
        assert not server._tasks


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize("whole", [HEAD + b"{}", CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"{}"], ids=repr)
def test_the_watch_knows_where_an_answer_ends(whole: bytes) -> None:
    for cut in range(1, len(whole)):
        watch = AnswerWatch()
        for _ in range(3):
            watch.sent()
            watch.sent()
            watch.received(whole[:cut])
            watch.received(whole[cut:])
            assert not watch.surplus
        watch.received(b"H")
        assert watch.surplus
    for more in (b"\0", b"HTTP/1.1 200 OK\r\n", whole):
        watch = AnswerWatch()
        watch.received(whole + more)
        assert watch.surplus


def test_the_watch_gives_up_what_it_does_not_understand() -> None:
    for strange in (b"", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"):
        watch = AnswerWatch()
        watch.received(strange)
        assert watch.surplus


def test_a_stream_says_that_more_came() -> None:
    """As the pool asks before it uses a connection again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = DeadlineBackend().connect_tcp("127.0.0.1", listener.getsockname()[1], timeout=5)
        other, _ = listener.accept()
        with other:
            stream.write(b"GET / HTTP/1.1\r\n\r\n", timeout=5)
            other.sendall(HEAD + b"{}")
            assert stream.read(1000, timeout=5) == HEAD + b"{}"
            assert not stream.get_extra_info("is_readable")
            stream.write(b"GET / HTTP/1.1\r\n\r\n", timeout=5)
            other.sendall(HEAD + b"{}" + HEAD)
            assert len(stream.read(1000, timeout=5)) == 2 * len(HEAD) + 2
            assert stream.get_extra_info("is_readable")
        stream.close()
        with pytest.raises((httpcore.ReadError, httpcore.WriteError)):
            stream.write(b"x", timeout=5)


def test_what_was_asked_is_what_arrives(service: FakeService, calls: Calls) -> None:
    """The headers of the client, and none that a library adds of its own accord."""
    with LoopbackServer(service) as server:
        calls(server.url, "heartbeat", "hello")
    sent: list[Received] = service.received
    assert [(one.method, one.target) for one in sent] == [("GET", "/heartbeat"), ("POST", "/auth/hello")]
    for one in sent:
        own = {"accept", "accept-encoding", "user-agent", "x-request-id", "host", "content-length", "authorization"}
        assert set(one.headers) <= own
        assert one.headers["accept-encoding"] == "gzip"
        assert one.headers["user-agent"].startswith("hemato_lab/")
    assert "authorization" not in sent[0].headers
    assert sent[1].headers["authorization"] == TOKEN
