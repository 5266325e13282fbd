import errno
import os
from pathlib import Path

import pytest

from hemato_lab.batch import writing
from hemato_lab.batch.writing import make_folder, remove_files, unfinished, write_file, write_files
from hemato_lab.errors import BatchError, StorageFullError
from tests.batch.making import tree


def failing(monkeypatch: pytest.MonkeyPatch, call: str, number: int, after: int = 0) -> None:
    """Let a system call fail after so many successes."""
    real = getattr(os, call)
    calls = []

    def fail(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) > after:
            raise OSError(number, os.strerror(number))
        return real(*arguments)

    monkeypatch.setattr(writing.os, call, fail)


def test_files_and_their_folders_are_made(tmp_path: Path):
    write_files(tmp_path / "a" / "b", {"one": b"1", "two": b""})
    write_file(tmp_path / "a" / "b" / "one", b"other")
    assert tree(tmp_path) == {"a/b/one": b"other", "a/b/two": b""}


def test_files_and_every_folder_with_a_new_entry_are_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forced = []
    monkeypatch.setattr(writing.os, "fsync", lambda handle: forced.append(Path(f"/proc/self/fd/{handle}").readlink()))
    write_files(tmp_path / "a" / "b", {"one": b"1"})
    folder = tmp_path / "a" / "b"
    assert forced == [unfinished(folder / "one"), folder, folder.parent, tmp_path]
    forced.clear()
    make_folder(tmp_path / "c" / "d")
    assert forced == [tmp_path / "c", tmp_path]
    forced.clear()
    remove_files(folder, ["two"])
    assert forced == []
    write_files(folder, {"two": b"2"})
    forced.clear()
    remove_files(folder, ["one"])
    assert forced == [folder]
    remove_files(folder, ["two"])
    assert forced == [folder, folder, folder.parent]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_earlier_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    write_file(tmp_path / "one", b"earlier")
    failing(monkeypatch, "fsync", number)
    with pytest.raises(StorageFullError, match=r"no room left.*run the same command again"):
        write_file(tmp_path / "one", b"later")
    assert tree(tmp_path) == {"one": b"earlier"}


def test_a_broken_disk_is_a_typed_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    failing(monkeypatch, "fsync", errno.EIO, after=1)
    with pytest.raises(BatchError, match=os.strerror(errno.EIO)) as found:
        write_files(tmp_path, {"one": b"1", "two": b"2"})
    assert not isinstance(found.value, StorageFullError)
    assert tree(tmp_path) == {"one": b"1"}


def test_a_file_where_a_folder_should_be_is_a_typed_error(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(BatchError, match="cannot be written"):
        write_file(tmp_path / "a" / "b", b"")


def test_files_and_what_was_left_of_them_are_removed(tmp_path: Path):
    folder = tmp_path / "a"
    write_files(folder, {"one": b"1", "two": b"2"})
    unfinished(folder / "one").write_bytes(b"half")
    remove_files(folder, ["one", "missing"])
    assert tree(tmp_path) == {"a/two": b"2"}
    remove_files(folder, ["two"])
    assert not folder.exists()
    remove_files(folder, ["two"])
