"""The journal and the lock of a run."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hemato_lab.api.journal import FAILED, OPEN, READY, TASKS_ACCEPTED, Journal, JournalledStudy
from hemato_lab.api.locks import RunLock
from hemato_lab.errors import JournalError, LockedError

ROOT = Path(__file__).resolve().parents[2]
SERVICE = "https://eu.api.hemato.ai"
STUDY = JournalledStudy(SERVICE, "study-1", 1, OPEN, {"batch": "7", "stain": "Giemsa"}, (), "", 100.0, 100.0)


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "deep" / "journal.sqlite3") as opened:
        yield opened


def begun(journal: Journal, request_id: str, now: float, run_key: str = "", key: str = "key") -> None:
    journal.begin_try(request_id, SERVICE, run_key=run_key, idempotency_key=key, workflow=1, now=now)


def made(journal: Journal, study: JournalledStudy, run_key: str = "") -> bool:
    request_id = f"request of {study.study_id}"
    begun(journal, request_id, study.created_at, run_key)
    return journal.add_study(request_id, study, run_key)


def test_a_study_is_found_again_with_all_that_is_known_of_it(journal: Journal) -> None:
    assert made(journal, STUDY, "run")
    assert journal.study(SERVICE, "study-1") == STUDY
    assert journal.study_of_run(SERVICE, "run") == STUDY
    assert journal.study("https://us.api.hemato.ai", "study-1") is None
    assert journal.study_of_run(SERVICE, "another run") is None


def test_a_study_is_added_once(journal: Journal) -> None:
    assert made(journal, STUDY)
    begun(journal, "later", 101.0)
    assert not journal.add_study("later", replace(STUDY, tags={}))
    assert journal.study(SERVICE, "study-1") == STUDY
    assert [one.request_id for one in journal.possible_orphans()] == ["later"]


def test_a_try_is_a_possible_orphan_until_its_outcome_is_known(journal: Journal) -> None:
    for number, request_id in enumerate(("unknown", "refused", "made", "died")):
        begun(journal, request_id, float(number))
    journal.end_try("unknown", "unknown")
    journal.end_try("refused", "refused")
    journal.add_study("made", STUDY)
    assert [one.request_id for one in journal.possible_orphans(SERVICE)] == ["died", "unknown"]
    assert journal.possible_orphans("https://us.api.hemato.ai") == []


def test_a_settled_orphan_is_listed_no_more(journal: Journal) -> None:
    begun(journal, "lost", 1.0)
    assert journal.settle("lost")
    assert not journal.settle("lost")
    assert journal.possible_orphans() == []


def test_the_key_of_a_run_is_that_of_its_latest_unknown_try(journal: Journal) -> None:
    assert journal.unknown_key(SERVICE, "run") is None
    begun(journal, "first", 1.0, "run", "key-1")
    begun(journal, "second", 2.0, "run", "key-2")
    begun(journal, "another's", 3.0, "another", "key-3")
    assert journal.unknown_key(SERVICE, "run") == "key-2"
    journal.end_try("second", "refused")
    assert journal.unknown_key(SERVICE, "run") == "key-1"


def test_the_latest_study_of_a_run_counts(journal: Journal) -> None:
    made(journal, STUDY, "run")
    made(journal, replace(STUDY, study_id="study-2", created_at=50.0), "run")  # the clock went back
    found = journal.study_of_run(SERVICE, "run")
    assert found is not None
    assert found.study_id == "study-2"


def test_studies_are_found_by_tags_the_latest_first(journal: Journal) -> None:
    made(journal, STUDY)
    made(journal, replace(STUDY, study_id="study-2", tags={"batch": "7"}, created_at=200.0))
    made(journal, replace(STUDY, study_id="study-3", service="https://us.api.hemato.ai"))
    assert [one.study_id for one in journal.studies(SERVICE)] == ["study-2", "study-1"]
    assert [one.study_id for one in journal.studies(SERVICE, {"stain": "Giemsa"})] == ["study-1"]
    assert [one.study_id for one in journal.studies(SERVICE, {"batch": "7", "stain": "x"})] == []
    assert len(journal.studies()) == 3


def test_states_and_tasks_are_kept(journal: Journal) -> None:
    made(journal, STUDY)
    journal.set_state(SERVICE, "study-1", TASKS_ACCEPTED, 110.0, tasks=["pbs_v1"])
    journal.set_state(SERVICE, "study-1", READY, 120.0)
    journal.set_state(SERVICE, "no such study", FAILED, 120.0)
    expected = replace(STUDY, state=READY, tasks=("pbs_v1",), changed_at=120.0)
    assert journal.studies() == [expected]


def test_acknowledged_files_keep_their_order_and_ids(journal: Journal) -> None:
    journal.acknowledge(SERVICE, "study-1", {"b": (["b"], 1)}, 1.0)
    journal.acknowledge(SERVICE, "study-1", {"a": (["a1", "a2"], 1), "d": (["d"], 1)}, 2.0)
    journal.acknowledge(SERVICE, "study-2", {"c": (["c"], 1)}, 3.0)
    found = journal.acknowledged(SERVICE, "study-1")
    assert list(found.items()) == [("b", ("b",)), ("a", ("a1", "a2")), ("d", ("d",))]


def test_what_is_written_is_there_for_another_process(journal: Journal) -> None:
    made(journal, STUDY)
    with Journal(journal.path) as other:
        assert other.studies() == [STUDY]


def test_threads_share_a_journal(journal: Journal) -> None:
    def add(start: int) -> None:
        for number in range(start, start + 25):
            made(journal, replace(STUDY, study_id=f"study-{number}"))

    threads = [threading.Thread(target=add, args=(start,)) for start in range(0, 200, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.studies()) == 200
    assert journal.possible_orphans() == []


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_only_the_owner_can_read_it(journal: Journal) -> None:
    assert journal.path.stat().st_mode & 0o077 == 0
    assert journal.path.parent.stat().st_mode & 0o077 == 0


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to look at " * 20)
    (tmp_path / "folder").mkdir()
    for name in ("text", "folder", "text/below"):
        with pytest.raises(JournalError, match=r"cannot be (opened|written)"):
            Journal(tmp_path / name)


def test_a_newer_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    Journal(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(JournalError, match=r"newer version \(format 2\)"):
        Journal(path)


def test_another_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (value)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="is another database"):
        Journal(path)
    assert path.read_bytes() == before


def test_many_processes_make_one_journal_at_the_same_time(tmp_path: Path) -> None:
    program = "import sys; from hemato_lab.api import Journal; Journal(sys.argv[1]).close()"
    command = [sys.executable, "-c", program, str(tmp_path / "journal.sqlite3")]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(4)]  # noqa: S603
    assert [(process.communicate()[1], process.returncode) for process in processes] == [(b"", 0)] * 4


def test_an_interrupted_write_leaves_the_journal_usable(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting:
        def __init__(self, connection: sqlite3.Connection, at: str) -> None:
            self._connection, self._at = connection, at

        def execute(self, statement: str, *values: object) -> object:
            done = self._connection.execute(statement, *values)
            if statement.startswith(self._at):
                raise KeyboardInterrupt
            return done

        def __getattr__(self, name: str) -> object:
            return getattr(self._connection, name)

    real = journal._connection
    for at in ("BEGIN", "INSERT", "COMMIT"):
        monkeypatch.setattr(journal, "_connection", Interrupting(real, at))
        with pytest.raises(KeyboardInterrupt):
            begun(journal, f"interrupted at {at}", 1.0)
        monkeypatch.setattr(journal, "_connection", real)
        assert not real.in_transaction
    begun(journal, "afterwards", 2.0)
    assert {one.request_id for one in journal.possible_orphans()} == {"interrupted at COMMIT", "afterwards"}


def test_a_closed_journal_says_so(journal: Journal) -> None:
    journal.close()
    with pytest.raises(JournalError, match="was closed"):
        journal.studies()


def test_a_lock_keeps_others_out_until_it_is_released(tmp_path: Path) -> None:
    first, second, another = RunLock(tmp_path, "run"), RunLock(tmp_path, "run"), RunLock(tmp_path, "other")
    first.acquire()
    another.acquire()
    with pytest.raises(LockedError, match="under way in another process or thread"):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()
    another.release()
    assert list(tmp_path.iterdir()) == [], "no lock is left behind"


def test_a_lock_is_not_taken_for_held_because_of_its_name(tmp_path: Path) -> None:
    place = tmp_path / "unlocked"
    place.touch()
    with pytest.raises(JournalError, match="cannot be locked"):
        RunLock(place, "run").acquire()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from hemato_lab.api.locks import RunLock\n"
        "RunLock(Path(sys.argv[1]), 'run').acquire(); print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"locked"
        with pytest.raises(LockedError):
            RunLock(tmp_path, "run").acquire()
        process.kill()
    lock = RunLock(tmp_path, "run")
    lock.acquire()
    lock.release()


def test_of_many_at_a_time_one_has_the_lock(tmp_path: Path) -> None:
    inside, most, wins = 0, 0, 0
    guard = threading.Lock()

    def contend() -> None:
        nonlocal inside, most, wins
        for _ in range(40):
            lock = RunLock(tmp_path, "run")
            try:
                lock.acquire()
            except LockedError:
                continue
            with guard:
                inside += 1
                wins += 1
                most = max(most, inside)
            with guard:
                inside -= 1
            lock.release()

    threads = [threading.Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert wins > 0


def test_a_lock_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be locked"):
        RunLock(tmp_path / "file", "run").acquire()
