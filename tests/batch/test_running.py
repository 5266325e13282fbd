import sqlite3
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hemato_lab.batch import running, writing
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import (
    CELLS_FILE,
    JOURNAL_FILE,
    LOG_FILE,
    NOTICE_FILE,
    REPORT_FILE,
    SMEARS_FOLDER,
    smear_folder,
)
from hemato_lab.batch.journal import Journal
from hemato_lab.batch.lock import only_batch_in
from hemato_lab.batch.model import Settings, Work, WorkResult
from hemato_lab.batch.run import Run
from hemato_lab.batch.running import run_batch
from hemato_lab.batch.work import internal_failure
from hemato_lab.batch.writing import unfinished
from hemato_lab.errors import BatchError, ConfigError, JournalError, LockedError, StorageFullError
from tests.batch.inline import Inline, failing, interrupted_after, states
from tests.batch.making import tree

pytestmark = pytest.mark.usefixtures("only_the_engine_matters")


def test_every_smear_gets_its_files_and_its_place(entries: list[SmearEntry], out: Path):
    told: list[tuple[str, int, int]] = []
    result = run_batch(entries, out, engine=Inline(), progress=lambda *now: told.append(now))
    assert states(result) == "dddddd"
    assert [one.entry for one in result.outcomes] == entries
    assert told == [("local", number, 6) for number in range(1, 7)]
    for one in result.outcomes:
        folder = smear_folder(out, one.entry.smear_id)
        assert set(one.files) == set(tree(folder)) == {REPORT_FILE, CELLS_FILE}
        assert one.stages == {"local": "done"}
    assert "For Research Use Only" in (out / NOTICE_FILE).read_text(encoding="utf-8")


def test_no_entries_are_an_empty_batch(out: Path):
    engine = Inline()
    assert run_batch([], out, engine=engine).outcomes == ()
    assert engine.events == [("close", 0)]


def test_files_are_on_the_disk_and_noted_before_progress_is_told(entries: list[SmearEntry], out: Path):
    def progress(_: str, done: int, __: int) -> None:
        with Journal(out / JOURNAL_FILE) as journal:
            records = journal.records("local")
        assert len(records) == done
        for smear_id, record in records.items():
            assert set(tree(smear_folder(out, smear_id))) == set(record.files)

    run_batch(entries, out, engine=Inline(), progress=progress)


@pytest.mark.parametrize("per_task", [1, 2, 3])
def test_no_more_is_in_flight_than_the_window_holds(entries: list[SmearEntry], out: Path, per_task: int):
    engine = Inline(per_task=per_task, at_a_time=2)
    run_batch(entries, out, engine=engine, window=3)
    in_flight, most = 0, 0
    for what, value in engine.events:
        in_flight += value if what == "submit" else -1 if what == "result" else 0  # type: ignore[operator]
        most = max(most, in_flight)
    assert most <= 3
    assert sum(value for what, value in engine.events if what == "submit") == 6  # type: ignore[misc]


def test_the_window_follows_the_workers(entries: list[SmearEntry], out: Path):
    engine = Inline(capacity=1)
    counts: list[int] = []

    def progress(_: str, done: int, __: int) -> None:
        engine.capacity = 2
        counts.append(sum(value for what, value in engine.events if what == "submit") - done)  # type: ignore[misc]

    run_batch(entries, out, engine=engine, progress=progress)
    assert counts[0] == 1
    assert max(counts) == 3


def test_a_smear_that_fails_stops_no_other(entries: list[SmearEntry], out: Path):
    result = run_batch(entries, out, engine=Inline(failing("smear 00002")))
    assert states(result) == "ddfddd"
    assert (result.failed[0].error_code, result.failed[0].error) == ("unreadable", "it is damaged")
    assert not smear_folder(out, "smear 00002").exists()


def test_a_file_that_is_missing_fails_its_smear_alone(entries: list[SmearEntry], out: Path, tmp_path: Path):
    entries[1] = replace(entries[1], paths=(str(tmp_path / "missing.png"),))
    result = run_batch(entries, out, engine=Inline())
    assert states(result) == "dfdddd"
    assert result.failed[0].error_code == "unreadable"


def test_where_a_mistake_of_ours_is_stands_in_the_log_alone(entries: list[SmearEntry], out: Path):
    def task(work: Work) -> WorkResult:
        return internal_failure(work, ZeroDivisionError("mine"))

    result = run_batch(entries[:1], out, engine=Inline(task))
    assert result.failed[0].error_code == "internal"
    assert "Traceback" not in result.failed[0].error
    log = out / LOG_FILE
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")
    assert "mine" not in log.read_text(encoding="utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == stat.S_IMODE((out / JOURNAL_FILE).stat().st_mode) == 0o600
    assert b"Traceback" not in b"".join(tree(out / SMEARS_FOLDER).values())


def test_what_is_done_is_not_done_again(entries: list[SmearEntry], out: Path):
    first = run_batch(entries, out, engine=Inline(failing("smear 00002")))
    before = tree(out / SMEARS_FOLDER)
    engine = Inline()
    told: list[int] = []
    second = run_batch(entries, out, engine=engine, progress=lambda _, done, __: told.append(done))
    assert second == first
    assert engine.carried_out == []
    assert told[-1] == 6
    assert tree(out / SMEARS_FOLDER) == before


def test_what_failed_is_done_again_when_asked(entries: list[SmearEntry], out: Path):
    run_batch(entries, out, engine=Inline(failing("smear 00002", "smear 00003")))
    engine = Inline(failing("smear 00003"))
    result = run_batch(entries, out, engine=engine, retry_failed=True)
    assert sorted(engine.carried_out) == ["smear 00002", "smear 00003"]
    assert states(result) == "dddfdd"
    with Journal(out / JOURNAL_FILE) as journal:
        attempts = {smear_id: record.attempts for smear_id, record in journal.records("local").items()}
    assert attempts == {**dict.fromkeys(attempts, 1), "smear 00002": 2, "smear 00003": 2}


@pytest.mark.parametrize("commits", [1, 3, 5])
def test_an_interrupted_run_goes_on(entries: list[SmearEntry], out: Path, tmp_path: Path, commits: int):
    run_batch(entries, tmp_path / "undisturbed", engine=Inline())
    engine = Inline()
    with pytest.raises(KeyboardInterrupt):
        run_batch(entries, out, engine=engine, progress=interrupted_after(commits))
    assert engine.events[-1] == ("close", 0)
    again = Inline()
    assert states(run_batch(entries, out, engine=again)) == "dddddd"
    assert len(again.carried_out) == 6 - commits
    assert tree(out / SMEARS_FOLDER) == tree(tmp_path / "undisturbed" / SMEARS_FOLDER)


@pytest.mark.parametrize("damage", ["remove", "change", "truncate"])
def test_a_result_that_is_not_what_was_written_is_made_again(entries: list[SmearEntry], out: Path, damage: str):
    run_batch(entries, out, engine=Inline())
    before = tree(out / SMEARS_FOLDER)
    path = smear_folder(out, "smear 00004") / CELLS_FILE
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "truncate" else path.read_bytes().replace(b"4", b"5"))
    engine = Inline()
    run_batch(entries, out, engine=engine)
    assert engine.carried_out == ["smear 00004"]
    assert tree(out / SMEARS_FOLDER) == before


def test_smears_may_be_added_and_left_out(entries: list[SmearEntry], out: Path):
    run_batch(entries[:4], out, engine=Inline())
    engine = Inline()
    result = run_batch(entries[2:], out, engine=engine)
    assert sorted(engine.carried_out) == ["smear 00004", "smear 00005"]
    assert len(result.outcomes) == 4
    assert smear_folder(out, "smear 00000").exists()


def test_two_smears_of_one_id_are_refused(entries: list[SmearEntry], out: Path):
    with pytest.raises(ConfigError, match="two smears have this id"):
        run_batch([*entries, entries[0]], out, engine=Inline())
    assert not out.exists()


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_of_nothing_is_refused(entries: list[SmearEntry], out: Path, window: int):
    with pytest.raises(ConfigError, match="window"):
        run_batch(entries, out, engine=Inline(), window=window)


@pytest.mark.parametrize("options", [{"engine": "local:2", "workers": 2}, {"engine": "local", "per_task": 2}])
def test_what_an_engine_does_not_look_at_is_refused(entries: list[SmearEntry], out: Path, options: dict[str, Any]):
    with pytest.raises(ConfigError, match="alone"):
        run_batch(entries, out, **options)
    assert not out.exists()


def test_other_settings_are_refused_and_fresh_removes_what_is_ours(entries: list[SmearEntry], out: Path):
    run_batch(entries, out, engine=Inline())
    foreign = out / SMEARS_FOLDER / "notes.txt"
    foreign.write_text("mine", encoding="utf-8")
    classical = Settings(detector="classical")
    with pytest.raises(ConfigError, match=r'detector was "onnx", is "classical"'):
        run_batch(entries, out, engine=Inline(), settings=classical)
    engine = Inline()
    run_batch(entries[:2], out, engine=engine, settings=classical, fresh=True)
    assert sorted(engine.carried_out) == ["smear 00000", "smear 00001"]
    assert foreign.exists()
    assert len(tree(out / SMEARS_FOLDER)) == 1 + 2 * 2


def test_two_batches_in_one_folder_are_refused_and_nothing_is_lost(entries: list[SmearEntry], out: Path):
    refused: list[LockedError] = []

    def progress(_: str, __: int, ___: int) -> None:
        with pytest.raises(LockedError) as found:
            run_batch(entries, out, engine=Inline(), fresh=True)
        refused.append(found.value)

    assert states(run_batch(entries, out, engine=Inline(), progress=progress)) == "dddddd"
    assert len(refused) == 6
    with only_batch_in(out):
        pass


def test_a_damaged_journal_is_refused_and_fresh_starts_anew(entries: list[SmearEntry], out: Path):
    run_batch(entries, out, engine=Inline())
    (out / JOURNAL_FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(JournalError, match="--fresh"):
        run_batch(entries, out, engine=Inline())
    assert states(run_batch(entries, out, engine=Inline(), fresh=True)) == "dddddd"


def test_what_a_kill_between_two_files_left_is_replaced_or_removed(entries: list[SmearEntry], out: Path):
    for smear_id in ("smear 00000", "smear 00001"):
        folder = smear_folder(out, smear_id)
        folder.mkdir(parents=True)
        (folder / REPORT_FILE).write_bytes(b"half")
        unfinished(folder / CELLS_FILE).write_bytes(b"half")
    run_batch(entries, out, engine=Inline(failing("smear 00001")))
    assert set(tree(smear_folder(out, "smear 00000"))) == {REPORT_FILE, CELLS_FILE}
    assert b"half" not in tree(smear_folder(out, "smear 00000")).values()
    assert not smear_folder(out, "smear 00001").exists()


def test_an_engine_that_breaks_ends_the_run_with_its_error(entries: list[SmearEntry], out: Path):
    class Broken(Inline):
        def wait(self) -> list[WorkResult]:
            if len(self.carried_out) == 2:
                raise BatchError("the cluster is gone")
            return super().wait()

    engine = Broken()
    with pytest.raises(BatchError, match="cluster is gone"):
        run_batch(entries, out, engine=engine)
    assert engine.events[-1] == ("close", 0)
    assert states(run_batch(entries, out, engine=Inline())) == "dddddd"


def test_ids_that_would_share_a_folder_are_refused(
    entries: list[SmearEntry], out: Path, monkeypatch: pytest.MonkeyPatch
):
    names = {"smear 00001": "same", "smear 00004": "SAME"}
    monkeypatch.setattr(running, "smear_folder", lambda out, smear_id: out / names.get(smear_id, smear_id))
    with pytest.raises(ConfigError, match="smear 00004: shares its folder with 'smear 00001'"):
        run_batch(entries, out, engine=Inline())
    assert not out.exists()


def test_a_results_folder_is_on_the_disk_with_its_parents(
    entries: list[SmearEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    forced: list[Path] = []
    monkeypatch.setattr(writing, "_force_folder", forced.append)
    run_batch(entries, tmp_path / "a" / "b", engine=Inline())
    assert forced[:2] == [tmp_path / "a", tmp_path]


def test_fresh_leaves_another_database_and_everything_else_alone(entries: list[SmearEntry], out: Path):
    run_batch(entries, out, engine=Inline())
    (out / JOURNAL_FILE).unlink()
    with sqlite3.connect(out / JOURNAL_FILE) as connection:
        connection.execute("CREATE TABLE diary (line)")
    connection.close()
    before = tree(out)
    with pytest.raises(JournalError, match="another database"):
        run_batch(entries, out, engine=Inline(), fresh=True)
    assert tree(out) == before


_OF_ALL = (
    "summary.csv",
    "summary.parquet",
    "cells.parquet",
    "report.html",
    "batch.log",
    "agreement_with_reference.csv",
)


def test_fresh_removes_what_was_written_of_all_smears(entries: list[SmearEntry], out: Path):
    run_batch(entries, out, engine=Inline())
    for name in (*_OF_ALL, "agreement_mine.csv"):
        (out / name).write_bytes(b"earlier")
    with pytest.raises(KeyboardInterrupt):
        run_batch(entries, out, engine=Inline(), fresh=True, progress=interrupted_after(1))
    assert not [name for name in _OF_ALL if (out / name).exists()]
    assert (out / "agreement_mine.csv").exists()


def test_fresh_in_a_folder_without_a_batch_removes_nothing(entries: list[SmearEntry], out: Path):
    out.mkdir()
    (out / "report.html").write_bytes(b"mine")
    run_batch(entries, out, engine=Inline(), fresh=True)
    assert (out / "report.html").read_bytes() == b"mine"


def test_names_in_the_journal_are_no_paths(entries: list[SmearEntry], out: Path):
    run_batch(entries, out, engine=Inline())
    (out / "victim.txt").write_bytes(b"mine")
    with sqlite3.connect(out / JOURNAL_FILE) as connection:
        connection.execute('UPDATE stages SET files = \'{"../../victim.txt": "00"}\'')
    connection.close()
    with pytest.raises(JournalError, match="damaged"):
        run_batch(entries, out, engine=Inline())
    assert (out / "victim.txt").exists()


def test_a_results_folder_that_cannot_be_made_is_a_typed_error(entries: list[SmearEntry], tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(BatchError, match="cannot be written"):
        run_batch(entries, tmp_path / "file" / "out", engine=Inline())


class Later:
    """A stage that looks at the results of the first, of every second smear, and fails once."""

    name = "remote"

    def __init__(self, basis: str = "1") -> None:
        self.basis = basis
        self.seen: list[str] = []

    def applies_to(self, entry: SmearEntry) -> bool:
        return int(entry.smear_id[-1]) % 2 == 0

    def carry_out(self, run: Run) -> None:
        for entry in filter(self.applies_to, run.entries):
            record = run.record(self.name, entry.smear_id)
            if not run.is_done("local", entry.smear_id):
                run.pass_over(self.name, entry.smear_id)
            elif record.basis == self.basis and run.has_results(self.name, entry.smear_id):
                run.restore(self.name, entry.smear_id)
            elif entry.smear_id == "smear 00004":
                run.fail(self.name, entry.smear_id, "study-failed", "it failed", basis=self.basis)
            else:
                self.seen.append(entry.smear_id)
                run.commit(self.name, entry.smear_id, {"remote.json": self.basis.encode()}, basis=self.basis)


def test_later_stages_add_to_what_the_first_did(entries: list[SmearEntry], out: Path):
    stage = Later()
    result = run_batch(entries, out, engine=Inline(failing("smear 00002", "smear 00003")), later=[stage])
    assert stage.seen == ["smear 00000"]
    assert states(result) == "ddfffd"
    assert [one.error_code for one in result.failed] == ["unreadable", "unreadable", "study-failed"]
    assert set(result.outcomes[0].files) == {REPORT_FILE, CELLS_FILE, "remote.json"}
    assert result.outcomes[2].stages == {"local": "failed", "remote": "pending"}
    assert result.outcomes[1].stages == {"local": "done"}
    again = Later()
    assert run_batch(entries, out, engine=Inline(), later=[again]) == result
    assert again.seen == []
    other = Later("2")
    run_batch(entries, out, engine=Inline(), later=[other])
    assert other.seen == ["smear 00000"]


def test_a_full_disk_stops_the_run_and_a_later_one_goes_on(
    entries: list[SmearEntry], out: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise StorageFullError("there is no room left")

    monkeypatch.setattr("hemato_lab.batch.run.write_files", full)
    engine = Inline()
    with pytest.raises(StorageFullError):
        run_batch(entries, out, engine=engine)
    assert engine.events[-1] == ("close", 0)
    monkeypatch.undo()
    monkeypatch.setattr(running, "pinned", lambda settings: {"detector": settings.detector})
    assert states(run_batch(entries, out, engine=Inline())) == "dddddd"
