"""What the logic of the client asks of the world, as values.

Every operation of the client is a generator: it yields what it wants done and is handed the outcome. It neither sends
nor sleeps, so that one and the same operation serves the blocking client, the asynchronous one, and tests with a clock
of their own. `runners` does what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import threading

    from hemato_lab.api.hints import Hints
    from hemato_lab.api.messages import Answer, Outgoing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Exchange a request for an answer; the outcome is an `Answer` or a `TransportError`."""

    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class Pause:
    """Let time pass, less when a hint about the subject comes.

    Attributes
    ----------
    seconds : float
        At least so long without a hint.
    hints : Hints or None
        Where hints come from.
    subject : str
        What they are about.
    """

    seconds: float
    hints: Hints | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """Do something that may block (a file, the journal, a hash); the outcome is what the function returns or raises."""

    function: Callable[[], Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Alone:
    """Run an operation while no other one with the same lock runs; for logging in once, not eight times at a time.

    Attributes
    ----------
    lock : threading.Lock
        Shared by whoever must not run at the same time.
    operation : callable
        Makes the operation.
    """

    lock: threading.Lock = field(repr=False)
    operation: Callable[[], Operation[Any]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Together:
    """Run operations side by side, at most `limit` at a time.

    The outcome is the list of their results in order. When one fails, those not yet begun are left out, those under way
    are finished, and the first error is raised.
    """

    operations: Sequence[Callable[[], Operation[Any]]] = field(repr=False)
    limit: int


Effect = Send | Pause | Work | Alone | Together
Operation = Generator[Effect, Any, T]
"""A piece of the client's logic that ends with a T."""


def send(outgoing: Outgoing) -> Operation[Answer]:
    """Send a request and return its answer."""
    answer: Answer = yield Send(outgoing)
    return answer


def pause(seconds: float, *, hints: Hints | None = None, subject: str = "") -> Operation[None]:
    """Wait."""
    yield Pause(seconds, hints, subject)


def work(function: Callable[..., T], *arguments: Any, **options: Any) -> Operation[T]:
    """Call a function that may block and return its result."""
    result: T = yield Work(lambda: function(*arguments, **options))
    return result


def alone(lock: threading.Lock, operation: Callable[[], Operation[T]]) -> Operation[T]:
    """Run an operation that must not run twice at the same time."""
    result: T = yield Alone(lock, operation)
    return result


def together(operations: Sequence[Callable[[], Operation[T]]], *, limit: int) -> Operation[list[T]]:
    """Run operations side by side and return their results in order."""
    results: list[T] = yield Together(operations, limit)
    return results
