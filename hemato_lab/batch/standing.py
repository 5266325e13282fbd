"""How the smears of a results folder stood before a run, so that the run can say what it did not do itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hemato_lab.batch.folders import JOURNAL_FILE
from hemato_lab.batch.journal import Journal
from hemato_lab.batch.model import DONE, FAILED, LOCAL_STAGE, PENDING
from hemato_lab.batch.summary import failed_stage
from hemato_lab.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from hemato_lab.batch.entries import SmearEntry
    from hemato_lab.batch.journal import StageRecord
    from hemato_lab.batch.model import Outcome

    Standing = Mapping[str, Mapping[str, StageRecord]]
    """By stage and id of a smear, how it ended."""


def read_standing(out: Path, stages: Iterable[str]) -> Standing:
    """Return how each of the stages ended for every smear; nothing where there is no journal yet, or a new one.

    Nothing is made or changed: another batch may work in the folder.

    Raises
    ------
    JournalError, StorageFullError
        If the journal cannot be read.
    """
    path = out / JOURNAL_FILE
    if not path.is_file() or not path.stat().st_size:
        return {}
    try:
        with Journal(path, only_read=True) as journal:
            return {} if journal.is_new else {stage: journal.records(stage) for stage in stages}
    except JournalError:
        if path.is_file():
            raise
        return {}  # a batch that starts anew has just removed it


def ended(standing: Standing, stage: str, entries: Sequence[SmearEntry]) -> int:
    """Return of how many smears a stage is done or has failed."""
    records = standing.get(stage, {})
    return sum(entry.smear_id in records and records[entry.smear_id].state != PENDING for entry in entries)


def taken_over(before: Standing, after: Standing, entries: Sequence[SmearEntry]) -> int:
    """Return of how many smears the analysis of an earlier run was kept."""
    return sum(_unchanged(before, after, LOCAL_STAGE, entry.smear_id, DONE) for entry in entries)


def not_tried_again(before: Standing, after: Standing, outcomes: Iterable[Outcome]) -> frozenset[str]:
    """Return the smears whose failure is that of an earlier run."""
    return frozenset(
        one.entry.smear_id
        for one in outcomes
        if one.state == FAILED and _unchanged(before, after, failed_stage(one), one.entry.smear_id, FAILED)
    )


def _unchanged(before: Standing, after: Standing, stage: str, smear_id: str, state: str) -> bool:
    """Tell whether a stage was in a state before a run and in the same after it, without another try."""
    was, now = before.get(stage, {}).get(smear_id), after.get(stage, {}).get(smear_id)
    if was is None or now is None:
        return False
    return was.state == now.state == state and was.attempts == now.attempts
