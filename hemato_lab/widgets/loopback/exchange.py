"""From a request to its answer, without a socket: the page for who has the token, messages for who has the cookie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from hemato_lab.errors import HematoError, InputError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.widgets.loopback.admission import TOKEN
from hemato_lab.widgets.loopback.framing import pack_frame, unpack_frame
from hemato_lab.widgets.loopback.page import loopback_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hemato_lab.widgets.base import SmearWidget
    from hemato_lab.widgets.loopback.admission import Admission
    from hemato_lab.widgets.loopback.sharing import Reply, SharedWidgets

FRAME_TYPE: Final = "application/octet-stream"
MOST_BYTES: Final = 16 << 20
"""Of a request: a million rows that are selected at once need half of it."""
WAIT_S: Final = 20.0
"""Seconds after which a page that waits for news is answered anyway; shorter than anything between gives up."""
_LONGEST_KEY: Final = 100

_ALWAYS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_NO_CONTENT: Final = "default-src 'none'; frame-ancestors 'none'"
_OF_THE_PAGE: Final = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Beside the policy in the page itself, for what only a header can forbid."""
_CLOSED_DOOR: Final = (
    "hemato-lab view runs in a terminal and lets in who has its token; it may have been started anew since. "
    "Open the whole address that it printed last."
)

_AGAIN: Final = '<!doctype html><meta http-equiv="refresh" content="0;url={0}"><title>hemato-lab</title>'


@dataclass(frozen=True, slots=True)
class Request:
    """What came.

    Attributes
    ----------
    method : str
    target : str
        Path and query.
    headers : mapping of str to str
        By name in lower case.
    body : bytes
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back; `headers` are all but the length."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def text_response(status: int, text: str, **headers: str) -> Response:
    """Return a line for people, with the headers that every answer has."""
    kind = {"Content-Type": "text/plain; charset=utf-8", "Content-Security-Policy": _NO_CONTENT}
    return Response(status, text.encode("utf-8", "replace"), {**_ALWAYS, **kind, **headers})


def _html_response(status: int, page: bytes, policy: str) -> Response:
    kind = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return Response(status, page, {**_ALWAYS, **kind})


class Exchange:
    """Everything that a server answers.

    Parameters
    ----------
    admission : Admission
        Who is let in.
    shared : SharedWidgets
        What is looked at, by the keys of `widgets`.
    widgets : mapping of str to SmearWidget
        In the order of the page.
    title : str
        Of the page.
    words : str
        A line on the page about what it shows.
    """

    def __init__(
        self,
        admission: Admission,
        shared: SharedWidgets,
        widgets: Mapping[str, SmearWidget],
        *,
        title: str,
        words: str = "",
    ) -> None:
        self._admission = admission
        self._shared = shared
        self._page = loopback_page(widgets, title=title, words=words)
        self._messages: Mapping[str, Callable[[dict[str, Any], Sequence[bytes]], Reply]] = {
            "open": lambda _, __: shared.states(),
            "ask": self._ask,
            "save": self._save,
            "wait": self._wait,
        }

    def refusal(self, request: Request) -> Response | None:
        """Return why a request is not served, judged before its body is read; None where it is."""
        what = self._asked_for(request)
        if not self._admission.is_for_us(request.headers):
            return text_response(403, "This server is for this machine alone, by the address that it printed.")
        if what is None:
            return text_response(404, f"There is nothing here. {_CLOSED_DOOR}")
        method = "POST" if what else "GET"
        if request.method != method:
            return text_response(405, "Not done in this way.", Allow=method)
        return self._refused_message(request) if what else None

    def _refused_message(self, request: Request) -> Response | None:
        if not self._admission.is_from_a_page_of_ours(request.headers):
            return text_response(403, "This is not sent by a page of this server.")
        if not self._admission.knows_cookie(request.headers):
            return text_response(401, _CLOSED_DOOR)
        if request.headers.get("content-type") != FRAME_TYPE:
            return text_response(415, f"The content has to be {FRAME_TYPE}.")
        return None

    def _asked_for(self, request: Request) -> str | None:
        """Return the kind of message, empty for the page; None for a path that is not here."""
        path, own = request.target.partition("?")[0], f"/{self._admission.space}/"
        what = path.removeprefix(own)
        return what if path.startswith(own) and (not what or what in self._messages) else None

    def is_admitted(self, request: Request) -> bool:
        """Tell whether a request that `refusal` has nothing against is of somebody who is let in already."""
        return self._admission.knows_cookie(request.headers)

    def respond(self, request: Request) -> Response:
        """Return the answer to a request that `refusal` has nothing against."""
        what = self._asked_for(request)
        if not what:
            return self._show_page(request, request.target.partition("?")[2])
        try:
            head, buffers = unpack_frame(request.body)
            reply = self._messages[what](head, buffers)
        except HematoError as error:
            return text_response(400, str(error))
        content = pack_frame({"version": reply.version, "messages": reply.messages}, reply.buffers)
        kind = {"Content-Type": FRAME_TYPE, "Content-Security-Policy": _NO_CONTENT}
        return Response(200, content, {**_ALWAYS, **kind})

    def _show_page(self, request: Request, query: str) -> Response:
        """Show the page to who has the cookie; who has the token gets it, and goes on to an address without token."""
        own = f"/{self._admission.space}/"
        if any(map(self._admission.knows_token, parse_qs(query).get(TOKEN, []))):
            return text_response(303, "", Location=own, **{"Set-Cookie": self._admission.set_cookie})
        if self._admission.knows_cookie(request.headers):
            return _html_response(200, self._page, _OF_THE_PAGE)
        if request.headers.get("sec-fetch-site") == "cross-site":
            # Browsers keep the cookie back from who is led here by another page; asked for by this one it comes.
            return _html_response(403, _AGAIN.format(own).encode("ascii"), _NO_CONTENT)
        return text_response(403, f"{_CLOSED_DOOR}\n\n{RESEARCH_USE_NOTICE}")

    def _ask(self, head: dict[str, Any], buffers: Sequence[bytes]) -> Reply:
        return self._shared.ask(_key(head, "widget"), head.get("content"), buffers)

    def _save(self, head: dict[str, Any], buffers: Sequence[bytes]) -> Reply:
        plain, places = head.get("changes"), head.get("bytes")
        if not isinstance(plain, dict) or not isinstance(places, dict):
            raise InputError("the changes of a page are objects")
        if not all(type(place) is int and 0 <= place < len(buffers) for place in places.values()):
            raise InputError("the changes of a page speak of bytes that it did not send")
        changes = plain | {name: buffers[place] for name, place in places.items()}
        return self._shared.save(_key(head, "client"), _key(head, "widget"), changes)

    def _wait(self, head: dict[str, Any], _: Sequence[bytes]) -> Reply:
        seen = head.get("seen")
        if type(seen) is not int:
            raise InputError("a page says which version it has seen")
        return self._shared.wait(_key(head, "client"), seen, WAIT_S)


def _key(head: Mapping[str, Any], name: str) -> str:
    value = head.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST_KEY:
        raise InputError(f"a message of a page names its {name}")
    return value
