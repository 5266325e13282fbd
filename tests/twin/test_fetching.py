"""Downloads and calls that are permitted, and what may go wrong with them; `test_forbidden_requests` has the others."""

from __future__ import annotations

import gzip
import logging
import pickle
import ssl
import threading
import time
import traceback
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.errors import (
    APIError,
    ConnectionFailedError,
    DeadlineError,
    HematoError,
    InsecureAddressError,
    RedirectRefusedError,
    ResponseError,
    ResponseTooLargeError,
    TimedOutError,
    TLSError,
    TruncatedResponseError,
)
from hemato_lab.twin.fetching import Fetched, Fetcher, FetchRules
from tests.api.test_tls import certificate, server_context
from tests.twin.web import HOST, NAME, Names, Web, always, dripping, moved, ok, to_web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

ALLOWED = (ip_network(f"{HOST}/32"),)
BODY = bytes(range(256)) * 1000
TRUSTING_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
IMAGE = ok(BODY, "Content-Type: image/png")
SECRET = "signature-that-nobody-may-see"  # noqa: S105 (made up)
LENGTHLESS = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"


def fetcher(resolve: Any = None, **rules: Any) -> Fetcher:
    return Fetcher(FetchRules(**({"allowed": ALLOWED, "tls": TRUSTING_NOBODY} | rules)), resolve=resolve or to_web())


def failure(answer: Callable[[bytes], Iterable[bytes]], *, most_bytes: int = 1 << 20, **rules: Any) -> HematoError:
    """Return the error of a download that fails."""
    with Web(answer) as web, pytest.raises(HematoError) as caught:
        fetcher(**rules).download(f"{web.url}/a.png?{SECRET}", bytearray().extend, most_bytes=most_bytes)
    return caught.value


def test_a_file_is_downloaded() -> None:
    content = bytearray()
    with Web(always(IMAGE)) as web:
        got = fetcher().download(f"{web.url}/a.png?x=1#part", content.extend, most_bytes=len(BODY))
        request = web.requests[0].decode().split("\r\n")
    assert got == Fetched(len(BODY), "image/png")
    assert content == BODY
    assert request[0] == "GET /a.png?x=1 HTTP/1.1"
    named = {line.split(": ")[0].lower(): line.split(": ", 1)[1] for line in request[1:] if line}
    assert named["host"] == f"{NAME}:{web.port}"
    assert named["accept-encoding"] == "identity"
    assert set(named) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_an_empty_file_and_one_in_chunks_are_files() -> None:
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    for answer, expected in ((ok(b""), b""), (chunks, b"abcde"), (ok(b"x", "Content-Encoding: identity"), b"x")):
        content = bytearray()
        with Web(always(answer)) as web:
            assert fetcher().download(web.url, content.extend, most_bytes=5).size == len(expected)
        assert content == expected


def test_https_is_checked_against_the_name_not_the_address(tmp_path: Path) -> None:
    path = certificate(tmp_path, NAME)
    trusted = ssl.create_default_context(cafile=path)
    with Web(always(IMAGE), tls=server_context(path)) as web:
        got = fetcher(tls=trusted).download(f"{web.url}/a.png", bytearray().extend, most_bytes=1 << 20)
        assert fetcher(tls=trusted).post(f"{web.url}/hook", b"{}") == 200
        assert web.names == [NAME, NAME]
    assert got.size == len(BODY)


@pytest.mark.parametrize("kind", ["unknown issuer", "other name", "expired", "no tls"])
def test_https_without_a_good_certificate_is_refused(kind: str, tmp_path: Path) -> None:
    path = certificate(tmp_path, "other.example" if kind == "other name" else NAME, days=-1 if kind == "expired" else 1)
    trusted = None if kind == "unknown issuer" else ssl.create_default_context(cafile=path)
    secure = None if kind == "no tls" else server_context(path)
    with Web(always(IMAGE), tls=secure) as web:
        url = f"https://{NAME}:{web.port}/{SECRET}"
        with pytest.raises(TLSError) as caught:
            fetcher(tls=trusted).download(url, print_nothing, most_bytes=9)
        assert (caught.value.outcome, caught.value.subject) == ("not sent", f"https://{NAME}")
        with pytest.raises(TLSError) as caught:
            fetcher(tls=trusted).post(url, b"{}")
        assert (caught.value.outcome, caught.value.subject) == ("not sent", f"https://{NAME}")
        assert not any(SECRET.encode() in request for request in web.requests)


def test_a_redirect_is_followed_from_scratch() -> None:
    names = Names({NAME: [[HOST]], "other.example": [[HOST]]})
    answers = iter([moved("../b?y#part", "301 Moved"), moved("//other.example:{port}/c", "307 T"), IMAGE])
    with Web(lambda _: [next(answers).replace(b"{port}", str(web.port).encode())]) as web:
        got = fetcher(names).download(f"{web.url}/x/a?{SECRET}", bytearray().extend, most_bytes=1 << 20)
        lines = [request.split(b"\r\n")[:2] for request in web.requests]
    assert got.size == len(BODY)
    assert [line.decode().split()[1] for line, _ in lines] == [f"/x/a?{SECRET}", "/b?y", "/c"]
    assert lines[2][1].decode() == f"Host: other.example:{web.port}"
    assert names.asked == [NAME, NAME, "other.example"]


def test_a_call_is_made_and_its_status_returned_whatever_it_is() -> None:
    for status in (200, 204, 302, 404, 500):
        answer = ok(b"", "Location: /elsewhere", status=f"{status} X")
        with Web(always(answer)) as web:
            got = fetcher().post(f"{web.url}/hook", b'{"a": 1}', headers=[("X-Number", "7")])
            assert (got, len(web.requests)) == (status, 1)
            head, _, body = web.requests[0].partition(b"\r\n\r\n")
        assert body == b'{"a": 1}'
        assert {b"Content-Type: application/json", b"Content-Length: 8", b"X-Number: 7"} <= set(head.split(b"\r\n"))


def test_the_body_of_a_calls_answer_is_not_waited_for() -> None:
    with Web(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")) as web:
        assert fetcher(total_s=5).post(web.url, b"") == 200


def test_of_several_addresses_the_next_is_tried() -> None:
    names = Names({NAME: [["127.0.0.3", HOST]]})
    with Web(always(IMAGE)) as web:
        got = fetcher(names, allowed=(ip_network("127.0.0.2/31"),)).download(web.url, print_nothing, most_bytes=1 << 20)
    assert got.size == len(BODY)


def print_nothing(piece: bytes) -> None:
    pass


def test_plain_http_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    public = Names({NAME: [["93.184.216.34"]], "both.example": [["127.0.0.2", "93.184.216.34"]]})
    tried = unreachable(monkeypatch)
    for url in (f"http://{NAME}/", "http://both.example/", "http://93.184.216.34/"):
        with pytest.raises(InsecureAddressError, match="plain http"):
            fetcher(public).download(url, print_nothing, most_bytes=9)
        with pytest.raises(InsecureAddressError, match="plain http"):
            fetcher(public).post(url, b"")
    assert tried == []


def test_plain_http_goes_further_if_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = unreachable(monkeypatch)
    public = Names({NAME: [["93.184.216.34"]]})
    with pytest.raises(ConnectionFailedError) as caught:
        fetcher(public, allow_http=True).post(f"http://{NAME}/", b"")
    assert tried == [("93.184.216.34", 80)]
    assert caught.value.outcome == "not sent"


def unreachable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Have every connection fail, and return where they go to."""
    tried: list[Any] = []

    def connect(address: Any, *_arguments: Any, **_options: Any) -> None:
        tried.append(address)
        raise OSError("unreachable")

    monkeypatch.setattr("socket.create_connection", connect)
    return tried


def test_too_long_an_answer_is_refused_from_its_head() -> None:
    taken = bytearray()
    with Web(always(IMAGE)) as web, pytest.raises(ResponseTooLargeError):
        fetcher().download(web.url, taken.extend, most_bytes=len(BODY) - 1)
    assert not taken


def test_an_answer_in_chunks_is_cut_at_the_limit() -> None:
    def endless(_: bytes) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _number in range(100_000):
            yield b"400\r\n" + bytes(1024) + b"\r\n"

    taken = bytearray()
    with Web(endless) as web, pytest.raises(ResponseTooLargeError):
        fetcher().download(web.url, taken.extend, most_bytes=100_000)
    assert len(taken) <= 100_000


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nX: ",
    ],
)
def test_a_dripping_server_meets_the_deadline(first: bytes) -> None:
    error = failure(dripping(first), total_s=0.2)
    assert isinstance(error, DeadlineError)
    assert error.outcome == "unknown"


def test_the_deadline_holds_over_all_redirects() -> None:
    numbers = iter(range(1000))

    def slowly(_: bytes) -> Iterable[bytes]:
        time.sleep(0.05)
        yield moved(f"/{next(numbers)}")

    assert isinstance(failure(slowly, total_s=0.3, most_redirects=1000), DeadlineError)


def test_a_slow_taker_meets_the_deadline() -> None:
    with Web(always(ok(b"x"))) as web, pytest.raises(DeadlineError):
        fetcher(total_s=0.1).download(web.url, lambda _: time.sleep(0.15), most_bytes=1)


def test_a_slow_look_up_ends_in_time() -> None:
    ended = threading.Event()

    def slow(*_arguments: Any, **_options: Any) -> list[Any]:
        ended.wait(1)
        return []

    for rules, kind in (({"connect_s": 0.05}, TimedOutError), ({"total_s": 0.05}, DeadlineError)):
        with pytest.raises(kind) as caught:
            fetcher(slow, **rules).download(f"https://{NAME}/", print, most_bytes=1)
        assert caught.value.outcome == "not sent"
    ended.set()


def test_a_handshake_that_never_ends_meets_the_deadline() -> None:
    def silent(_: bytes) -> Iterable[bytes]:
        time.sleep(0.5)
        return []

    with Web(silent) as web:
        for rules, kind in (({"connect_s": 0.1}, TimedOutError), ({"total_s": 0.1}, DeadlineError)):
            with pytest.raises(kind):
                fetcher(**rules).post(f"https://{NAME}:{web.port}/", b"")


def test_closing_ends_what_is_under_way() -> None:
    one = fetcher()
    begun = threading.Event()

    def take(_piece: bytes) -> None:
        begun.set()

    with Web(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx")) as web:
        closing = threading.Thread(target=lambda: begun.wait(10) and one.close())
        closing.start()
        with pytest.raises(ConnectionFailedError, match="stopped"):
            one.download(web.url, take, most_bytes=1 << 20)
        closing.join()
        with pytest.raises(ConnectionFailedError, match="stopped"):
            one.post(web.url, b"")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (IMAGE[:-1], TruncatedResponseError),
        (IMAGE[:200], TruncatedResponseError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", TruncatedResponseError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", TruncatedResponseError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", TruncatedResponseError),
        (LENGTHLESS, ResponseError),
        (LENGTHLESS.replace(b"1.1", b"1.0"), ResponseError),
        (ok(gzip.compress(b"x", mtime=0), "Content-Encoding: gzip"), ResponseError),
        (ok(b"x", "Content-Encoding: identity, br"), ResponseError),
        (ok(b"x", "Content-Encoding: identity", "content-encoding: zstd"), ResponseError),
        (ok(b"x", "Content-Encoding: x-unheard-of"), ResponseError),
        (ok(b"x", status="204 No Content")[:-1], ResponseError),
        (ok(b"x", status="206 Partial Content"), ResponseError),
        (ok(b"", status="304 Not Modified"), ResponseError),
        (ok(b"x", status="403 Forbidden"), APIError),
        (ok(b"x", status="404 Not Found"), APIError),
        (ok(b"x", status="500 Oh"), APIError),
        (b"", ConnectionFailedError),
        (b"HTTP/1.1 200", ConnectionFailedError),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ConnectionFailedError),
        (b"\x00\xff" * 200_000, ConnectionFailedError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, ConnectionFailedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", ConnectionFailedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ConnectionFailedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", ResponseTooLargeError),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", (ResponseError, ConnectionFailedError)),
    ],
)
def test_what_is_no_good_answer_is_a_typed_error(answer: bytes, kind: type[HematoError]) -> None:
    error = failure(always(answer))
    assert isinstance(error, kind)
    assert error.subject == f"http://{NAME}"
    if isinstance(error, APIError):
        assert error.problem == f"answered with {error.status}"
        assert error.retryable == (error.status == 500)


def test_no_redirect_without_one_target_and_none_in_circles() -> None:
    for answer in (
        ok(b"", status="302 Found"),
        ok(b"", "Location: /a", "Location: /b", status="302 Found"),
        moved("/a.png?" + SECRET),
        moved("/other"),
    ):
        assert isinstance(failure(always(answer)), RedirectRefusedError)


def in_turn(*answers: bytes) -> Callable[[bytes], Iterable[bytes]]:
    rest = iter(answers)
    return lambda _: [next(rest)]


def test_a_target_is_not_mended() -> None:
    for target in ("/a\tb", "/a b", "/é"):
        with Web(in_turn(moved(target), IMAGE)) as web, pytest.raises(RedirectRefusedError):
            fetcher().download(web.url, print_nothing, most_bytes=1 << 20)


def test_the_request_after_a_redirect_is_another() -> None:
    names = Names({NAME: [[HOST]]})
    with Web(always(moved("//elsewhere.example/"))) as web, pytest.raises(ConnectionFailedError) as caught:
        fetcher(names).download(web.url, print_nothing, most_bytes=1)
    assert (caught.value.subject, caught.value.outcome) == ("http://elsewhere.example", "not sent")
    names = Names({NAME: [[HOST]], "elsewhere.example": [[HOST]]})
    with Web(always(moved("//elsewhere.example:1/"))) as web, pytest.raises(ConnectionFailedError) as caught:
        fetcher(names).download(web.url, print_nothing, most_bytes=1)
    assert (caught.value.problem, caught.value.outcome) == ("no connection could be made", "not sent")


def test_redirects_are_counted() -> None:
    answers = (moved("/1"), moved("/2"), moved("/3"), IMAGE)
    with Web(in_turn(*answers)) as web:
        assert fetcher(most_redirects=3).download(web.url, print_nothing, most_bytes=1 << 20).size == len(BODY)
    error = failure(in_turn(*answers), most_redirects=2)
    assert isinstance(error, RedirectRefusedError)
    assert "more than 2 times" in error.problem


def test_an_error_of_the_taker_is_the_takers() -> None:
    def full(_piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    with Web(always(IMAGE)) as web, pytest.raises(OSError, match="No space"):
        fetcher().download(web.url, full, most_bytes=1 << 20)


def test_a_name_that_leads_nowhere() -> None:
    for resolve in (Names({}), Names({NAME: [[]]})):
        with pytest.raises(ConnectionFailedError) as caught:
            fetcher(resolve).post(f"https://{NAME}/", b"")
        assert caught.value.outcome == "not sent"

    def not_a_name(*_arguments: Any, **_options: Any) -> list[Any]:
        raise UnicodeError("label too long")

    with pytest.raises(ConnectionFailedError):
        fetcher(not_a_name).post(f"https://{NAME}/", b"")


def test_neither_errors_nor_logs_hold_more_than_scheme_and_host(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore.http11").debug("a control: %s", SECRET)
    assert SECRET in caplog.text
    caplog.clear()
    answers = [IMAGE, IMAGE[:-1], ok(b"", status="403 F"), moved(f"/{SECRET}"), moved(f"ftp://a/{SECRET}"), b""]
    errors: list[BaseException] = []
    for answer in answers:
        with Web(always(answer)) as web:
            for url in (f"{web.url}/{SECRET}?{SECRET}", f"ftp://{SECRET}/", f"{web.url}@{SECRET}/"):
                try:
                    fetcher().download(url, print_nothing, most_bytes=1 << 20)
                except HematoError as error:
                    errors.append(error)
    assert len(errors) == 17
    for error in errors:
        texts = [str(error), repr(error), str(pickle.loads(pickle.dumps(error)))]  # noqa: S301 (our own bytes)
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        texts += list(shown.format())[1:]
        own = "\n".join(text for text in texts if "test_fetching" not in text)
        assert SECRET not in own
    assert SECRET not in caplog.text
    assert "httpcore" not in caplog.text
