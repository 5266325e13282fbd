"""An engine without processes, whose results come when and in the order that a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hemato_lab.batch.model import WorkResult
from tests.batch.counting import copied

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.batch.model import BatchResult, Work


class Inline:
    """Carries out work when it is waited for: the latest first.

    Attributes
    ----------
    events : list
        ``("submit", n)`` for each task of n smears, ``("result", smear id)`` for each result, ``("close", 0)``.
    """

    def __init__(
        self, task: Callable[[Work], WorkResult] = copied, *, capacity: int = 2, per_task: int = 1, at_a_time: int = 1
    ) -> None:
        self.capacity = capacity
        self.per_task = per_task
        self.events: list[tuple[str, object]] = []
        self.carried_out: list[str] = []
        self._task = task
        self._waiting: list[Work] = []
        self._at_a_time = at_a_time

    def submit(self, works: tuple[Work, ...]) -> None:
        self.events.append(("submit", len(works)))
        self._waiting += works

    def wait(self) -> list[WorkResult]:
        results = [self._task(self._waiting.pop()) for _ in range(min(self._at_a_time, len(self._waiting)))]
        self.carried_out += [one.smear_id for one in results]
        self.events += [("result", one.smear_id) for one in results]
        return results

    def close(self) -> None:
        self.events.append(("close", 0))


def states(result: BatchResult) -> str:
    return "".join(one.state[0] for one in result.outcomes)


def failing(*smear_ids: str) -> Callable[[Work], WorkResult]:
    def task(work: Work) -> WorkResult:
        if work.entry.smear_id in smear_ids:
            return WorkResult(work.entry.smear_id, error_code="unreadable", error="it is damaged")
        return copied(work)

    return task


def interrupted_after(commits: int) -> Callable[[str, int, int], None]:
    def progress(_: str, done: int, __: int) -> None:
        if done == commits:
            raise KeyboardInterrupt

    return progress
