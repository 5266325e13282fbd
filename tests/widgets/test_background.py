"""Long work: progress, stop, and failures in one line."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from hemato_lab.errors import UnreadableInputError
from hemato_lab.widgets.background import Work


class Told:
    """What a piece of work reports."""

    def __init__(self) -> None:
        self.progress: list[tuple[int, int]] = []
        self.results: list[Any] = []
        self.problems: list[str] = []
        self.work = Work(lambda *one: self.progress.append(one), self.results.append, self.problems.append)

    def run(self, task: Any) -> None:
        self.work.start(task)
        assert self.work.wait(10)


@pytest.fixture
def told() -> Told:
    return Told()


def test_progress_and_result_are_told(told: Told) -> None:
    def task(progress: Any) -> str:
        progress(1, 2)
        progress(2, 2)
        return "made"

    told.run(task)
    assert (told.progress, told.results, told.problems) == ([(1, 2), (2, 2)], ["made"], [])
    assert not told.work.is_running


def test_work_stops_at_its_next_step(told: Told) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def task(progress: Any) -> None:
        progress(0, 9)
        begun.set()
        stopped.wait(10)
        progress(1, 9)

    told.work.start(task)
    assert begun.wait(10)
    assert told.work.is_running
    told.work.stop()
    stopped.set()
    assert told.work.wait(10)
    assert (told.progress, told.results, told.problems) == ([(0, 9)], [], ["stopped"])
    told.run(lambda _: "again")
    assert told.results == ["again"]


def test_a_result_that_nobody_wants_any_more_is_dropped(told: Told) -> None:
    def task(_: Any) -> str:
        told.work.stop()
        return "made"

    told.run(task)
    assert (told.results, told.problems) == ([], ["stopped"])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UnreadableInputError("is empty", subject="a.png", hint="copy it again"), "a.png: is empty (copy it again)"),
        (ZeroDivisionError("by zero"), "fault of hemato_lab (ZeroDivisionError: by zero)"),
    ],
)
def test_failures_are_told_in_one_line(told: Told, error: Exception, line: str) -> None:
    def task(_: Any) -> None:
        raise error

    told.run(task)
    (problem,) = told.problems
    assert line in problem
    assert "\n" not in problem
