"""Reading of answers that may be long, packed or cut short, piece by piece and never beyond a limit.

A packed answer of 100 kB can hold 100 MB (RELIABILITY.md), so the limit holds for the unpacked bytes too, and unpacking
stops there.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from hemato_lab.api.messages import Answer
from hemato_lab.errors import NotJSONError, ResponseTooLargeError, TruncatedResponseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ACCEPTED_ENCODINGS: Final = "gzip"
_WINDOW: Final = {"gzip": 31, "x-gzip": 31, "deflate": 47}
_PIECE: Final = 1 << 20


class BodyReader:
    """Collects one answer.

    Parameters
    ----------
    limit : int
        Most bytes, packed and unpacked.
    subject : str
        What was asked, for errors.
    """

    def __init__(self, limit: int, subject: str) -> None:
        self._limit = limit
        self._subject = subject
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._content = bytearray()  # no list of pieces: a hostile server sends millions of a byte each
        self._packed_size = 0
        self._unpack: zlib._Decompress | None = None

    @property
    def status(self) -> int:
        """Status of the answer; 0 before it began."""
        return self._status

    def begin(self, status: int, headers: Iterable[tuple[str, str]], *, unpacked: bool = False) -> None:
        """Take the head of the answer.

        Raises
        ------
        ResponseTooLargeError
            If it announces more than the limit.
        NotJSONError
            If it is packed in a way that was not asked for.
        """
        joined: dict[str, str] = {}
        for name, value in headers:
            key = name.lower()
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
        self._status, self._headers = status, joined
        announced = joined.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > self._limit:
            raise self._too_large()
        encoding = joined.get("content-encoding", "identity").strip().lower()
        if unpacked or encoding in {"identity", ""}:
            return
        if encoding not in _WINDOW:
            raise NotJSONError("the answer is packed in a way that was not asked for", subject=self._subject)
        self._unpack = zlib.decompressobj(wbits=_WINDOW[encoding])

    def feed(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises
        ------
        ResponseTooLargeError
            If there are too many.
        NotJSONError
            If they cannot be unpacked, or go on after what was packed has ended.
        """
        self._packed_size += len(piece)
        if self._packed_size > self._limit:
            raise self._too_large()
        if self._unpack is None:
            self._keep(piece)
            return
        try:
            while piece:
                self._keep(self._unpack.decompress(piece, _PIECE))
                piece = self._unpack.unconsumed_tail
        except zlib.error:
            raise self._not_unpacked() from None
        if self._unpack.unused_data:
            raise self._not_unpacked()

    def answer(self) -> Answer:
        """Return the whole answer.

        Raises
        ------
        TruncatedResponseError
            If what was packed ends too early.
        """
        if self._unpack is not None and self._packed_size:
            try:
                self._keep(self._unpack.flush())
            except zlib.error:
                raise self._not_unpacked() from None
            if not self._unpack.eof:
                raise TruncatedResponseError("the packed answer ends too early", subject=self._subject)
        return Answer(self._status, self._headers, bytes(self._content))

    def head(self) -> Answer:
        """Return the answer without its body."""
        return Answer(self._status, self._headers, b"")

    def _keep(self, piece: bytes) -> None:
        if len(self._content) + len(piece) > self._limit:
            raise self._too_large()
        self._content += piece

    def _not_unpacked(self) -> NotJSONError:
        return NotJSONError("the answer cannot be unpacked", subject=self._subject, hint="try again later")

    def _too_large(self) -> ResponseTooLargeError:
        return ResponseTooLargeError(
            f"the answer is longer than {self._limit / 2**20:.4g} MiB",
            subject=self._subject,
            hint="raise Policy.body_limit if such a long report is expected",
        )
