"""How often, how long and when to try again (api/DECISIONS.md section 4, rows 16 and 29)."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from hemato_lab.api.messages import Timeouts
from hemato_lab.errors import (
    APIError,
    ConfigError,
    HematoError,
    RedirectRefusedError,
    ResponseTooLargeError,
    SchemaMismatchError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SECONDS: Final = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?\s*s?", re.ASCII)
_DATE: Final = re.compile(
    r"\d{1,2}[ -][a-z]{3}[ -]\d{2,4}[ ]+\d{1,2}:\d{2}:\d{2}(?:[ ]+(?:gmt|utc|[+-]\d{4}))?"
    r"|[a-z]{3}[ ]+\d{1,2}[ ]+\d{1,2}:\d{2}:\d{2}[ ]+\d{4}",
    re.ASCII | re.IGNORECASE,
)
"""An HTTP date (RFC 9110 5.6.7: IMF-fixdate, RFC 850, asctime) without its weekday."""
_LONGEST_HEADER: Final = 4096
_ALWAYS_S: Final = 1e9
"""In the place of numbers that are too large to be meant, or to be a float."""
_TRIES_OF_WHOLE_ANSWERS: Final = 3
"""Tries of a call whose answer comes whole and cannot be used: it will hardly be another one."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Attempts, waits and deadlines; all can be set.

    Attributes
    ----------
    attempts : int
        Tries of one call.
    first_wait_s, longest_wait_s : float
        Before try n + 1 the wait is drawn evenly from 0 to ``first_wait_s * 2**n``, at most `longest_wait_s` (full
        jitter). A Retry-After is a floor under it.
    timeouts : Timeouts
        Of each phase of an exchange.
    call_s, upload_s : float
        Of a whole call with all its tries.
    poll_first_s, poll_longest_s : float
        Between two questions for the status; each wait is half as long again as the one before.
    body_limit : int
        Bytes of the longest answer that is read, packed and unpacked.
    jitter : callable
        Returns a number from 0 to 1.
    """

    attempts: int = 8
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0
    timeouts: Timeouts = field(default_factory=Timeouts)
    call_s: float = 60.0
    upload_s: float = 600.0
    poll_first_s: float = 0.5
    poll_longest_s: float = 10.0
    body_limit: int = 32 * 2**20
    jitter: Callable[[], float] = field(default=random.random, repr=False, compare=False)

    def __post_init__(self) -> None:
        positive = {
            "attempts": self.attempts,
            "first_wait_s": self.first_wait_s,
            "longest_wait_s": self.longest_wait_s,
            "call_s": self.call_s,
            "upload_s": self.upload_s,
            "poll_first_s": self.poll_first_s,
            "poll_longest_s": self.poll_longest_s,
            "body_limit": self.body_limit,
            "timeouts.connect": self.timeouts.connect,
            "timeouts.read": self.timeouts.read,
            "timeouts.write": self.timeouts.write,
        }
        for name, value in positive.items():
            if not value > 0:
                raise ConfigError("must be more than zero", subject=f"Policy.{name}")

    def wait_s(self, tries: int, error: HematoError) -> float:
        """Return the seconds to wait after so many tries, the last of which ended with this error."""
        spread = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(tries - 1, 60))
        floor = error.retry_after_s if isinstance(error, APIError) else None
        return max(spread * self.jitter(), floor or 0.0)

    def poll_wait_s(self, polls: int) -> float:
        """Return the seconds to wait after so many questions for the status."""
        return min(self.poll_longest_s, self.poll_first_s * 1.5 ** min(polls, 60))

    def tries_left(self, tries: int, error: HematoError) -> bool:
        """Tell whether the same request may be sent once more."""
        whole = isinstance(error, SchemaMismatchError | ResponseTooLargeError | RedirectRefusedError)
        return error.retryable and tries < (min(self.attempts, _TRIES_OF_WHOLE_ANSWERS) if whole else self.attempts)


def certainly_not_done(error: HematoError) -> bool:
    """Tell whether the service certainly did nothing: nothing was sent, or it said so (api/DECISIONS.md section 4)."""
    return isinstance(error, TransportError | APIError) and error.outcome in {"not sent", "refused"}


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds the service asks to wait, None where it does not say.

    Parameters
    ----------
    headers : mapping
        Of the answer, names in lower case.
    now : float
        Unix time by our clock; used for a date only if the answer has no ``Date`` of its own, as the two clocks may
        differ.

    Notes
    -----
    RFC 9110 10.2.3 knows whole seconds and dates. Fractions and several values occur too; of several the longest holds,
    so that the wait is never too short. What says nothing (``soon``, ``nan``) is as if it were absent.
    """
    text = headers.get("retry-after", "")[:_LONGEST_HEADER]
    moments = [moment for match in _DATE.findall(text) if (moment := _unix_time(match)) is not None]
    theirs = server_time(headers)
    waits = [max(0.0, moment - (now if theirs is None else theirs)) for moment in moments]
    waits += [wait for part in _DATE.sub("", text).split(",") if (wait := _seconds(part)) is not None]
    return max(waits, default=None)


def _seconds(text: str) -> float | None:
    stripped = text.strip()
    if not _SECONDS.fullmatch(stripped):
        return None
    return min(max(0.0, float(stripped.rstrip("s").strip())), _ALWAYS_S)


def _unix_time(text: str) -> float | None:
    """Return the Unix time of an HTTP date in any of its three forms."""
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:  # asctime and "-0000" mean UTC here
            date = date.replace(tzinfo=UTC)
        return date.timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def server_time(headers: Mapping[str, str]) -> float | None:
    """Return the service's own time, from the ``Date`` of its answer; None where it has none."""
    found = _DATE.search(headers.get("date", "")[:_LONGEST_HEADER])
    return _unix_time(found[0]) if found else None
