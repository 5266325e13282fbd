"""Downloads and calls on behalf of users, who must not reach through this server what they cannot reach themselves.

Each address is taken apart, its name is looked up once, and every address found is judged; then the connection is made
to one that was judged, not to the name again, which could lead elsewhere by then (api/DECISIONS.md row 26). A redirect
goes through all of this anew. A connection serves one request.

Neither messages nor logs hold more of an address than scheme and host, because it may be signed.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

import httpcore

from hemato_lab import __version__
from hemato_lab.api.http import certificates
from hemato_lab.api.redaction import bare
from hemato_lab.api.sockets import PASSAGE, Passage
from hemato_lab.errors import (
    APIError,
    BlockedAddressError,
    ConnectionFailedError,
    DeadlineError,
    HematoError,
    InsecureAddressError,
    RedirectRefusedError,
    ResponseError,
    ResponseTooLargeError,
    TimedOutError,
    TLSError,
    TruncatedResponseError,
)
from hemato_lab.twin.addresses import Address, Network, is_public, unmapped
from hemato_lab.twin.destinations import Destination, destination, shown
from hemato_lab.twin.pinning import PinnedBackend, look_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hemato_lab.errors.root import Outcome

__all__ = ["FetchRules", "Fetched", "Fetcher", "shown"]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_TRIED: Final = 8
"""Addresses of one name."""
_FAILURES: Final = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
_OF_THE_NETWORK: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(frozen=True, slots=True)
class FetchRules:
    """What may be reached, and how long it may take.

    Attributes
    ----------
    allowed : tuple of networks
        May be reached although they are not public.
    allow_http : bool
        Whether requests may go unencrypted beyond this machine.
    connect_s : float
        Seconds to look a name up, and to connect.
    total_s : float
        Seconds for everything, redirects included.
    most_redirects : int
        How many are followed.
    tls : ssl.SSLContext or None
        Which certificates are trusted; None for those that ship with certifi.
    """

    allowed: tuple[Network, ...] = ()
    allow_http: bool = False
    connect_s: float = 5.0
    total_s: float = 120.0
    most_redirects: int = 5
    tls: ssl.SSLContext | None = None

    def permit(self, address: Address) -> bool:
        """Tell whether an address may be connected to."""
        return is_public(address) or any(address in network for network in self.allowed)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was downloaded: its size in bytes, and the type that the other side states, empty for none."""

    size: int
    content_type: str


class Fetcher:
    """Downloads from addresses that users give, and calls them; for any number of threads.

    Parameters
    ----------
    rules : FetchRules
        What may be reached.
    resolve : callable
        Looks names up, as `socket.getaddrinfo`.
    """

    def __init__(self, rules: FetchRules, *, resolve: Callable[..., Iterable[Any]] = socket.getaddrinfo) -> None:
        self._rules = rules
        self._resolve = resolve
        self._tls = certificates(None) if rules.tls is None else rules.tls
        self._closed = threading.Event()

    @bare
    def download(self, url: str, write: Callable[[bytes], object], *, most_bytes: int) -> Fetched:
        """Download what an address leads to, piece by piece.

        Parameters
        ----------
        write : callable
            Takes each piece. What it has taken before an error is not the whole.
        most_bytes : int
            Longest answer.

        Raises
        ------
        SecurityError
            `InsecureAddressError`, `BlockedAddressError` or `RedirectRefusedError`: nothing was sent there.
        TransportError
            If no answer came, or not in time.
        APIError
            If the other side answered with an error; has its ``status``.
        ResponseError
            If an answer cannot be used: too long, cut short, packed, or of unknown length.
        """
        with self._in_time():
            seen: set[str] = set()
            while len(seen) <= self._rules.most_redirects:
                if url in seen:
                    raise RedirectRefusedError("the redirects go in a circle", subject=shown(url))
                seen.add(url)
                with self._answered(destination(url), "GET", (("Accept", "*/*"),)) as answer:
                    if answer.status not in _REDIRECTS:
                        return _take(answer, write, most_bytes, shown(url))
                    url = _redirected(url, answer)
        raise RedirectRefusedError(f"redirects more than {self._rules.most_redirects} times", subject=shown(url))

    @bare
    def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str = "application/json",
        headers: Iterable[tuple[str, str]] = (),
    ) -> int:
        """Send something and return the status of the answer, whatever it is; no redirect is followed.

        Raises
        ------
        SecurityError
            `InsecureAddressError` or `BlockedAddressError`: nothing was sent.
        TransportError
            If no answer came, or not in time; its ``outcome`` says whether the request may have arrived.
        """
        described = [*headers, ("Content-Type", content_type), ("Content-Length", str(len(body)))]
        with self._in_time(), self._answered(destination(url), "POST", described, body) as answer:
            return answer.status

    def close(self) -> None:
        """End what is under way; nothing is fetched any more."""
        self._closed.set()

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        token = PASSAGE.set(Passage(time.monotonic() + self._rules.total_s, stop=self._closed))
        try:
            yield
        finally:
            PASSAGE.reset(token)

    @contextmanager
    def _answered(
        self, place: Destination, method: str, headers: Iterable[tuple[str, str]], body: bytes = b""
    ) -> Iterator[httpcore.Response]:
        """Send one request; the answer can be read within the context."""
        passage = _running()
        passage.begun = False
        url = httpcore.URL(
            scheme=place.scheme.encode(), host=place.host.encode(), port=place.port, target=place.target.encode()
        )
        backend = PinnedBackend(self._judged(place))
        connection = httpcore.HTTPConnection(url.origin, ssl_context=self._tls, network_backend=backend)
        answer: httpcore.Response | None = None
        try:
            answer = connection.handle_request(
                httpcore.Request(
                    method,
                    url,
                    headers=[*_headers(place), *headers],
                    content=body,
                    extensions={"timeout": {"connect": self._rules.connect_s}},
                )
            )
            yield answer
        except _FAILURES as error:
            raise _failure(error, place, answered=answer is not None) from None
        finally:
            connection.close()

    def _judged(self, place: Destination) -> tuple[Address, ...]:
        """Return the addresses of a host once it is sure that all of them may be connected to."""
        found = self._found(place)
        if not found:
            raise ConnectionFailedError("the name has no address", subject=place.shown, outcome="not sent")
        # All of them: whoever names a public address beside a private one is up to something.
        if not all(self._rules.permit(address) for address in found):
            hint = "only addresses of the public internet are, and those that the server was started with"
            raise BlockedAddressError("is not to be reached from here", subject=place.shown, hint=hint)
        if place.scheme == "http" and not self._rules.allow_http and not all(one.is_loopback for one in found):
            problem = "plain http is refused: beyond this machine anybody on the way could read it"
            raise InsecureAddressError(problem, subject=place.shown, hint="use https")
        return found[:_MOST_TRIED]

    def _found(self, place: Destination) -> tuple[Address, ...]:
        try:
            return (unmapped(ipaddress.ip_address(place.host)),)
        except ValueError:
            pass
        passage, subject = _running(), place.shown
        try:
            texts = look_up(self._resolve, place.host, place.port, self._rules.connect_s)
            return tuple(dict.fromkeys(unmapped(ipaddress.ip_address(text)) for text in texts))
        except TimeoutError:
            late = TimedOutError("the name was not found in time", subject=subject, outcome="not sent")
            raise _over(passage, subject, "not sent") or late from None
        except UnicodeError:
            raise ConnectionFailedError("the name cannot be one", subject=subject, outcome="not sent") from None
        except OSError:
            raise ConnectionFailedError("the name has no address", subject=subject, outcome="not sent") from None
        except ValueError:
            raise BlockedAddressError("the name leads to what is no address", subject=subject) from None


def _running() -> Passage:
    passage = PASSAGE.get()
    if passage is None:
        raise RuntimeError("requests are made within their time alone")
    return passage


def _headers(place: Destination) -> list[tuple[str, str]]:
    return [
        ("Host", place.authority),
        ("User-Agent", f"hemato_lab_twin/{__version__}"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]


def _values(answer: httpcore.Response, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in answer.headers if key.lower() == name]


def _redirected(url: str, answer: httpcore.Response) -> str:
    """Return where an answer sends to, as an address of its own."""
    subject = shown(url)
    targets = set(_values(answer, b"location"))
    if len(targets) != 1:
        raise RedirectRefusedError("redirects without saying where to", subject=subject)
    target = targets.pop()
    # Joining drops characters that an address cannot have, which would make a good one of a bad one.
    proper = target.isascii() and target.isprintable() and " " not in target
    try:
        joined = urljoin(url, target).partition("#")[0] if proper else ""
        place = destination(joined)
    except (ValueError, InsecureAddressError):
        raise RedirectRefusedError("redirects to what is not to be fetched", subject=subject) from None
    if place.scheme == "http" and destination(url).scheme == "https":
        raise RedirectRefusedError("redirects from https to http", subject=subject)
    return joined


def _take(answer: httpcore.Response, write: Callable[[bytes], object], most_bytes: int, subject: str) -> Fetched:
    """Hand on the body of a good answer."""
    _check_head(answer, most_bytes, subject)
    passage = _running()
    size = 0
    for piece in answer.iter_stream():
        size += len(piece)
        if size > most_bytes:
            raise _too_large(most_bytes, subject)
        write(piece)
        over = _over(passage, subject, "unknown")
        if over is not None:
            raise over
    return Fetched(size, next(iter(_values(answer, b"content-type")), "")[:200])


def _check_head(answer: httpcore.Response, most_bytes: int, subject: str) -> None:
    status = answer.status
    if status >= 400:
        raise APIError(f"answered with {status}", subject=subject, status=status)
    if status != 200:
        raise ResponseError(f"answered with {status} instead of a file", subject=subject)
    if any(value.lower() not in {"", "identity"} for value in _values(answer, b"content-encoding")):
        raise ResponseError("the answer is packed in a way that was not asked for", subject=subject)
    lengths = _values(answer, b"content-length")
    chunked = _values(answer, b"transfer-encoding")
    if not lengths and not chunked:
        raise ResponseError("the answer does not say where it ends, so it may be cut short", subject=subject)
    if lengths and not chunked and int(lengths[0].partition(",")[0]) > most_bytes:
        raise _too_large(most_bytes, subject)


def _too_large(most_bytes: int, subject: str) -> ResponseTooLargeError:
    return ResponseTooLargeError(f"the answer is longer than {most_bytes / 2**20:.4g} MiB", subject=subject)


def _over(passage: Passage, subject: str, outcome: Outcome) -> HematoError | None:
    """Return the error of an exchange that has to end now, None if it may go on."""
    if passage.stop is not None and passage.stop.is_set():
        return ConnectionFailedError("was stopped", subject=subject, outcome=outcome)
    if time.monotonic() >= passage.deadline:
        return DeadlineError("took longer than it may in all", subject=subject, outcome=outcome)
    return None


def _failure(error: Exception, place: Destination, *, answered: bool) -> HematoError:
    """Name what failed, without the library's own words."""
    passage, subject = _running(), place.shown
    outcome: Outcome = "unknown" if passage.begun else "not sent"
    over = _over(passage, subject, outcome)
    if over is not None:
        return over
    if isinstance(error, httpcore.TimeoutException):
        return TimedOutError("timed out while connecting", subject=subject, outcome=outcome)
    if answered:
        return TruncatedResponseError("the connection ended before the answer did", subject=subject)
    if not passage.begun and _is_of_tls(error):
        return TLSError("the encrypted connection was refused", subject=subject, outcome=outcome)
    problem = "no HTTP answer came" if passage.begun else "no connection could be made"
    return ConnectionFailedError(problem, subject=subject, outcome=outcome)


def _is_of_tls(error: BaseException | None) -> bool:
    """Tell whether an encrypted connection was refused, anywhere down the chain of causes."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, _OF_THE_NETWORK):
            return True
        error = error.__cause__ or error.__context__
    return False
