"""Failures on purpose: what a network and a busy server do to a client, as often as asked for.

The n-th request meets the same fate in every run with the same seed, whatever the other requests are. A request from
this machine can ask for its own fate with the header ``X-Twin-Fault``. What the twin has beside the vendor's API (its
page, ``/_twin/...``, the OpenAPI document) never fails and is not counted.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import math
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.errors import ConfigError
from hemato_lab.twin.exchange import JSON_TYPE, refused
from hemato_lab.twin.refusals import STATUS_OF, Refusal
from hemato_lab.twin.reporting import PRODUCER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Twin-Fault"
"""Names the fate of its request, in the words of `parse_faults`; heard from this machine only."""
RETRY_AFTER_S: Final = 1
_CODES: Final = {str(status): code for code, status in reversed(STATUS_OF.items())}
"""The first code of each status."""
_HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "401": {"WWW-Authenticate": "Bearer"},
    "405": {"Allow": ""},
    "429": {"Retry-After": str(RETRY_AFTER_S)},
    "503": {"Retry-After": str(RETRY_AFTER_S)},
}
_SLOW: Final = "slow"
_PROCESSED: Final = {"drop": (False, True), "drop-before": (False,), "drop-after": (True,), "truncate": (True,)}
"""Whether the request is processed before its connection is cut: of several values each is as likely."""
_GARBAGE: Final = b"<!DOCTYPE html><html><body>Please sign in to the guest network</body></html>"
_KINDS: Final = (*_CODES, *_PROCESSED, "garbage")
_PART: Final = re.compile(r"(?P<kind>[a-z0-9-]+)(?::(?P<time>[0-9.]+m?s))?(?::(?P<probability>[0-9.]+))?", re.ASCII)
_LONGEST_S: Final = 3600.0
_MORE_THAN_ALL: Final = 1.0 + 1e-9
_GRAMMAR: Final = "write parts as 503:0.05, slow:2s, slow:200ms:0.5, drop:0.02, truncate:0.01 or garbage:0.01"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one request.

    Attributes
    ----------
    delay_s : float
        Seconds before anything else happens.
    kind : str
        A status, ``drop``, ``truncate``, ``garbage``, or empty: it is answered.
    processed : bool
        Whether the twin does what the request asks for.
    """

    delay_s: float = 0.0
    kind: str = ""
    processed: bool = True


@dataclass(frozen=True, slots=True)
class Faults:
    """How often requests fail in which way.

    Attributes
    ----------
    shares : mapping
        Probability of each way; a request fails in one way at most.
    slow_s, slow_share : float
        Seconds that a request waits, besides, and the probability that it does.
    """

    shares: Mapping[str, float]
    slow_s: float = 0.0
    slow_share: float = 0.0

    def fate(self, seed: int, ordinal: int) -> Fate:
        """Return what becomes of the request of this number; the same for the same seed, on every machine."""
        chance = random.Random(f"{seed} {ordinal}")  # noqa: S311 (repeatable, not secret)
        waits, strikes, half = chance.random(), chance.random(), chance.random()
        delay_s = self.slow_s if waits < self.slow_share else 0.0
        for kind, share in self.shares.items():
            if strikes < share:
                outcomes = _PROCESSED.get(kind, (False,))
                return Fate(delay_s, kind.partition("-")[0], outcomes[int(half * len(outcomes))])
            strikes -= share
        return Fate(delay_s)


def parse_faults(text: str) -> Faults:
    """Return the faults that a text as ``429:0.1,503:0.05,slow:2s,drop:0.02`` asks for.

    A part is one of the ways to fail and its probability, 1 if there is none:

    - a status of the vendor's table of errors: the request is not processed; 429 and 503 come with a Retry-After
    - ``drop``: the connection is cut, in half of the cases before the request is processed and else after it, with the
      answer lost; ``drop-before`` and ``drop-after`` are one of the two
    - ``truncate``: processed, and the connection is cut in the middle of the answer
    - ``garbage``: 200 with the page of a proxy instead of JSON, not processed
    - ``slow:2s`` or ``slow:200ms``: the request waits, whatever becomes of it then

    Raises
    ------
    ConfigError
        Naming the part that is wrong.
    """
    shares: dict[str, float] = {}
    slow: tuple[float, float] | None = None
    for part in (piece.strip() for piece in text.split(",")) if text.strip() else ():
        kind, delay_s, share = _parsed(part)
        if kind in shares or (kind == _SLOW and slow is not None):
            raise ConfigError("is named twice", subject=kind, hint=_GRAMMAR)
        if kind == _SLOW:
            slow = delay_s, share
        else:
            shares[kind] = share
        if math.fsum(shares.values()) > _MORE_THAN_ALL:
            problem = "makes the probabilities more than 1 in all"
            raise ConfigError(problem, subject=part, hint="a request fails in one way at most")
    return Faults(shares, *(slow or ()))


def _parsed(part: str) -> tuple[str, float, float]:
    """Return the kind of a part, its seconds, and its probability."""
    match = _PART.fullmatch(part)
    if match is None:
        raise ConfigError("is no fault", subject=repr(part)[:80], hint=_GRAMMAR)
    kind, time = match["kind"], match["time"]
    if kind not in {*_KINDS, _SLOW}:
        problem = f"is no way to fail; there are {', '.join((*_KINDS, _SLOW))}"
        raise ConfigError(problem, subject=part[:80], hint=_GRAMMAR)
    if (time is None) == (kind == _SLOW):
        problem = "needs a time, as slow:2s" if kind == _SLOW else "has no time"
        raise ConfigError(problem, subject=part[:80], hint=_GRAMMAR)
    return kind, _seconds(part, time), _probability(part, match["probability"])


def _seconds(part: str, time: str | None) -> float:
    if time is None:
        return 0.0
    factor, number = (0.001, time[:-2]) if time.endswith("ms") else (1.0, time[:-1])
    seconds = _number(part, number) * factor
    if seconds > _LONGEST_S:
        raise ConfigError(f"waits longer than {_LONGEST_S:.0f} s", subject=part[:80], hint=_GRAMMAR)
    return seconds


def _probability(part: str, text: str | None) -> float:
    value = 1.0 if text is None else _number(part, text)
    if value > 1.0:
        raise ConfigError("has a probability above 1", subject=part[:80], hint=_GRAMMAR)
    return value


def _number(part: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError("holds no number", subject=part[:80], hint=_GRAMMAR) from None


class FaultInjection:
    """ASGI middleware that has requests fail; it goes around everything else, so that nothing mends what it breaks.

    Parameters
    ----------
    app : ASGI application
        Answers the requests that are processed.
    faults : Faults
        See `parse_faults`.
    seed : int
        Of the fates of all requests.
    sleep : callable
        How to wait, in seconds.

    Notes
    -----
    ASGI has no word for cutting a connection. uvicorn's ``send`` is a method of the exchange that has the transport,
    which is closed. Where there is none, as below ``httpx.ASGITransport``, a ``ConnectionResetError`` reaches the
    client, and an answer that is cut short has half of what its Content-Length says.
    """

    def __init__(
        self,
        app: ASGIApp,
        faults: Faults,
        *,
        seed: int = 0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._faults = faults
        self._seed = seed
        self._sleep = sleep
        self._ordinals = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or fail to."""
        if scope["type"] != "http" or _is_ours(scope["path"]):
            await self._app(scope, receive, send)
            return
        ordinal = next(self._ordinals)
        try:
            faults = _asked_for(scope) or self._faults
        except ConfigError as error:
            await _give(send, 400, {}, _envelope("400", {"header": HEADER, "problem": str(error)}))
            return
        fate = faults.fate(self._seed, ordinal)
        if fate.delay_s:
            await self._sleep(fate.delay_s)
        await self._meet(fate, scope, receive, send)

    async def _meet(self, fate: Fate, scope: Scope, receive: Receive, send: Send) -> None:
        if not fate.kind:
            await self._app(scope, receive, send)
        elif fate.kind == "garbage":
            await _give(send, 200, {"Content-Type": "text/html; charset=utf-8"}, _GARBAGE)
        elif fate.kind in _CODES:
            body = _envelope(fate.kind, {"injected_fault": fate.kind})
            await _give(send, int(fate.kind), _HEADERS.get(fate.kind, {}), body)
        else:
            answer: list[Message] = []
            if fate.processed:
                await self._app(scope, receive, _keeping(answer))
            await _cut(receive, send, answer if fate.kind == "truncate" else [])


def _is_ours(path: str) -> bool:
    return path in {"/", "/openapi.json"} or path.startswith("/_twin/")


def _asked_for(scope: Scope) -> Faults | None:
    """Return the faults that a request from this machine asks for."""
    name = HEADER.lower().encode()
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return parse_faults(",".join(values)) if values and _is_loopback(scope.get("client")) else None


def _is_loopback(client: tuple[str, int] | None) -> bool:
    try:
        address = ipaddress.ip_address(client[0] if client else "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _envelope(status: str, debug_info: dict[str, Any]) -> bytes:
    return refused(Refusal(_CODES[status], debug_info)).envelope({"producer": PRODUCER})


async def _give(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    all_headers = {"Content-Type": JSON_TYPE, "Content-Length": str(len(body)), **headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in all_headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _keeping(answer: list[Message]) -> Send:
    """Return a `send` that keeps an answer here."""

    async def keep(message: Message) -> None:
        answer.append(message)

    return keep


async def _cut(receive: Receive, send: Send, answer: list[Message]) -> None:
    """Cut the connection, after the first half of an answer if there is one."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if answer:
        body = b"".join(message.get("body", b"") for message in answer[1:])
        await send(answer[0])
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": transport is not None})
    if transport is None and not answer:
        raise ConnectionResetError("the connection was cut on purpose")
    if transport is not None:
        transport.close()  # after the half was sent
        while (await receive())["type"] != "http.disconnect":
            pass
