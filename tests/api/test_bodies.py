"""Reading of bodies: whole or an error, and never more than the limit, however they are packed."""

from __future__ import annotations

import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.api.bodies import BodyReader
from hemato_lab.api.messages import Answer
from hemato_lab.errors import NotJSONError, ResponseTooLargeError, TruncatedResponseError
from tests.api.transports import gzip_bomb

MIB = 2**20
CONTENT = json.dumps({"text": "for Research Use Only " * 200}).encode()


def packed(content: bytes, window: int = 31) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return packer.compress(content) + packer.flush()


def kept(body: bytes, piece: int = 1000, limit: int = MIB, **headers: str) -> Answer:
    """Return what a reader makes of a body that comes in pieces."""
    reader = BodyReader(limit, "GET /x")
    reader.begin(200, [(name.replace("_", "-"), value) for name, value in headers.items()])
    for start in range(0, len(body), piece):
        reader.feed(body[start : start + piece])
    return reader.answer()


def fed_until_too_large(reader: BodyReader, body: bytes, piece: int) -> int:
    """Feed a body in pieces until it is refused; return how many bytes that took."""
    pieces = iter(range(0, len(body), piece))
    fed = 0

    def feed_all() -> None:
        nonlocal fed
        for start in pieces:
            fed += piece
            reader.feed(body[start : start + piece])

    with pytest.raises(ResponseTooLargeError, match=r"raise Policy\.body_limit"):
        feed_all()
    return fed


@given(
    content=st.binary(max_size=5000),
    piece=st.integers(1, 700),
    how=st.sampled_from([("gzip", 31), ("X-GZIP", 31), ("deflate", 15), ("identity", 0), ("", 0)]),
)
def test_a_body_is_whole_in_whatever_pieces_it_comes(content: bytes, piece: int, how: tuple[str, int]) -> None:
    encoding, window = how
    body = packed(content, window) if window else content
    answer = kept(body, piece, Content_Encoding=encoding, Content_Length=str(len(body)))
    assert (answer.status, answer.body) == (200, content)


def test_headers_are_in_lower_case_and_repeated_ones_joined() -> None:
    reader = BodyReader(10, "GET /x")
    reader.begin(429, [("Retry-After", "1"), ("DATE", "now"), ("retry-after", "9")])
    assert reader.answer() == Answer(429, {"retry-after": "1, 9", "date": "now"}, b"")
    assert reader.head() == reader.answer()


@pytest.mark.parametrize("limit", [1, 999, 1000, 1001, 4000])
def test_no_more_than_the_limit_is_kept(limit: int) -> None:
    body = bytes(4001)
    for encoding, sent in (("identity", body), ("gzip", packed(body))):
        reader = BodyReader(limit, "GET /x")
        reader.begin(200, [("content-encoding", encoding)])
        assert fed_until_too_large(reader, sent, 100) <= len(sent) + 100
        assert len(reader._content) <= limit
    assert len(kept(bytes(limit), limit=limit).body) == limit
    assert len(kept(packed(bytes(limit)), limit=max(limit, 100), content_encoding="gzip").body) == limit


def test_what_is_announced_is_refused_before_it_comes() -> None:
    for length in ("1001", "9" * 30):
        with pytest.raises(ResponseTooLargeError):
            kept(b"", limit=1000, content_length=length)
    for lie in ("1000", "-1", "x", "5, 5", "²", ""):
        assert kept(b"12", limit=1000, content_length=lie).body == b"12"
    with pytest.raises(ResponseTooLargeError):
        kept(bytes(1001), limit=1000, content_length="1000")


def test_a_bomb_is_stopped_early_and_costs_no_memory() -> None:
    """70 kB that unpack to 72 MiB."""
    reader, bomb = BodyReader(MIB, "GET /x"), gzip_bomb()
    reader.begin(200, [("content-encoding", "gzip")])
    tracemalloc.start()
    try:
        fed = fed_until_too_large(reader, bomb, 500)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fed < len(bomb) / 20
    assert len(reader._content) <= MIB
    assert peak < 4 * MIB


def test_millions_of_little_pieces_cost_little_memory() -> None:
    reader = BodyReader(MIB, "GET /x")
    reader.begin(200, [])
    tracemalloc.start()
    try:
        for number in range(100_000):
            reader.feed(b"%03d" % (number % 1000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MIB


def test_what_was_packed_and_cut_is_never_whole() -> None:
    whole = packed(CONTENT)
    for end in range(1, len(whole)):
        with pytest.raises(TruncatedResponseError):
            kept(whole[:end], content_encoding="gzip")
    assert kept(b"", content_encoding="gzip").body == b""


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        *(("br", CONTENT), ("zstd", CONTENT), ("gzip, gzip", packed(packed(CONTENT))), ("gzip", CONTENT)),
        *(("deflate", packed(CONTENT, -15)), ("gzip", packed(CONTENT, 15))),
        *(
            ("gzip", packed(CONTENT)[:-8] + bytes(8)),
            ("gzip", packed(CONTENT) * 2),
            ("gzip", packed(CONTENT) + b"more"),
        ),
    ],
)
def test_what_cannot_be_unpacked_says_so(encoding: str, body: bytes) -> None:
    for piece in (1, len(body)):
        with pytest.raises(NotJSONError, match="pack"):
            kept(body, piece, content_encoding=encoding)
