"""The root of the tree: what every error carries, and how it crosses processes."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

Outcome = Literal["nothing done", "not sent", "refused", "unknown", "done"]
"""What is known about the effect of a call: it never left, it was refused, it may have been done, it was done."""


class HematoError(Exception):
    """Base of every error that this package raises on purpose.

    Parameters
    ----------
    problem : str
        What went wrong, in plain words.
    subject : str
        What it is about: a file, a study, a cell. Empty when there is nothing to name.
    hint : str
        What the user can do next.
    """

    code: ClassVar[str] = "error"
    """Stable machine-readable name of the kind of error."""
    retryable: bool = False
    """Whether the same call may succeed later without any change."""
    outcome: Outcome = "nothing done"
    """What is known about the effect of the failed call."""

    def __init__(self, problem: str, *, subject: str = "", hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.subject = subject
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.subject}: {self.problem}" if self.subject else self.problem
        text = f"{head} ({self.hint})" if self.hint else head
        # Names come from files: what a terminal would act on is shown as a replacement character.
        return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in " ".join(text.split()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.problem, self.__dict__.copy())


def _rebuild(cls: type[HematoError], problem: str, state: dict[str, Any]) -> HematoError:
    error = cls.__new__(cls)
    Exception.__init__(error, problem)
    error.__dict__.update(state)
    return error
