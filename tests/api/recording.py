"""What every double of the service has: it remembers what it was asked, and gives prepared answers."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_RECORDED = 100_000


@dataclass
class Answer:
    """What goes back over any transport; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Received:
    """A request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))


class Recording:
    """Answers requests and remembers what it was asked; safe to call from several threads.

    Put answers, or functions from a `Received` to an answer, into `next_answers` to have them given instead.

    Attributes
    ----------
    word_for_open : str
        ``report_status`` of a study without tasks.
    version : str
        Of its heartbeat.
    subject : str
        Claim ``sub`` of a token that it accepts for ever.
    """

    word_for_open: str
    version: str
    subject: str

    def __init__(
        self, *, wall_clock: Callable[[], float] = time.time, record: bool = True, keep_bodies: bool = True
    ) -> None:
        self.wall_clock = wall_clock
        self.record = record
        self.keep_bodies = keep_bodies
        self.received: list[Received] = []
        self.next_answers: deque[Answer | Callable[[Received], Answer]] = deque()
        self._lock = threading.RLock()

    def now(self) -> float:
        """Return the service's time, whichever clock it has by now."""
        return self.wall_clock()

    def close(self) -> None:
        """Let go of what it has."""

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request, with the next prepared answer if there is one."""
        received = Received(method, target, headers, body)
        self.note(received)
        prepared = self.prepared()
        if prepared is None:
            return self.process(received)
        return prepared if isinstance(prepared, Answer) else prepared(received)

    def note(self, received: Received) -> None:
        """Remember a request."""
        if self.record:
            with self._lock:
                kept = received.body if self.keep_bodies else b""
                self.received.append(Received(received.method, received.target, dict(received.headers), kept))
                del self.received[:-MOST_RECORDED]

    def prepared(self) -> Answer | Callable[[Received], Answer] | None:
        """Take the next prepared answer, None if there is none."""
        try:
            return self.next_answers.popleft()
        except IndexError:
            return None

    def process(self, received: Received) -> Answer:
        """Answer one request as the documents say."""
        raise NotImplementedError

    def success(self, status: int, results: Any) -> Answer:
        """Return an answer in the envelope."""
        return self._answer(status, {"results": results, "error": "", "user_message": "", "debug_info": {}})

    def error(
        self, status: int, code: str, debug_info: dict[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return an error in the envelope, its code in `error`."""
        words = {"results": {}, "error": code, "user_message": f"This did not work: {code.replace('_', ' ')}."}
        answer = self._answer(status, words | {"debug_info": debug_info or {}})
        answer.headers.update(headers or {})
        return answer

    def _answer(self, status: int, envelope: dict[str, Any]) -> Answer:
        return self._plain(status, {"status": status, **envelope})

    def _plain(self, status: int, document: dict[str, Any]) -> Answer:
        headers = {"content-type": "application/json", "date": formatdate(self.now(), usegmt=True)}
        return Answer(status, headers, json.dumps(document).encode())
