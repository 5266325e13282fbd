"""What goes over the wire, before and after any HTTP library: requests, what is sent, and answers.

None of them shows its body, its headers or its query in its representation: they hold tokens, images and file names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_ID_HEADER: Final = "X-Request-Id"
"""A new one for each attempt, so that the service's log and our journal can be laid side by side."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the documented surface, without its credentials.

    Attributes
    ----------
    method : str
        ``GET`` or ``POST``.
    route : str
        The path with ``{id}`` where an id stands; the only part that is logged.
    path : str
        Below the base address, percent-encoded.
    query : tuple of (str, str)
        In order; not encoded.
    body : bytes
        Raw.
    content_type : str
        Empty for a request without a body.
    headers : mapping
        Further ones.
    authenticated : bool
        Whether a token goes along.
    study_id : str
        What the answer must be about; empty where it is about nothing yet.
    """

    method: str
    route: str
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    authenticated: bool = True
    study_id: str = ""

    @property
    def name(self) -> str:
        """Method and route, for logs and errors."""
        return f"{self.method} {self.route}"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that each phase of one exchange may take (api/DECISIONS.md section 4)."""

    connect: float = 5.0
    read: float = 30.0
    write: float = 60.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it leaves: whole address, all headers, and the time it has.

    Attributes
    ----------
    request : Request
        What it was made from.
    url : str
        Absolute.
    headers : mapping of str to str
        With the credentials.
    timeouts : Timeouts
        Of each phase.
    remaining_s : float
        Seconds until the whole exchange must have ended.
    """

    request: Request
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    timeouts: Timeouts
    remaining_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end and unpacked.

    Attributes
    ----------
    status : int
        HTTP status.
    headers : mapping of str to str
        Names in lower case; repeated ones joined by commas.
    body : bytes
        At most as long as the limit.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether the status is one of 2xx (api/DECISIONS.md row 11)."""
        return 200 <= self.status < 300
