"""What a batch tells while it runs, when it is interrupted, and of earlier runs in the same folder."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, Self

from hemato_lab.cli.output import progress_bar
from hemato_lab.errors import HematoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from hemato_lab.batch.entries import SmearEntry
    from hemato_lab.batch.model import Outcome
    from hemato_lab.batch.run import Stage
    from hemato_lab.batch.standing import Standing

ANALYSIS: Final = "analysis"
"""What the first stage is called."""
_LINES: Final = 10
"""Of a stage, where no bar can be drawn."""


class BatchProgress:
    """Shows on standard error how far a batch is: a bar for each stage on a terminal, else a line for every tenth.

    A context around the run: it takes away the bar, and after Ctrl-C says how far the run came.

    Parameters
    ----------
    folder : Path
        Of the results.
    entries : sequence of SmearEntry
        All smears.
    later : sequence of Stage
        Stages after the analysis.
    fresh : bool
        Whether earlier results are removed first, so that none can be taken over.

    Raises
    ------
    JournalError, StorageFullError
        If the journal of earlier runs cannot be read.
    """

    def __init__(
        self, folder: Path, entries: Sequence[SmearEntry], later: Sequence[Stage], *, fresh: bool = False
    ) -> None:
        from hemato_lab.batch.model import LOCAL_STAGE

        self._folder = folder
        self._entries = entries
        self._words = {LOCAL_STAGE: ANALYSIS}
        self._totals = {LOCAL_STAGE: len(entries), **{one.name: sum(map(one.applies_to, entries)) for one in later}}
        self._before = {} if fresh else self._standing()
        self._stages: dict[str, Callable[[int, int], None]] = {}
        self._current = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._current.close()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            with suppress(HematoError):
                _print_aside(f"{self._so_far()}; run the same command again to go on from there")

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that so many smears of a stage are done."""
        if stage not in self._stages:
            self._current.close()
            self._stages[stage] = self._begun(self._words.get(stage, stage))
        self._stages[stage](done, self._totals.get(stage, total))

    def taken_over(self) -> str:
        """Return a sentence on how many smears an earlier run analysed; empty where none."""
        from hemato_lab.batch.standing import taken_over

        count = taken_over(self._before, self._standing(), self._entries)
        return f"{count:,} of {len(self._entries):,} smears were done before" if count else ""

    def not_tried_again(self, outcomes: Iterable[Outcome]) -> frozenset[str]:
        """Return the smears whose failure is that of an earlier run."""
        from hemato_lab.batch.standing import not_tried_again

        return not_tried_again(self._before, self._standing(), outcomes)

    def _standing(self) -> Standing:
        from hemato_lab.batch.standing import read_standing

        return read_standing(self._folder, self._totals)

    def _so_far(self) -> str:
        """Return how many smears have gone through each stage that has begun."""
        from hemato_lab.batch.standing import ended

        standing = self._standing()
        counts = {stage: ended(standing, stage, self._entries) for stage in self._totals}
        first = next(iter(counts))
        told = [
            f"{self._words.get(stage, stage)} of {count:,} of {self._totals[stage]:,} smears"
            for stage, count in counts.items()
            if count or stage == first
        ]
        return f"done so far: {', '.join(told)}"

    def _begun(self, label: str) -> Callable[[int, int], None]:
        if sys.stderr.isatty():
            return self._current.enter_context(progress_bar(label, "smear"))
        return _lines(label)


def _lines(label: str) -> Callable[[int, int], None]:
    told = 0

    def advance(done: int, total: int) -> None:
        nonlocal told
        tenth = _LINES * done // max(total, 1)
        if tenth > told:
            told = tenth
            _print_aside(f"{label}: {done:,} of {total:,} smears")

    return advance


def _print_aside(text: str) -> None:
    """Print a line on standard error; when nobody reads it any more, the work goes on."""
    with suppress(OSError):
        print(f"hemato-lab: {text}", file=sys.stderr, flush=True)
