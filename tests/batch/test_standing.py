"""What a run did not do itself: results taken over, failures left as they were."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from hemato_lab.batch.journal import Journal
from hemato_lab.batch.running import run_batch
from hemato_lab.batch.standing import ended, not_tried_again, read_standing, taken_over
from hemato_lab.errors import JournalError
from tests.batch.inline import Inline, failing, interrupted_after

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.batch.entries import SmearEntry

pytestmark = pytest.mark.usefixtures("only_the_engine_matters")
STAGES = ("local",)


def test_a_folder_without_a_journal_knows_nothing(entries: list[SmearEntry], out: Path) -> None:
    out.mkdir()
    (out / "journal.sqlite").touch()
    assert read_standing(out, STAGES) == {}
    assert (out / "journal.sqlite").stat().st_size == 0
    assert ended({}, "local", entries) == 0


def test_an_interrupted_run_has_ended_what_it_committed(entries: list[SmearEntry], out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_batch(entries, out, engine=Inline(), progress=interrupted_after(2))
    before = read_standing(out, STAGES)
    assert ended(before, "local", entries) == 2
    run_batch(entries, out, engine=Inline())
    after = read_standing(out, STAGES)
    assert ended(after, "local", entries) == 6
    assert taken_over(before, after, entries) == 2
    assert taken_over({}, after, entries) == 0


def test_failures_are_of_an_earlier_run_until_they_are_tried_again(entries: list[SmearEntry], out: Path) -> None:
    bad = entries[1].smear_id

    def left(*, retry_failed: bool = False) -> frozenset[str]:
        before = read_standing(out, STAGES)
        result = run_batch(entries, out, engine=Inline(failing(bad)), retry_failed=retry_failed)
        return not_tried_again(before, read_standing(out, STAGES), result.outcomes)

    assert left() == frozenset()
    assert left() == {bad}
    assert left(retry_failed=True) == frozenset()


def test_what_changed_now_did_not_fail_before(entries: list[SmearEntry], out: Path, tmp_path: Path) -> None:
    run_batch(entries, out, engine=Inline())
    before = read_standing(out, STAGES)
    (tmp_path / "files" / "file00000.bin").write_bytes(b"another content, of another length")
    result = run_batch(entries, out, engine=Inline())
    after = read_standing(out, STAGES)
    assert [one.entry for one in result.failed] == entries[:1]
    assert not_tried_again(before, after, result.outcomes) == frozenset()
    assert taken_over(before, after, entries) == 5


def test_a_journal_that_is_being_made_knows_nothing_and_is_left_alone(entries: list[SmearEntry], out: Path) -> None:
    out.mkdir()
    path = out / "journal.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    before = path.read_bytes()
    assert before
    assert read_standing(out, STAGES) == {}
    assert path.read_bytes() == before
    assert [one.name for one in out.iterdir()] == ["journal.sqlite"]
    assert run_batch(entries, out, engine=Inline()).count("done") == 6


def test_a_batch_that_is_under_way_can_be_looked_at(entries: list[SmearEntry], out: Path) -> None:
    def progress(_: str, done: int, __: int) -> None:
        assert ended(read_standing(out, STAGES), "local", entries) == done

    run_batch(entries, out, engine=Inline(), progress=progress)
    before = (out / "journal.sqlite").read_bytes()
    with (
        pytest.raises(JournalError, match="readonly"),
        Journal(out / "journal.sqlite", only_read=True) as journal,
    ):
        journal.add(entries)
    assert (out / "journal.sqlite").read_bytes() == before
