"""When the client tries again: never earlier than the service asks, never later than its deadline, never in vain."""

from __future__ import annotations

import json
import math
import random
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.api import Client, Clock, Journal, PasswordAuth, Policy, Timeouts, TokenAuth
from hemato_lab.api.policy import certainly_not_done, retry_after_s
from hemato_lab.errors import (
    APIError,
    BadRequestError,
    ConfigError,
    ConnectionFailedError,
    HematoError,
    NotJSONError,
    RedirectRefusedError,
    ResponseTooLargeError,
    SchemaMismatchError,
    ServerError,
    ThrottledError,
    TimedOutError,
    TLSError,
    TruncatedResponseError,
    UnauthorizedError,
    UnavailableError,
)
from tests.api.recording import Answer
from tests.api.transports import response_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
ALIVE = {"delta": "1µs", "heartbeat": "a7", "request_timestamp": 1_700_000_000, "version": "1"}
JSON = {"content-type": "application/json"}
Headers = list[tuple[str, str]]


class FakeClock:
    """Stands still but for the waits, and remembers them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, wall=lambda: NOW + self.now, sleep=self.sleep)


class Script:
    """A transport that does one thing after the other, the last one for ever, and notes when it was asked."""

    def __init__(self, clock: FakeClock, *steps: httpx.Response | Exception) -> None:
        self._clock = clock
        self._steps = list(steps)
        self.times: list[float] = []

    def handle_request(self, _request: httpx.Request) -> httpx.Response:
        self.times.append(self._clock.now)
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        return httpx.Response(step.status_code, headers=step.headers.raw, content=step.content)


def answer(status: int, headers: Headers | None = None, document: Any = None) -> httpx.Response:
    body = {"status": status, "results": {}} if document is None else document
    return httpx.Response(status, headers=[*JSON.items(), *(headers or [])], content=json.dumps(body))


def alive() -> httpx.Response:
    return answer(200, document=ALIVE)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite3") as opened:
        yield opened


def client(clock: FakeClock, script: Any, journal: Journal, **policy: Any) -> Client:
    return Client("eu", transport=script, journal=journal, clock=clock.clock(), policy=Policy(**policy))


def after(text: str, date: str | None = None) -> Headers:
    return [("retry-after", text), *([] if date is None else [("date", date)])]


# What the service asks for, and how many seconds that is: worked out by hand from RFC 9110, None where it says nothing.
ASKED: dict[str, tuple[Headers, float | None]] = {
    "seconds": (after("7"), 7.0),
    "zero": (after("0"), 0.0),
    "a fraction": (after("2.5"), 2.5),
    "padded": (after(" \t 7  "), 7.0),
    "a plus sign": (after("+7"), 7.0),
    "leading zeros": (after("007"), 7.0),
    "a unit": (after("10s"), 10.0),
    "an exponent": (after("1e1"), 10.0),
    "several numbers": (after("3, 9, 5"), 9.0),
    "the header twice": ([*after("3"), *after("9")], 9.0),
    "IMF-fixdate": (after("Tue, 14 Nov 2023 22:13:30 GMT"), 10.0),
    "RFC 850": (after("Tuesday, 14-Nov-23 22:13:30 GMT"), 10.0),
    "asctime": (after("Tue Nov 14 22:13:30 2023"), 10.0),
    "lower case": (after("tue, 14 nov 2023 22:13:30 gmt"), 10.0),
    "a past date": (after("Sun, 06 Nov 1994 08:49:37 GMT"), 0.0),
    "date and Date": (after("Tue, 14 Nov 2023 22:13:32 GMT", "Tue, 14 Nov 2023 22:13:20 GMT"), 12.0),
    "a clock ahead": (after("Tue, 14 Nov 2023 23:13:30 GMT", "Tue, 14 Nov 2023 23:13:20 GMT"), 10.0),
    "a clock behind": (after("Mon, 13 Nov 2023 22:13:45 GMT", "Mon, 13 Nov 2023 22:13:20 GMT"), 25.0),
    "a broken Date": (after("Tue, 14 Nov 2023 22:13:30 GMT", "yesterday"), 10.0),
    "number and date": (after("5, Tue, 14 Nov 2023 22:13:50 GMT"), 30.0),
    "two dates": (after("Tue, 14 Nov 2023 22:13:50 GMT, Tue, 14 Nov 2023 22:13:25 GMT"), 30.0),
    "negative": (after("-5"), 0.0),
    "garbage": (after("soon"), None),
    "empty": (after(""), None),
}
NOTHING_SAID = ["nan", "inf", "infinity", "-inf", "1_000", "0x10", "٧", "7;q=1", "Tue, 31 Feb 2023 22:13:30 GMT", ","]
TOO_LONG: dict[str, tuple[Headers, float]] = {
    "a minute": (after("60"), 60.0),
    "a day": (after("86400"), 86400.0),
    "tomorrow": (after("Wed, 15 Nov 2023 22:13:20 GMT"), 86400.0),
    "tomorrow by a clock ahead": (after("Thu, 16 Nov 2023 22:13:20 GMT", "Wed, 15 Nov 2023 22:13:20 GMT"), 86400.0),
    "more than a float holds": (after("9" * 400), 1e9),
    "an exponent without end": (after("1e400"), 1e9),
}


@pytest.mark.parametrize("name", ASKED)
def test_the_next_try_is_never_earlier_than_the_service_asks(name: str, journal: Journal) -> None:
    """24 forms, 1,008 calls."""
    headers, asked = ASKED[name]
    chance = random.Random(name)  # noqa: S311 (repeatable, not secret)
    for number in range(42):
        clock, drawn = FakeClock(), chance.random()
        script = Script(clock, answer(429 if number % 2 else 503, headers), alive())
        with client(clock, script, journal, jitter=lambda drawn=drawn: drawn) as api:
            assert api.heartbeat().heartbeat == "a7"
        first, second = script.times
        assert second - first == max(asked or 0.0, 0.5 * drawn)


@pytest.mark.parametrize("text", NOTHING_SAID)
def test_what_says_nothing_is_as_if_it_were_absent(text: str, journal: Journal) -> None:
    assert retry_after_s({"retry-after": text}, NOW) is None
    clock = FakeClock()
    script = Script(clock, answer(429, [("retry-after", text)] if text.isascii() else []), alive())
    with client(clock, script, journal, jitter=lambda: 0.5) as api:
        api.heartbeat()
    assert clock.waits == [0.25]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("name", TOO_LONG)
def test_a_wait_beyond_the_deadline_is_not_waited_for(name: str, status: int, journal: Journal) -> None:
    headers, asked = TOO_LONG[name]
    clock = FakeClock()
    script = Script(clock, answer(status, headers))
    with (
        client(clock, script, journal) as api,
        pytest.raises(ThrottledError if status == 429 else UnavailableError) as caught,
    ):
        api.heartbeat()
    assert (caught.value.status, caught.value.retry_after_s) == (status, asked)
    assert (script.times, clock.waits) == ([0.0], [])


def test_a_date_is_read_by_our_clock_only_without_one_of_its_own() -> None:
    date = {"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}
    assert retry_after_s(date, NOW - 100) == 110.0
    assert retry_after_s({**date, "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, NOW - 100) == 10.0
    assert retry_after_s({"date": "Tue, 14 Nov 2023 22:13:20 GMT"}, NOW) is None


def test_retry_after_holds_when_the_body_of_the_refusal_is_lost(journal: Journal) -> None:
    """A body that breaks off, or is packed as nobody asked for, does not make a refusal an answer to hurry after."""
    cut = response_to(Answer(503, {"retry-after": "9"}, b'{"status": 503}'), httpx.ReadError("cut"))
    packed = httpx.Response(
        429, headers={"retry-after": "9", "content-encoding": "br"}, stream=response_to(Answer(429, {}, b"???")).stream
    )
    for spoilt in (cut, packed):
        clock, left = FakeClock(), [spoilt, alive()]

        class Once:
            def handle_request(self, _request: httpx.Request, left: list[httpx.Response] = left) -> httpx.Response:
                return left.pop(0)

        with client(clock, Once(), journal, jitter=lambda: 0.0) as api:
            api.heartbeat()
        assert clock.waits == [9.0]


@given(drawn=st.lists(st.floats(0.0, 1.0), min_size=7, max_size=7))
def test_the_back_off_is_full_jitter_below_a_cap(drawn: list[float], tmp_path_factory: pytest.TempPathFactory) -> None:
    clock, left = FakeClock(), iter(drawn)
    script = Script(clock, answer(500))
    with (
        Journal(tmp_path_factory.getbasetemp() / "back-off.sqlite3") as journal,
        client(clock, script, journal, jitter=lambda: next(left)) as api,
        pytest.raises(ServerError),
    ):
        api.heartbeat()
    most = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0]
    assert clock.waits == [part * limit for part, limit in zip(drawn, most, strict=True)]
    assert len(script.times) == 8


@given(call_s=st.floats(0.01, 60.0), seed=st.integers(0, 2**32))
def test_no_wait_goes_past_the_deadline(call_s: float, seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    clock = FakeClock()
    script = Script(clock, answer(500))
    jitter = random.Random(seed).random  # noqa: S311 (repeatable, not secret)
    with (
        Journal(tmp_path_factory.getbasetemp() / "deadline.sqlite3") as journal,
        client(clock, script, journal, jitter=jitter, call_s=call_s) as api,
        pytest.raises(ServerError),
    ):
        api.heartbeat()
    assert clock.now < call_s
    assert len(script.times) == len(clock.waits) + 1


RETRIED = [408, 429, 500, 502, 503, 504]
NEVER = [400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 418, 422, 451, 501, 505, 599]


@pytest.mark.parametrize(("statuses", "tries"), [(RETRIED, 8), (NEVER, 1)])
def test_which_statuses_are_tried_again(statuses: list[int], tries: int, journal: Journal) -> None:
    for status in statuses:
        clock = FakeClock()
        script = Script(clock, answer(status))
        with client(clock, script, journal, jitter=lambda: 0.0) as api, pytest.raises(APIError) as caught:
            api.heartbeat()
        assert (caught.value.status, len(script.times)) == (status, tries)


def tls_failure() -> httpx.ConnectError:
    error = httpx.ConnectError("refused")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed")
    return error


HTML = httpx.Response(200, headers={"content-type": "text/html"}, content=b"<html>")
TROUBLES: dict[str, tuple[httpx.Response | Exception, type[HematoError], int]] = {
    "no connection": (httpx.ConnectError("x"), ConnectionFailedError, 8),
    "reset while sending": (httpx.WriteError("x"), ConnectionFailedError, 8),
    "reset while reading": (httpx.ReadError("x"), ConnectionFailedError, 8),
    "closed without an answer": (httpx.RemoteProtocolError("x"), ConnectionFailedError, 8),
    "a proxy that refuses": (httpx.ProxyError("x"), ConnectionFailedError, 8),
    "connecting takes too long": (httpx.ConnectTimeout("x"), TimedOutError, 8),
    "reading takes too long": (httpx.ReadTimeout("x"), TimedOutError, 8),
    "writing takes too long": (httpx.WriteTimeout("x"), TimedOutError, 8),
    "no free connection": (httpx.PoolTimeout("x"), TimedOutError, 8),
    "a page of a proxy": (HTML, NotJSONError, 8),
    "another shape": (answer(200, document={"heartbeat": 7}), SchemaMismatchError, 3),
    "elsewhere": (answer(302, [("location", "http://elsewhere.invalid/")]), RedirectRefusedError, 3),
    "too long": (answer(200, document=ALIVE | {"more": "x" * 2000}), ResponseTooLargeError, 3),
    "a certificate": (tls_failure(), TLSError, 1),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_which_errors_are_tried_again(name: str, journal: Journal) -> None:
    trouble, kind, tries = TROUBLES[name]
    clock = FakeClock()
    script = Script(clock, trouble)
    with client(clock, script, journal, jitter=lambda: 0.0, body_limit=1000) as api, pytest.raises(kind):
        api.heartbeat()
    assert len(script.times) == tries


def test_a_good_answer_that_breaks_off_is_tried_again(journal: Journal) -> None:
    clock = FakeClock()
    cut = Answer(200, JSON, json.dumps(ALIVE).encode())
    transport = httpx.MockTransport(lambda _: response_to(cut, httpx.RemoteProtocolError("cut")))
    with client(clock, transport, journal) as api, pytest.raises(TruncatedResponseError):
        api.heartbeat()
    assert len(clock.waits) == 7


class Door:
    """A service that logs everybody in and accepts the tokens that it is told to."""

    def __init__(self, *accepted: str) -> None:
        self._accepted = accepted
        self.seen: list[str] = []
        self._logins = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/login":
            self._logins += 1
            self.seen.append("login")
            token = {"HY_APP_AUTH_v1": f"session-{self._logins}"}
            return answer(202, document={"status": 202, "results": {"token": token}})
        self.seen.append(request.headers["authorization"])
        if request.headers["authorization"] not in self._accepted:
            return answer(401)
        results = {"pbs_study_id": "one", "report_status": "ready", "progress": 1.0}
        return answer(200, document={"status": 200, "results": results})


@pytest.mark.parametrize(
    ("accepted", "seen"),
    [
        ("session-1", ["login", "session-1"]),
        ("session-2", ["login", "session-1", "login", "session-2"]),
        ("session-3", ["login", "session-1", "login", "session-2"]),
    ],
)
def test_a_refused_token_is_renewed_once(accepted: str, seen: list[str], journal: Journal) -> None:
    clock, door = FakeClock(), Door(accepted)
    auth = PasswordAuth("ali@example.com", "a password that nobody has")
    with Client("eu", auth=auth, transport=door, journal=journal, clock=clock.clock()) as api:
        if accepted in seen:
            assert api.status("one").is_ready
        else:
            with pytest.raises(UnauthorizedError):
                api.status("one")
    assert (door.seen, clock.waits) == (seen, [])


def test_a_token_that_was_given_is_not_tried_twice(journal: Journal) -> None:
    door = Door("another")
    with (
        Client("eu", auth=TokenAuth("given"), transport=door, journal=journal, clock=FakeClock().clock()) as api,
        pytest.raises(UnauthorizedError),
    ):
        api.status("one")
    assert door.seen == ["given"]


def test_what_certainly_was_not_done() -> None:
    refused = [BadRequestError("x"), ThrottledError("x"), UnavailableError("x"), APIError("x", status=408)]
    not_sent = ConnectionFailedError("x", outcome="not sent")
    assert all(certainly_not_done(error) for error in [*refused, not_sent])
    unsure = [ServerError("x"), APIError("x", status=502), TimedOutError("x", outcome="unknown"), NotJSONError("x")]
    assert not any(certainly_not_done(error) for error in unsure)


def test_questions_for_the_status_come_ever_more_rarely() -> None:
    policy = Policy(poll_first_s=1.0, poll_longest_s=4.0)
    assert [policy.poll_wait_s(polls) for polls in range(6)] == [1.0, 1.5, 2.25, 3.375, 4.0, 4.0]
    assert policy.poll_wait_s(10**6) == 4.0


@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_a_policy_that_could_never_work_is_refused(value: float) -> None:
    names = ["attempts", "first_wait_s", "longest_wait_s", "call_s", "upload_s", "poll_first_s", "body_limit"]
    for name in names:
        with pytest.raises(ConfigError, match=name):
            replace(Policy(), **{name: value})
    for phase in ("connect", "read", "write"):
        with pytest.raises(ConfigError, match=phase):
            Policy(timeouts=Timeouts(**{phase: value}))
