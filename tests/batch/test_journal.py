import sqlite3
from pathlib import Path
from typing import Any

import pytest

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.inputs import InputFile
from hemato_lab.batch.journal import Journal, StageRecord
from hemato_lab.errors import ConfigError, JournalError

A = SmearEntry("a", ("/x/a.png",), {"stain": "giemsa"}, um_per_px=0.1)
B = SmearEntry("ß \N{GRINNING FACE}", ("/x/b\udcff.png", "/x/c.png"))
SETTINGS = {"detector": "onnx", "models": {"detector": "12"}, "names": None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def test_what_is_noted_is_there_when_the_journal_is_opened_again(path: Path):
    inputs = (InputFile("b\udcff.png", "sha224-i-1", (1, 2, 3, 4)), InputFile("c.png", "sha224-i-2", ()))
    done = StageRecord("done", "basis", 1, files={"report.json": "ab"})
    failed = StageRecord("failed", "basis", 3, "integrity", "it changed")
    with Journal(path) as journal:
        journal.settle(SETTINGS)
        journal.add([A, B])
        journal.register(B.smear_id, inputs)
        journal.note("a", "local", done)
        journal.note(B.smear_id, "local", failed)
        journal.note("a", "remote", failed)
    with Journal(path) as journal:
        journal.settle(SETTINGS)
        assert journal.entries() == (A, B)
        assert journal.inputs() == {B.smear_id: inputs}
        assert journal.records("local") == {"a": done, B.smear_id: failed}
        assert journal.records("remote") == {"a": failed}


def test_an_entry_is_replaced_and_keeps_its_place_and_files(path: Path):
    inputs = (InputFile("a.png", "sha224-i-1", (1,)),)
    changed = SmearEntry("a", ("/x/a.png",), um_per_px=0.2)
    with Journal(path) as journal:
        journal.add([A, B])
        journal.register("a", inputs)
        journal.add([changed])
        assert journal.entries() == (changed, B)
        assert journal.inputs() == {"a": inputs}


def test_other_settings_are_refused_by_name(path: Path):
    with Journal(path) as journal:
        journal.settle(SETTINGS)
        journal.settle(dict(reversed(SETTINGS.items())))
        with pytest.raises(ConfigError, match=r'detector was "onnx", is "classical"; names was null, is true.*--fresh'):
            journal.settle({**SETTINGS, "detector": "classical", "names": True})
        with pytest.raises(ConfigError, match="new was null, is 1"):
            journal.settle({**SETTINGS, "new": 1})


class _Twice(dict[str, int]):
    """Settings of which one comes twice."""

    def items(self) -> Any:
        return [("one", 1), ("two", 2), ("one", 1)]


def test_a_change_that_fails_leaves_nothing(path: Path):
    with Journal(path) as journal:
        with pytest.raises(JournalError, match="UNIQUE constraint"):
            journal.settle(_Twice())
        assert journal._rows("SELECT * FROM settings") == []
        journal.settle(SETTINGS)


def test_it_is_forced_to_the_disk(path: Path):
    with Journal(path) as journal:
        assert journal._pragma("journal_mode") == "wal"
        journal.note("a", "local", StageRecord("done"))
        assert journal._pragma("synchronous") == 2
        journal.register("a", ())
        assert journal._pragma("synchronous") == 1
        journal.note("a", "local", StageRecord("done"))
        assert journal._pragma("synchronous") == 2


def test_a_damaged_journal_is_refused(path: Path):
    with Journal(path) as journal:
        journal.add([SmearEntry(f"smear {number}", ("/x/a.png",) * 20) for number in range(200)])
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"damaged|malformed"):
        Journal(path)


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" + b"\0" * 500])
def test_what_is_no_database_is_refused(path: Path, content: bytes):
    path.write_bytes(content)
    with pytest.raises(JournalError, match="--fresh"):
        Journal(path)


def test_another_database_is_refused_and_not_touched(path: Path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="another database"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_journal_of_another_version_is_refused(path: Path):
    Journal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="another version"):
        Journal(path)


def test_a_journal_whose_making_was_cut_short_is_made_again(path: Path):
    path.touch()
    with Journal(path) as journal:
        assert journal.entries() == ()


def test_a_folder_that_is_not_there_is_a_typed_error(tmp_path: Path):
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(tmp_path / "missing" / "journal.sqlite")


def test_errors_in_words_that_are_no_text_can_be_noted(path: Path):
    with Journal(path) as journal:
        journal.note("a", "local", StageRecord("failed", error="bad \udcff name"))
        assert journal.records("local")["a"].error == "bad ? name"
