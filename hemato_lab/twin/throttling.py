"""Slow for who guesses passwords: waits after failed logins, by user and by where they come from.

In memory alone: a restart forgives. A wait is short enough that somebody who fails in another's name on purpose keeps
that user out for a minute at a time, and long enough that a guesser has a few thousand tries a day and not millions.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

FREE_FOR_USER: Final = 5
"""Failures of one user without a wait: people mistype."""
FREE_FOR_PEER: Final = 20
"""Failures from one address without a wait: many people may share one."""
LONGEST_WAIT_S: Final = 60.0
FORGOTTEN_AFTER_S: Final = 900.0
"""Without another failure."""
_LONGEST_TRY_S: Final = 30.0
"""After which a try that was begun and never reported counts no more as under way."""
_SHORTEST_WAIT_S: Final = 1.0
_MOST_AT_A_TIME: Final = 50


@dataclass(slots=True)
class _Record:
    failures: int = 0
    under_way: int = 0
    wait_until: float = 0.0
    begun: float = 0.0
    last: float = 0.0

    def wait_s(self, free: int, now: float) -> float:
        most_under_way = _MOST_AT_A_TIME if self.failures < free else 1
        crowded_s = _SHORTEST_WAIT_S if self.under_way >= most_under_way else 0.0
        return max(crowded_s, self.wait_until - now, 0.0)

    def fail(self, free: int, now: float) -> None:
        self.failures += 1
        self.under_way = max(0, self.under_way - 1)
        if self.failures >= free:
            doublings = min(self.failures - free, 16)
            self.wait_until = now + min(LONGEST_WAIT_S, _SHORTEST_WAIT_S * 2.0**doublings)


class _Try(NamedTuple):
    kept_in: OrderedDict[bytes, _Record]
    key: bytes
    record: _Record
    free: int


class LoginThrottle:
    """Counts failed logins; may be used from several threads.

    Parameters
    ----------
    monotonic : callable
        Seconds by a clock that only goes forward.
    most_remembered : int
        Users, and as many addresses; of more, those that tried longest ago are forgotten.

    Notes
    -----
    The wait before a try is 1, 2, 4 ... 60 s once a user failed 5 times or an address 20 times. From then on tries go
    one by one, and before it at most 50 are under way, so that many at a time are no way around. Of an IPv6 address the
    network counts (64 bits), because one machine can have all of it.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic, most_remembered: int = 10_000) -> None:
        self._monotonic = monotonic
        self._most = most_remembered
        self._users: OrderedDict[bytes, _Record] = OrderedDict()
        self._peers: OrderedDict[bytes, _Record] = OrderedDict()
        self._lock = Lock()

    def wait_s(self, user: str, peer: str) -> float:
        """Return how long to wait before a login may be tried, in seconds; 0 if it is tried now.

        After 0 the try is under way, until `failed` or `succeeded` tells how it ended.
        """
        with self._lock:
            now = self._monotonic()
            tries = self._tries(user, peer, now)
            wait_s = max(one.record.wait_s(one.free, now) for one in tries)
            if wait_s > 0:
                return wait_s  # and nothing is remembered: who waits cannot crowd others out of the memory
            for one in tries:
                one.record.under_way += 1
                one.record.begun = now
                self._remember(one, now)
            return 0.0

    def failed(self, user: str, peer: str) -> None:
        """Count a failed login."""
        with self._lock:
            now = self._monotonic()
            for one in self._tries(user, peer, now):
                one.record.fail(one.free, now)
                self._remember(one, now)

    def succeeded(self, user: str, peer: str) -> None:
        """Forget the user's failures; the address keeps its own, or an account would be a licence to guess others'."""
        with self._lock:
            of_user, of_peer = self._tries(user, peer, self._monotonic())
            of_user.kept_in.pop(of_user.key, None)
            of_peer.record.under_way = max(0, of_peer.record.under_way - 1)

    def _tries(self, user: str, peer: str, now: float) -> tuple[_Try, _Try]:
        """Return what is known of the user and of the address."""
        users, peers, user_key, peer_key = self._users, self._peers, _user_key(user), _peer_key(peer)
        return (
            _Try(users, user_key, _current(users.get(user_key), now), FREE_FOR_USER),
            _Try(peers, peer_key, _current(peers.get(peer_key), now), FREE_FOR_PEER),
        )

    def _remember(self, one: _Try, now: float) -> None:
        one.record.last = now
        one.kept_in[one.key] = one.record
        one.kept_in.move_to_end(one.key)
        if len(one.kept_in) > self._most:
            one.kept_in.popitem(last=False)


def _current(record: _Record | None, now: float) -> _Record:
    """Return a record without what is too long ago to count."""
    if record is None or now - record.last > FORGOTTEN_AFTER_S:
        return _Record()
    if now - record.begun > _LONGEST_TRY_S:
        record.under_way = 0
    return record


def _user_key(user: str) -> bytes:
    """Return what a user is remembered by: of one length, and no list of names for who can read the memory."""
    return hashlib.sha256(user.lower().encode("utf-8", "surrogatepass")).digest()


def _peer_key(peer: str) -> bytes:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer.encode("utf-8", "surrogatepass")
    if isinstance(address, ipaddress.IPv4Address):
        return address.packed
    mapped = address.ipv4_mapped
    return mapped.packed if mapped is not None else address.packed[:8]
