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
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST: Final = "127.0.0.1"
COOKIE: Final = "hemato_lab"
TOKEN: Final = "token"  # noqa: S105 (the name of a part of the address)
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
    """

    port: int
    space: str = field(default_factory=lambda: secrets.token_hex(8))
    _token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _passes: set[str] = field(default_factory=set, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def address(self) -> str:
        """What the user opens: it holds the token."""
        return self._address_with(self._token)

    def address_for_one(self) -> str:
        """Return an address that lets one browser in and then nobody.

        A browser is started with its address as an argument, which other users of this machine can read.
        """
        one = secrets.token_urlsafe(32)
        with self._guard:
            self._passes.add(one)
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
        """Tell whether a token lets in; that of `address_for_one` does once."""
        if _is_same(token, self._token):
            return True
        with self._guard:
            used = {one for one in self._passes if _is_same(token, one)}
            self._passes -= used
        return bool(used)

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
