"""The database: made once, private, and written in groups that fail one by one."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from hemato_lab.errors import ConfigError
from hemato_lab.twin import database
from hemato_lab.twin.database import FILE_NAME, Writer, open_database, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path)
    yield made
    made.close()


def put(connection: sqlite3.Connection, name: str) -> str:
    connection.execute("INSERT INTO settings VALUES (?, '')", (name,))
    return name


def names(folder: Path) -> list[str]:
    connection = open_database(folder)
    found = [row[0] for row in connection.execute("SELECT name FROM settings ORDER BY name")]
    connection.close()
    return found


def test_commits_are_forced_and_readers_go_on(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    relaxed = open_database(tmp_path, forced=False)
    assert relaxed.execute("PRAGMA synchronous").fetchone()[0] == 1
    connection.close()
    relaxed.close()


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    open_database(tmp_path).close()
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_another_format_is_refused(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="another version"):
        open_database(tmp_path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_database(tmp_path)


def test_many_open_a_new_one_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        for _ in pool.map(lambda _: open_database(tmp_path).close(), range(32)):
            pass
    assert names(tmp_path) == []


def test_an_error_inside_undoes_all(tmp_path: Path) -> None:
    connection = open_database(tmp_path)

    def put_twice() -> None:
        with transaction(connection):
            put(connection, "a")
            put(connection, "a")

    with pytest.raises(sqlite3.IntegrityError):
        put_twice()
    connection.close()
    assert names(tmp_path) == []


def test_a_change_is_on_disk_when_it_is_answered(tmp_path: Path, writer: Writer) -> None:
    assert writer.run(lambda connection: put(connection, "a")) == "a"
    assert names(tmp_path) == ["a"]


def test_changes_of_one_commit_fail_alone(tmp_path: Path, writer: Writer) -> None:
    held = threading.Event()
    blocked = writer.submit(lambda _: held.wait(10))  # the next ones wait together and share a commit

    def fails(connection: sqlite3.Connection) -> None:
        put(connection, "lost")
        raise KeyError("mine")

    futures = [
        writer.submit(lambda connection: put(connection, "a")),
        writer.submit(fails),
        writer.submit(lambda connection: put(connection, "a")),  # a name that is there
        writer.submit(lambda connection: put(connection, "b")),
    ]
    held.set()
    assert blocked.result()
    assert futures[0].result() == "a"
    with pytest.raises(KeyError, match="mine"):
        futures[1].result()
    with pytest.raises(sqlite3.IntegrityError):
        futures[2].result()
    assert futures[3].result() == "b"
    assert names(tmp_path) == ["a", "b"]


def test_changes_that_wait_share_commits(tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    commit = database._commit
    monkeypatch.setattr(database, "_commit", lambda *args: (commits.append(len(args[1])), commit(*args)))
    begun, held = threading.Event(), threading.Event()
    writer.submit(lambda _: (begun.set(), held.wait(10)))
    begun.wait()
    futures = [writer.submit(lambda connection, n=n: put(connection, f"{n:03}")) for n in range(100)]
    held.set()
    for future in futures:
        future.result()
    assert commits[1:] == [64, 36]
    assert len(names(tmp_path)) == 100


def test_closing_makes_what_waits(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    futures = [writer.submit(lambda connection, n=n: put(connection, f"{n:03}")) for n in range(200)]
    writer.close()
    assert all(future.done() for future in futures)
    assert len(names(tmp_path)) == 200


def test_another_process_does_not_take_the_log_away(tmp_path: Path) -> None:
    """Closing a file lets go of a process's locks on it; then the log would be deleted while it is in use."""
    with closing(open_database(tmp_path)) as first, closing(open_database(tmp_path)):
        with transaction(first):
            put(first, "ours")
        code = (
            "import sys; from pathlib import Path; from hemato_lab.twin.database import open_database;"
            "connection = open_database(Path(sys.argv[1]));"
            "connection.execute(\"INSERT INTO settings VALUES ('theirs', '')\"); connection.close()"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)  # noqa: S603
        assert (tmp_path / f"{FILE_NAME}-wal").exists()
        assert names(tmp_path) == ["ours", "theirs"]
        assert [row[0] for row in first.execute("SELECT name FROM settings ORDER BY name")] == ["ours", "theirs"]
