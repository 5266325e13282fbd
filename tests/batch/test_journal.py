import sqlite3
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.inputs import InputFile
from hemato_lab.batch.journal import Journal, StageRecord
from hemato_lab.batch.journal_file import refuse_foreign, write_ahead
from hemato_lab.errors import ConfigError, HematoError, JournalError

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
    with pytest.raises(JournalError, match="another database") as found:
        Journal(path)
    assert "--fresh" not in str(found.value)
    with pytest.raises(JournalError, match="another database"):
        Journal(path, only_read=True)
    with pytest.raises(JournalError, match="another database"):
        refuse_foreign(path)
    assert path.read_bytes() == before
    path.write_bytes(before[:100] + b"\xff" * (len(before) - 100))
    with pytest.raises(JournalError, match="another database"):
        refuse_foreign(path)


def test_what_is_ours_or_nothing_may_be_removed(path: Path):
    refuse_foreign(path)
    path.touch()
    refuse_foreign(path)
    with Journal(path) as journal:
        journal.settle(SETTINGS)
        refuse_foreign(path)
    refuse_foreign(path)
    path.write_bytes(path.read_bytes()[:5000])
    refuse_foreign(path)


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


def test_two_that_make_it_at_a_time_make_one(path: Path, monkeypatch: pytest.MonkeyPatch):
    really_make = Journal._make

    def beaten(journal: Journal) -> None:
        monkeypatch.undo()
        with Journal(path) as other:
            other.settle(SETTINGS)
        really_make(journal)

    monkeypatch.setattr(Journal, "_make", beaten)
    with Journal(path) as journal:
        assert dict(journal._rows("SELECT name, value FROM settings")).keys() == SETTINGS.keys()


def test_a_file_that_another_one_holds_is_waited_for():
    class Held:
        left = 3

        def execute(self, _: str) -> None:
            self.left -= 1
            if self.left:
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error

    held = Held()
    write_ahead(held)  # type: ignore[arg-type]
    assert held.left == 0


def test_only_its_owner_may_read_it(path: Path):
    with Journal(path) as journal:
        journal.settle(SETTINGS)
        beside = list(path.parent.glob("journal.sqlite*"))
        assert len(beside) == 3
        assert {stat.S_IMODE(one.stat().st_mode) for one in beside} == {0o600}


def test_inputs_are_forgotten_with_the_stage_that_they_were_for(path: Path):
    with Journal(path) as journal:
        journal.add([A])
        journal.register("a", [InputFile("a.png", "sha224-i-1", (1,))])
        journal.note("a", "local", StageRecord("done"))
        assert journal.inputs()
        journal.note("a", "local", StageRecord(), without_inputs=True)
        assert journal.inputs() == {}


def written(path: Path) -> None:
    with Journal(path) as journal:
        journal.settle(SETTINGS)
        journal.add([A, B])
        for entry in (A, B):
            journal.register(entry.smear_id, [InputFile("a.png", "sha224-i-1", (1, 2, 3, 4))])
            journal.note(entry.smear_id, "local", StageRecord("done", "basis", 1, files={"report.json": "ab"}))


def read_all(path: Path) -> None:
    with Journal(path) as journal:
        journal.settle(SETTINGS)
        journal.entries()
        journal.inputs()
        journal.records("local")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE settings SET value = 'x'",
        "UPDATE smears SET entry = '[]'",
        'UPDATE smears SET entry = \'{"smear_id": 1, "paths": ["a"]}\'',
        "UPDATE smears SET inputs = '[[1]]'",
        'UPDATE smears SET inputs = \'[["a", "b", ["c"]]]\'',
        "UPDATE smears SET inputs = X'ff80'",
        "UPDATE stages SET state = 'dome'",
        "UPDATE stages SET attempts = 'q'",
        "UPDATE stages SET files = '{x'",
        "UPDATE stages SET files = '[1]'",
        "UPDATE stages SET files = '{\"report.json\": 1}'",
        'UPDATE stages SET files = \'{"../../victim.txt": "00"}\'',
        'UPDATE stages SET files = \'{"journal.sqlite": "00"}\'',
    ],
)
def test_rows_that_no_batch_wrote_are_refused(path: Path, damage: str):
    written(path)
    read_all(path)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(JournalError, match=r"damaged.*--fresh"):
        read_all(path)


def test_flipped_bits_are_found_or_harmless(path: Path):
    written(path)
    whole = path.read_bytes()
    used = np.flatnonzero(np.frombuffer(whole, np.uint8))
    chance = np.random.default_rng(8)
    found = 0
    for _ in range(300):
        content = bytearray(whole)
        for place in chance.choice(used, chance.integers(1, 4)):
            content[place] ^= 1 << chance.integers(8)
        for beside in path.parent.glob("journal.sqlite*"):
            beside.unlink()
        path.write_bytes(content)
        try:
            read_all(path)
        except HematoError:
            found += 1
    assert found > 50
