from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from hemato_lab.api import receiver
from hemato_lab.api.callbacks import CallbackSigner
from hemato_lab.api.hints import Hints
from hemato_lab.api.receiver import CallbackHandler, CallbackReceiver
from hemato_lab.errors import (
    ConfigError,
    ForgedCallbackError,
    InsecureAddressError,
    ReplayedCallbackError,
    StaleCallbackError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_750_000_000.0
STUDY = "25f7de38-ba9c-4b45-a4d8-8c13461d7b39"
CAP = 65_536
DOCUMENTED = json.dumps({"pbs_stody_id": STUDY, "report_status": "ready", "progress": 1.0}).encode()


def signer(now: float = NOW) -> CallbackSigner:
    return CallbackSigner(secret=bytes(32), wall_clock=lambda: now)


PATH = urlsplit(signer().url("https://lab.example/hooks", STUDY)).path
SPACED = "our reference, 7 ü"
QUOTED = urlsplit(signer().url("https://lab.example", SPACED)).path
FORGED = PATH[:-1] + ("A" if PATH[-1] != "A" else "Q")
SIGNATURE = PATH.rpartition(".")[2]


def handler(heard: list[str], now: float = NOW) -> CallbackHandler:
    return CallbackHandler(signer(now), on_hint=heard.append)


@pytest.mark.parametrize("body", [DOCUMENTED, b"{}", b"", b"garbage \xff", b'{"report_status": "failed"}', b"x" * CAP])
def test_the_body_is_never_believed(body: bytes):
    heard: list[str] = []
    assert handler(heard).handle("POST", PATH, body) == (200, {"status": "ok"})
    assert heard == [STUDY]


@pytest.mark.parametrize(
    ("asked", "now", "answer"),
    [
        (("GET", PATH, b""), NOW, (405, "method-not-allowed")),
        (("post", PATH, b""), NOW, (405, "method-not-allowed")),
        (("PUT", FORGED, b""), NOW, (405, "method-not-allowed")),
        (("POST", FORGED, DOCUMENTED), NOW, (403, "forged-callback")),
        (("POST", PATH + "?x", DOCUMENTED), NOW, (403, "forged-callback")),
        (("POST", "*", DOCUMENTED), NOW, (403, "forged-callback")),
        (("POST", PATH, DOCUMENTED), NOW + 86_401, (403, "stale-callback")),
        (("POST", PATH, DOCUMENTED), NOW - 61, (403, "stale-callback")),
        (("POST", PATH, b"x" * (CAP + 1)), NOW, (400, "body-too-large")),
        (("POST", FORGED, b"x" * (CAP + 1)), NOW, (403, "forged-callback")),
    ],
)
def test_what_is_refused_gives_no_hint(asked: tuple[str, str, bytes], now: float, answer: tuple[int, str]):
    heard: list[str] = []
    assert handler(heard, now).handle(*asked) == (answer[0], {"error": answer[1]})
    assert heard == []


def test_a_spent_subject_is_a_replay_and_others_go_on():
    heard: list[str] = []
    core = handler(heard)
    other = signer().url("https://lab.example/hooks", "other")
    assert core.handle("POST", PATH, b"")[0] == 200
    assert core.handle("POST", PATH, b"")[0] == 200
    core.spend(STUDY)
    assert core.handle("POST", PATH, b"") == (410, {"error": "replayed-callback"})
    assert core.handle("POST", FORGED, b"")[0] == 403
    assert core.handle("POST", urlsplit(other).path, b"")[0] == 200
    assert heard == [STUDY, STUDY, "other"]


def test_the_check_raises_what_the_answer_says():
    core = handler([])
    assert core.check(PATH) == STUDY
    with pytest.raises(ForgedCallbackError):
        core.check(FORGED)
    with pytest.raises(StaleCallbackError):
        handler([], NOW + 1e6).check(PATH)
    core.spend(STUDY)
    with pytest.raises(ReplayedCallbackError) as refusal:
        core.check(PATH)
    assert SIGNATURE not in str(refusal.value)


def test_the_oldest_spent_subjects_are_forgotten_first(monkeypatch: pytest.MonkeyPatch):
    assert receiver.MOST_SPENT == 100_000
    monkeypatch.setattr(receiver, "MOST_SPENT", 3)
    core = handler([])
    for subject in "abcad":
        core.spend(subject)
    answers = {one: core.handle("POST", urlsplit(signer().url("https://h", one)).path, b"")[0] for one in "abcd"}
    assert answers == {"a": 410, "b": 200, "c": 410, "d": 410}


def test_a_hint_that_cannot_be_passed_on_asks_for_another_try(caplog: pytest.LogCaptureFixture):
    def fail(subject: str) -> None:
        raise OSError(f"secret words about {subject}")

    caplog.set_level(logging.DEBUG)
    core = CallbackHandler(signer(), on_hint=fail)
    assert core.handle("POST", PATH, b"") == (500, {"error": "not-passed-on"})
    assert "OSError" in caplog.text
    assert "secret words" not in caplog.text
    assert STUDY not in caplog.text


def test_no_log_holds_the_address(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    for path in (PATH, FORGED):
        handler([]).handle("POST", path, b"")
    assert caplog.text == ""
    caplog.set_level(logging.DEBUG)
    for path in (PATH, FORGED):
        handler([]).handle("POST", path, b"")
    assert STUDY in caplog.text
    assert SIGNATURE[:-1] not in caplog.text


def drive(core: CallbackHandler, scope: dict[str, Any], *received: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the application on messages and return what it sends."""
    sent: list[dict[str, Any]] = []
    waiting = list(received)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(core.asgi(scope, receive, send))  # type: ignore[arg-type]
    return sent


def http_scope(target: str, **others: Any) -> dict[str, Any]:
    raw = {"path": "not to be read", "raw_path": target.encode(), "query_string": b""}
    return {"type": "http", "method": "POST", **raw, **others}


WHOLE = {"type": "http.request", "body": DOCUMENTED}
MORE = {"type": "http.request", "body": b"x" * 40_000, "more_body": True}


def test_the_application_answers_a_callback():
    heard: list[str] = []
    start, body = drive(handler(heard), http_scope(PATH), WHOLE)
    content = b'{"status": "ok"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"16")]
    assert start == {"type": "http.response.start", "status": 200, "headers": headers}
    assert body == {"type": "http.response.body", "body": content}
    assert heard == [STUDY]


@pytest.mark.parametrize(
    ("scope", "received", "status"),
    [
        (http_scope(FORGED), [WHOLE], 403),
        (http_scope(QUOTED), [WHOLE], 200),
        (http_scope("", raw_path=b"", path=unquote(QUOTED)), [WHOLE], 200),
        (http_scope(PATH, query_string=b"x=1"), [WHOLE], 403),
        (http_scope("/\xff"), [WHOLE], 403),
        (http_scope(PATH, method="GET"), [{"type": "http.request"}], 405),
        (http_scope(PATH), [MORE, MORE], 400),
        (http_scope(PATH), [MORE, {"type": "http.request", "body": b"x" * 25_536}], 200),
        (http_scope(PATH), [{"type": "http.request"}], 200),
        (http_scope("", raw_path=None, path=FORGED), [WHOLE], 403),
    ],
)
def test_the_application_answers_as_the_core(scope: dict[str, Any], received: list[dict[str, Any]], status: int):
    heard: list[str] = []
    start, _ = drive(handler(heard), scope, *received)
    assert start["status"] == status
    assert len(heard) == (status == 200)
    assert set(heard) <= {STUDY, SPACED}
    assert ((b"allow", b"POST") in start["headers"]) == (status == 405)


def test_the_application_lives_with_its_server_and_speaks_http_alone():
    heard: list[str] = []
    sent = drive(handler(heard), {"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert sent == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]
    assert drive(handler(heard), http_scope(PATH), MORE, {"type": "http.disconnect"}) == []
    with pytest.raises(NotImplementedError):
        drive(handler(heard), {"type": "websocket"})
    assert heard == []


def test_a_hint_that_blocks_does_not_hold_the_loop():
    threads: list[threading.Thread] = []
    core = CallbackHandler(signer(), on_hint=lambda _: threads.append(threading.current_thread()))
    assert drive(core, http_scope(PATH), WHOLE)[0]["status"] == 200
    assert threads != [threading.current_thread()]


@pytest.fixture
def server() -> Iterator[CallbackReceiver]:
    with CallbackReceiver() as running:
        yield running


def ask(server: CallbackReceiver, path: str, body: Any = b"", method: str = "POST", **headers: str) -> tuple[int, Any]:
    parts = urlsplit(server.base_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.getheader("Content-Type") == "application/json"
        assert answer.getheader("Server") is None
        assert (answer.getheader("Allow") == "POST") == (answer.status == 405)
        return answer.status, json.loads(content) if content else None
    finally:
        connection.close()


def path_of(server: CallbackReceiver, subject: str = STUDY) -> str:
    return urlsplit(server.url(subject)).path


def heard_by(server: CallbackReceiver, subject: str = STUDY) -> list[str]:
    heard: list[str] = []
    server.hints.listen(subject, lambda: heard.append(subject))
    return heard


def test_a_callback_wakes_who_waits_for_it(server: CallbackReceiver):
    woken = threading.Event()
    end = server.hints.listen(STUDY, woken.set)
    assert ask(server, path_of(server), DOCUMENTED) == (200, {"status": "ok"})
    assert woken.wait(60)
    end()


def test_a_callback_before_anyone_waits_is_not_lost(server: CallbackReceiver):
    assert ask(server, path_of(server, "reference of ours/7"), b"{}")[0] == 200
    assert heard_by(server, "reference of ours/7") == ["reference of ours/7"]


def test_many_callbacks_at_a_time_are_all_answered(server: CallbackReceiver):
    heard = heard_by(server)
    path, together = path_of(server), threading.Barrier(20)

    def call(_: int) -> int:
        together.wait(60)
        return ask(server, path, DOCUMENTED)[0]

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(call, range(20))) == [200] * 20
    assert len(heard) == 20


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_server_takes_nothing_but_post(server: CallbackReceiver, method: str):
    heard = heard_by(server)
    status, answer = ask(server, path_of(server), method=method)
    assert (status, answer) == (405, None if method == "HEAD" else {"error": "method-not-allowed"})
    assert heard == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * CAP, 200),
        (b"x" * (CAP + 1), 400),
        (b"x" * 1_000_000, 400),
        ([b"x" * 9_000] * 7, 200),
        ([b"x" * 9_000] * 8, 400),
    ],
    ids=["largest", "one more", "a million", "chunks", "chunks too large"],
)
def test_the_server_reads_bodies_to_the_cap(server: CallbackReceiver, body: Any, status: int):
    heard = heard_by(server)
    path = path_of(server)
    assert ask(server, path, iter(body) if isinstance(body, list) else body)[0] == status
    assert heard == ([STUDY] if status == 200 else [])


def test_the_server_refuses_forged_spent_and_unknown(server: CallbackReceiver):
    heard = heard_by(server)
    path = path_of(server)
    for wrong in (path[:-1], path + "A", path + "?x=1", path + "/", "/", "/x" * 20_000, PATH):
        assert ask(server, wrong) == (403, {"error": "forged-callback"})
    server.spend(STUDY)
    assert ask(server, path) == (410, {"error": "replayed-callback"})
    assert heard == []


def raw(server: CallbackReceiver, sent: bytes) -> bytes:
    parts = urlsplit(server.base_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize(
    "headers",
    [
        *("Content-Length: -1", "Content-Length: +2", "Content-Length: x", "Content-Length: 5", "Content-Length: \xb2"),
        *("Content-Length: " + "9" * 5_000, "Content-Length: 2\r\nContent-Length: 3", "Transfer-Encoding: gzip"),
        *("Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 2"),
    ],
)
def test_a_body_whose_length_makes_no_sense_gives_no_hint(server: CallbackReceiver, headers: str):
    heard = heard_by(server)
    request = f"POST {path_of(server)} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n{{}}"
    assert raw(server, request.encode("latin-1")).startswith(b"HTTP/1.1 400 ")
    assert heard == []


@pytest.mark.parametrize(
    "sent",
    [b"nonsense\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n", b"BREW /tea HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 70_000],
)
def test_what_is_no_request_is_refused_without_an_echo(server: CallbackReceiver, sent: bytes):
    answer = raw(server, sent)
    assert answer.endswith(b'{"error": "bad-request"}')
    assert b"tea" not in answer
    assert ask(server, path_of(server))[0] == 200


def test_a_sender_who_asks_first_is_told_to_go_on(server: CallbackReceiver):
    request = f"POST {path_of(server)} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{{}}"
    answer = raw(server, request.encode())
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_the_server_is_quiet(server: CallbackReceiver, capfd: pytest.CaptureFixture[str]):
    ask(server, path_of(server))
    ask(server, FORGED, method="GET")
    raw(server, b"nonsense\r\n\r\n")
    raw(server, b"")
    assert capfd.readouterr() == ("", "")


def test_closing_ends_connections_that_say_nothing():
    server = CallbackReceiver()
    parts = urlsplit(server.base_url)
    assert (parts.scheme, parts.hostname, receiver._Request.timeout) == ("http", "127.0.0.1", 10.0)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as idle:
        assert ask(server, path_of(server))[0] == 200  # so the idle one before it was accepted
        server.close()
        assert server._server._open == set()
        assert idle.recv(1) == b""
    server.close()
    with pytest.raises(ConnectionRefusedError):
        ask(server, path_of(server))


def test_too_many_connections_are_dropped(monkeypatch: pytest.MonkeyPatch, server: CallbackReceiver):
    monkeypatch.setattr(receiver, "_MOST_CONNECTIONS", 1)
    monkeypatch.setattr(receiver._Request, "timeout", 3600.0)
    parts = urlsplit(server.base_url)
    first, second = (socket.create_connection((parts.hostname, parts.port), timeout=60) for _ in range(2))
    with first, second:
        assert second.recv(1) == b""


def test_a_signer_and_hints_may_be_given_and_a_public_address():
    told = Hints()
    with CallbackReceiver(signer=signer(), hints=told, public_url="https://tunnel.example/x/") as server:
        assert server.hints is told
        assert server.base_url == "https://tunnel.example/x"
        assert repr(server) == "CallbackReceiver('https://tunnel.example/x')"
        assert server.url(STUDY) == signer().url(server.base_url, STUDY)


def test_the_server_listens_on_version_six():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no loopback of IPv6")
    with CallbackReceiver(host="::1") as server:
        assert server.base_url.startswith("http://[::1]:")
        assert ask(server, path_of(server))[0] == 200


@pytest.mark.parametrize("given", [{"host": "0.0.0.0"}, {"public_url": "http://lab.example"}])  # noqa: S104 (refused)
def test_an_unsafe_address_is_refused_before_anything_listens(given: dict[str, Any]):
    with pytest.raises(InsecureAddressError):
        CallbackReceiver(**given)


def test_a_port_that_is_taken_says_so(server: CallbackReceiver):
    with pytest.raises(ConfigError, match="in use"):
        CallbackReceiver(port=urlsplit(server.base_url).port or 0)
