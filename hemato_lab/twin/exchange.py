"""A request as the endpoints see it, and their answer; no web framework is known here."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from hemato_lab.twin.refusals import MESSAGE_OF, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from hemato_lab.twin.tokens import Bearer

JSON_TYPE: Final = "application/json"
LARGEST_JSON: Final = 4 << 20
"""Bytes of a JSON body: the list of twenty thousand presigned addresses is smaller."""
_DEEPEST: Final = 64
_QUICK: Final = 16 << 10
"""Bytes of JSON that are read in no time; longer ones are read beside the event loop."""


@dataclass(slots=True)
class Call:
    """One request.

    Attributes
    ----------
    headers : mapping of str to str
        Names in lower case; a header that came several times has its values joined by commas.
    query, path : mapping of str to str
        Parameters; of one that came several times the last.
    stream : callable
        Gives the body piece by piece; a body that ends early raises `Refusal`.
    peer : str
        Address of the other side.
    bearer : Bearer or None
        Who calls, where the operation asks for a token.
    """

    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    path: Mapping[str, str]
    stream: Callable[[], AsyncIterator[bytes]] = field(repr=False)
    peer: str
    bearer: Bearer | None = None

    @property
    def caller(self) -> Bearer:
        """Who calls; of operations that ask for a token."""
        if self.bearer is None:
            raise Refusal("unauthorized")
        return self.bearer

    @property
    def is_later(self) -> bool:
        """Whether it comes with a Bearer token, as requests of the later dialect do (api/DECISIONS.md section 5)."""
        return self.headers.get("authorization", "").lower().startswith("bearer ")

    async def body(self, most_bytes: int = LARGEST_JSON) -> bytes:
        """Return the whole body.

        Raises
        ------
        Refusal
            ``body_too_large``.
        """
        content = bytearray()
        async for piece in self.stream():
            content += piece
            if len(content) > most_bytes:
                raise Refusal("body_too_large", {"most_bytes": most_bytes})
        return bytes(content)

    async def document(self, most_bytes: int = LARGEST_JSON) -> dict[str, Any]:
        """Return the body as a JSON object, whatever its Content-Type; an empty body is an empty object.

        Raises
        ------
        Refusal
            ``bad_json`` for anything else (api/DECISIONS.md rows 3 and 25).
        """
        content = await self.body(most_bytes)
        return parsed(content) if len(content) <= _QUICK else await asyncio.to_thread(parsed, content)


@dataclass(slots=True)
class Answer:
    """One answer.

    Attributes
    ----------
    results : object
        JSON-ready; goes into the envelope.
    content : bytes or None
        What is sent as it is, without an envelope.
    results_text : str or None
        JSON to use in the place of `results`: a report of megabytes need not be read to be handed on.
    """

    status: int = 200
    results: Any = field(default_factory=dict, repr=False)
    error: str = ""
    user_message: str = ""
    debug_info: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = field(default=None, repr=False)
    content_type: str = JSON_TYPE
    results_text: str | None = field(default=None, repr=False)

    @classmethod
    def plain(cls, document: Mapping[str, Any]) -> Answer:
        """Return an answer of JSON without an envelope."""
        return cls(content=json.dumps(dict(document), allow_nan=False).encode())

    def envelope(self, debug_info: Mapping[str, Any]) -> bytes:
        """Return the body: the vendor's envelope around the results, or the content itself."""
        if self.content is not None:
            return self.content
        results = json.dumps(self.results, allow_nan=False) if self.results_text is None else self.results_text
        around = {
            "error": self.error,
            "user_message": self.user_message,
            "debug_info": {**debug_info, **self.debug_info},
        }
        rest = json.dumps(around, allow_nan=False).removeprefix("{")
        return f'{{"status": {self.status}, "results": {results}, {rest}'.encode()


def refused(refusal: Refusal) -> Answer:
    """Return the answer that a refusal is."""
    return Answer(
        refusal.status,
        {},
        refusal.code,
        MESSAGE_OF[refusal.code],
        refusal.debug_info,
        refusal.headers,
    )


def parsed(body: bytes) -> dict[str, Any]:
    """Return a JSON object; an empty body is an empty object.

    Raises
    ------
    Refusal
        ``bad_json`` for anything that is no strict JSON object: comments, NaN, a key given twice, half a surrogate.
    """
    if not body.strip():
        return {}
    try:
        document = json.loads(body, parse_constant=_no_json, object_pairs_hook=_unique)
        _check_depth(document)
        json.dumps(document, ensure_ascii=False).encode()  # half a surrogate is no text and can be stored nowhere
    except (ValueError, RecursionError):
        raise Refusal("bad_json") from None
    if not isinstance(document, dict):
        raise Refusal("bad_json")
    return document


def _no_json(name: str) -> NoReturn:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _check_depth(value: Any, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _check_depth(each, depth + 1)


def accepts_json(accept: str) -> bool:
    """Tell whether an Accept header lets JSON through (RFC 9110 section 12.5.1)."""
    if not accept.strip():
        return True
    best = -1, 0.0
    for each in accept.lower().split(","):
        kind, *parameters = [part.strip() for part in each.split(";")]
        narrowness = {"application/json": 2, "application/*": 1, "*/*": 0}.get(kind)
        if narrowness is not None:
            best = max(best, (narrowness, _quality(parameters)))
    return best[0] >= 0 and best[1] > 0


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        found = re.fullmatch(r"q\s*=\s*([01](?:\.[0-9]{0,3})?)", parameter)
        if found:
            return float(found[1])
    return 1.0


def host_of(headers: Mapping[str, str]) -> str:
    """Return the name that a request calls its server by, in lower case and without the port."""
    name, colon, port = headers.get("host", "").lower().rpartition(":")
    host = name if colon and port.isdigit() else headers.get("host", "").lower()
    return host.strip("[]")
