"""What judging a condition gives: a probability with evidence, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hemato_lab.statistics.rounding import quantised

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Judged:
    """A condition that was judged, or could not be.

    Attributes
    ----------
    words : str
        The condition for people.
    probability : float or None
        That it holds; None when it was not assessed.
    reason : str
        Why it was not assessed.
    numbers : mapping
        Counts, limits and thresholds, JSON-ready.
    """

    words: str
    probability: float | None
    reason: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def assessed(self) -> bool:
        """Whether there is a probability."""
        return self.probability is not None

    @property
    def known(self) -> float:
        """The probability, 0 when it was not assessed."""
        return self.probability or 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as evidence, JSON-ready."""
        if self.probability is None:
            return {"condition": self.words, "probability": None, "not_assessed": self.reason}
        return {"condition": self.words, **self.numbers, "probability": quantised(self.probability)}


def not_assessed(words: str, reason: str) -> Judged:
    """Return a condition that could not be judged."""
    return Judged(words, None, reason)
