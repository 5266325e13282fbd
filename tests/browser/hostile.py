"""Widgets whose every text is a payload, as if somebody else had taken over files, reports and kernel."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hemato_lab.widgets.base import Answer
from tests.browser.payloads import PAYLOADS

if TYPE_CHECKING:
    from hemato_lab.widgets.base import SmearWidget

KEPT = {"kind", "request"}


@dataclass
class Spoiler:
    """Puts payloads in turn into every text of a widget's answers, and notes which stood where.

    Attributes
    ----------
    given : dict
        From a place, such as ``viewer hello title``, to the numbers of the payloads that stood there.
    """

    given: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _at: dict[str, int] = field(default_factory=dict)

    def take_over(self, widget: SmearWidget, name: str) -> None:
        """Spoil what a widget answers from now on; every third of some kinds becomes a problem."""
        answer = widget.answer
        asked: dict[str, int] = defaultdict(int)

        def spoilt(content: Any, buffers: Any = ()) -> Answer:
            honest = answer(content, buffers)
            kind = honest.content["kind"]
            asked[kind] += 1
            if kind == "tiles" and asked[kind] % 3 == 0:
                lost = {"tiles": [], "failed": [[*tile, "why"] for tile in honest.content["tiles"]]}
                honest = Answer({**honest.content, **lost})
            if kind in {"card", "decide", "table", "export"} and asked[kind] % 3 == 0:
                return Answer({**honest.content, "kind": "problem", "text": self._next(f"{name} problem")})
            return Answer(self._spoilt(honest.content, f"{name} {kind}"), honest.buffers)

        widget.answer = spoilt  # type: ignore[method-assign]

    def _spoilt(self, value: Any, place: str) -> Any:
        if isinstance(value, dict):
            return {key: one if key in KEPT else self._spoilt(one, f"{place} {key}") for key, one in value.items()}
        if isinstance(value, list):
            return [self._spoilt(one, place) for one in value]
        return self._next(place) if isinstance(value, str) else value

    def _next(self, place: str) -> str:
        # Beginning elsewhere in each place, all places together see all payloads early.
        at = self._at.setdefault(place, 7 * len(self._at))
        self._at[place] = at + 1
        self.given[place].add(at % len(PAYLOADS))
        return PAYLOADS[at % len(PAYLOADS)]
