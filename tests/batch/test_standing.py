"""What a run did not do itself: results taken over, failures left as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hemato_lab.batch.running import run_batch
from hemato_lab.batch.standing import ended, not_tried_again, read_standing, taken_over
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
