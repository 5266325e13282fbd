import hashlib
import os
from pathlib import Path

import pytest

from hemato_lab.batch import inputs
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.inputs import InputFile, first_changed, input_names, refuse_changed, register
from hemato_lab.errors import IntegrityError, NoImagesError, UnreadableInputError

LONG_AGO = (1_600_000_000, 1_600_000_000)


@pytest.fixture
def entry(tmp_path: Path) -> SmearEntry:
    paths = []
    for name in ("a/one.png", "b/two.png"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_bytes(name.encode())
        paths.append(str(path))
    return SmearEntry("smear", tuple(paths))


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every file look as if it was changed long ago."""
    monkeypatch.setattr(inputs, "_TICK_NS", -1)


def test_files_are_registered_by_the_hash_of_their_bytes(entry: SmearEntry):
    first, second = register(entry)
    assert (first.name, second.name) == ("a/one.png", "b/two.png")
    assert first.file_id == "sha224-i-" + hashlib.sha224(b"a/one.png").hexdigest()


def test_one_file_has_its_own_name():
    assert input_names(["/x/y/slide.tif"]) == ("slide.tif",)
    assert input_names(["/x/y/1.png", "/x/y/2.png"]) == ("1.png", "2.png")
    assert input_names(["/x/y/1.png", "/x/z/w/1.png"]) == ("y/1.png", "z/w/1.png")


def test_an_empty_file_is_registered(tmp_path: Path):
    path = tmp_path / "empty.png"
    path.touch()
    assert register(SmearEntry("a", (str(path),)))[0].file_id == "sha224-i-" + hashlib.sha224(b"").hexdigest()


def test_unchanged_files_are_not_read_again(entry: SmearEntry, settled: None, monkeypatch: pytest.MonkeyPatch):
    registered = register(entry)
    monkeypatch.setattr(inputs, "file_id", lambda _: pytest.fail("a file was read"))
    assert first_changed(entry, registered) == ""


def test_a_file_that_was_only_touched_is_unchanged(entry: SmearEntry, settled: None):
    registered = register(entry)
    os.utime(entry.paths[1], LONG_AGO)
    assert first_changed(entry, registered) == ""


def test_other_bytes_are_found(entry: SmearEntry, settled: None):
    registered = register(entry)
    Path(entry.paths[1]).write_bytes(b"b/TWO.png")
    assert first_changed(entry, registered) == entry.paths[1]


def test_bytes_that_changed_within_a_tick_of_the_clock_are_found(entry: SmearEntry):
    registered = register(entry)
    assert registered[0].signature == ()
    status = Path(entry.paths[0]).stat()
    Path(entry.paths[0]).write_bytes(b"A/ONE.PNG")
    os.utime(entry.paths[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert first_changed(entry, registered) == entry.paths[0]


def test_a_file_that_is_gone_has_changed(entry: SmearEntry):
    registered = register(entry)
    Path(entry.paths[0]).unlink()
    assert first_changed(entry, registered) == entry.paths[0]


def test_without_registered_files_nothing_changed(entry: SmearEntry):
    assert first_changed(entry, ()) == ""


def test_bytes_of_another_hash_are_refused(entry: SmearEntry):
    file_ids = [one.file_id for one in register(entry)]
    assert [one.file_id for one in refuse_changed(entry, file_ids)] == file_ids
    Path(entry.paths[0]).write_bytes(b"others")
    with pytest.raises(IntegrityError, match="no longer those that were registered") as found:
        refuse_changed(entry, file_ids)
    assert found.value.subject == entry.paths[0]


def test_what_is_no_file_is_a_typed_error(tmp_path: Path):
    with pytest.raises(UnreadableInputError, match="missing"):
        register(SmearEntry("a", (str(tmp_path / "missing"),)))
    with pytest.raises(NoImagesError, match="holds no image"):
        register(SmearEntry("a", (str(tmp_path),)))
    with pytest.raises(NoImagesError, match="possible path"):
        register(SmearEntry("a", ("/x/\0",)))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableInputError):
        register(SmearEntry("a", (str(tmp_path / "pipe"),)))


def test_a_registered_file_survives_json():
    one = InputFile("b\udcff.png", "sha224-i-1", (1, 2))
    assert InputFile.from_list(one.to_list()) == one
