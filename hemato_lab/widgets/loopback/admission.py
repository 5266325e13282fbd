"""Who is let in: this machine's user, through a page of ours.

Any program and any page of any site can send requests to a port of this machine. Let in is who knows the token that was
printed; a browser that came with it gets a cookie. The cookie is sent from pages of ours alone (``SameSite=Strict``),
scripts cannot read it (``HttpOnly``), and as its path is random no other server of this machine ever sees it. The names
that requests are for and come from (``Host``, ``Origin``) are compared too, so no site can use its own name for this
machine.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable  # noqa: TC003 (fields of a dataclass)
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST: Final = "127.0.0.1"
PASS_S: Final = 60.0
"""Seconds in which an address for one browser has to be used."""
COOKIE: Final = "hemato_lab"
TOKEN: Final = "token"  # noqa: S105 (the name of a part of the address)
_TWICE: Final = (
    "The browser's own address was used a second time and refused. If no page was shown to you, someone else of this "
    "machine may have been let in: stop this and start it again."
)
_LATE: Final = "The browser came too late for its own address and was refused. Open the address above."
_NAMES: Final = (HOST, "localhost")


@dataclass
class Admission:
    """The secrets of one server, made anew for each.

    Attributes
    ----------
    port : int
        Where it listens.
    space : str
        First part of every path: not secret, but unknown to other servers.
    told : callable
        Called with a line what the user should know of refused browsers.
    clock : callable
        Seconds that never go back.
    """

    port: int
    space: str = field(default_factory=lambda: secrets.token_hex(8))
    _token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _passes: dict[str, float] = field(default_factory=dict, repr=False)
    _spent: set[str] = field(default_factory=set, repr=False)
    told: Callable[[str], object] = field(default=lambda _: None, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def address(self) -> str:
        """What the user opens: it holds the token."""
        return self._address_with(self._token)

    def address_for_one(self) -> str:
        """Return an address that within `PASS_S` seconds lets one browser in, and then nobody.

        Not for the arguments of a program, which other users of this machine can read and use first; see `doorway`.
        """
        one = secrets.token_urlsafe(32)
        with self._guard:
            self._passes[one] = self.clock() + PASS_S
        return self._address_with(one)

    def _address_with(self, token: str) -> str:
        return f"http://{HOST}:{self.port}/{self.space}/?{TOKEN}={token}"

    def is_for_us(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request names this machine, and comes from a page of ours or from no page."""
        host = headers.get("host", "")
        if host not in {f"{name}:{self.port}" for name in _NAMES}:
            return False
        origin = headers.get("origin")
        return origin is None or origin == f"http://{host}"

    def is_from_a_page_of_ours(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request was sent by a page that this server served; browsers name it with every change."""
        return headers.get("origin") == f"http://{headers.get('host')}"

    def knows_token(self, token: str) -> bool:
        """Tell whether a token lets in; that of `address_for_one` once; the user is told of further uses."""
        if _is_same(token, self._token):
            return True
        with self._guard:
            used = [one for one in self._passes if _is_same(token, one)]
            is_in_time = any(self._passes.pop(one) >= self.clock() for one in used)
            is_spent = any(_is_same(token, one) for one in self._spent)
            self._spent.update(used)
        if is_spent:
            self.told(_TWICE)
        elif used and not is_in_time:
            self.told(_LATE)
        return is_in_time

    def knows_cookie(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request has the cookie."""
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and _is_same(morsel.value, self._cookie)

    @property
    def set_cookie(self) -> str:
        """The header that gives the cookie to a browser, until it is closed."""
        return f"{COOKIE}={self._cookie}; Path=/{self.space}/; HttpOnly; SameSite=Strict"


def _is_same(one: str, other: str) -> bool:
    """Compare without telling by the time taken how much agrees."""
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8"))
