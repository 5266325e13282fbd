"""Bodies are strict JSON, answers are the vendor's envelope, and only JSON is spoken."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from hemato_lab.twin.exchange import Answer, Call, accepts_json, host_of, parsed, refused
from hemato_lab.twin.refusals import MESSAGE_OF, STATUS_OF, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DOCUMENTED = {400, 401, 403, 404, 405, 406, 418, 429, 500, 503}


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}"])
def test_an_empty_body_is_an_empty_object(body: bytes) -> None:
    assert parsed(body) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"text"',
        b"null",
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": 1} // a comment of the document',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b'{"a": 1' + b"0" * 5000 + b"}",
    ],
)
def test_what_is_no_strict_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal, match="bad_json"):
        parsed(body)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", True),
        ("*/*", True),
        ("application/json", True),
        ("application/*;q=0.5", True),
        ("text/html, application/json;q=0.9", True),
        ("text/html", False),
        ("application/json;q=0", False),
        ("application/json;q=0, */*", False),
        ("*/*;q=0", False),
        ("application/json; charset=utf-8", True),
        ("text/html;q=0, */*;q=0.1", True),
    ],
)
def test_accept_by_rfc_9110(accept: str, *, expected: bool) -> None:
    assert accepts_json(accept) is expected


def test_the_envelope_is_the_documents() -> None:
    answer = Answer(202, {"a": 1}, debug_info={"b": 2})
    assert json.loads(answer.envelope({"delta": "1ms"})) == {
        "status": 202,
        "results": {"a": 1},
        "error": "",
        "user_message": "",
        "debug_info": {"delta": "1ms", "b": 2},
    }


def test_plain_answers_have_no_envelope() -> None:
    assert json.loads(Answer.plain({"a": 1}).envelope({"delta": "1ms"})) == {"a": 1}


def test_every_refusal_is_documented_and_has_words() -> None:
    assert set(STATUS_OF.values()) == DOCUMENTED
    for code, status in STATUS_OF.items():
        answer = refused(Refusal(code, {"a": 1}, {"retry-after": "1"}))
        assert (answer.status, answer.error, answer.debug_info) == (status, code, {"a": 1})
        assert answer.user_message == MESSAGE_OF[code]
        assert answer.user_message.endswith(".")
        assert "_" not in answer.user_message
        assert answer.headers == {"retry-after": "1"}


def call(*pieces: bytes) -> Call:
    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return Call({}, {}, {}, stream, "127.0.0.1")


def test_a_body_is_joined_and_limited() -> None:
    assert asyncio.run(call(b"ab", b"", b"c").body(3)) == b"abc"
    with pytest.raises(Refusal, match="body_too_large"):
        asyncio.run(call(b"ab", b"cd").body(3))


def test_nobody_is_no_caller() -> None:
    with pytest.raises(Refusal, match="unauthorized"):
        _ = call().caller


@pytest.mark.parametrize(
    ("host", "expected"),
    [("Localhost:80", "localhost"), ("127.0.0.1", "127.0.0.1"), ("[::1]:8765", "::1"), ("[::1]", "::1"), ("", "")],
)
def test_the_name_that_a_server_is_called_by(host: str, expected: str) -> None:
    assert host_of({"host": host}) == expected
