"""Files by hash: one for each content, whole or not there, and on disk before anyone is told."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemato_lab.errors import ConfigError
from hemato_lab.twin.store import Incoming, Store

if TYPE_CHECKING:
    from pathlib import Path

ABC = "sha224-i-23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"
"""FIPS 180-4, the example of SHA-224 for "abc"."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def keep(store: Store, content: bytes) -> str:
    with store.incoming() as incoming:
        incoming.write(content)
        store.keep([incoming])
        return incoming.file_id()


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_file_is_known_by_its_hash(store: Store, tmp_path: Path) -> None:
    with store.incoming() as incoming:
        for piece in (b"a", b"", b"bc"):
            incoming.write(piece)
        assert (incoming.size, incoming.head, incoming.file_id()) == (3, b"abc", ABC)
        assert not store.has(ABC)
        store.keep([incoming])
    assert store.has(ABC)
    assert names(tmp_path) == {f"files/{ABC}"}
    with store.open(ABC) as file:
        assert file.read() == b"abc"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pieces=st.lists(st.binary(max_size=40), max_size=6))
def test_pieces_of_any_length_are_one_content(store: Store, pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    with store.incoming() as incoming:
        for piece in pieces:
            incoming.write(piece)
        assert (incoming.size, incoming.head) == (len(content), content[:16])
        assert incoming.file_id() == "sha224-i-" + hashlib.sha224(content).hexdigest()
        assert incoming.path.read_bytes() == content


def test_what_is_not_kept_vanishes(store: Store, tmp_path: Path) -> None:
    with store.incoming() as incoming:
        incoming.write(b"abc")
        assert names(tmp_path) == {str(incoming.path.relative_to(tmp_path))}
    assert names(tmp_path) == set()


def test_content_that_is_there_is_not_touched(store: Store) -> None:
    file_id = keep(store, b"abc")
    before = store.path(file_id).stat()
    assert keep(store, b"abc") == file_id
    assert store.path(file_id).stat() == before


def test_many_files_with_one_content_among_them(store: Store, tmp_path: Path) -> None:
    incoming = [store.incoming() for _ in range(5)]
    for number, one in enumerate(incoming):
        one.write(b"%d" % (number // 2))
    store.keep(incoming)
    for one in incoming:
        with one:
            pass
    assert names(tmp_path) == {f"files/sha224-i-{hashlib.sha224(text).hexdigest()}" for text in (b"0", b"1", b"2")}


def test_finished_file_takes_no_more_and_is_kept(store: Store) -> None:
    with store.incoming() as incoming:
        incoming.write(b"abc")
        incoming.finish()
        incoming.finish()
        with pytest.raises(ValueError, match="finished"):
            incoming.write(b"d")
        store.keep([incoming])
    assert store.path(ABC).read_bytes() == b"abc"


def test_one_content_from_sixteen_threads_is_one_file(store: Store, tmp_path: Path, monkeypatch: Any) -> None:
    # What is tested is the race for the name, not the disk.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    content = bytes(range(256)) * 64
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: keep(store, content), range(1000)))
    assert len(found) == 1
    assert names(tmp_path) == {f"files/{found.pop()}"}


@pytest.mark.parametrize(
    "file_id",
    [
        "", "abc", "../twin.sqlite", ABC[9:], ABC[:-1], ABC + "0", ABC.upper(), ABC + "\n", "sha224-i-" + ABC,
        "sha224-i-" + "../" * 18 + "ab", "sha224-i-" + "\u0661" * 56,
    ],
)  # fmt: skip
def test_what_is_no_id_is_no_path(store: Store, file_id: str) -> None:
    with pytest.raises(ConfigError, match="is no id of a file"):
        store.path(file_id)


def test_folders_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be made"):
        Store(tmp_path / "file")


def test_only_the_owner_may_look(store: Store, tmp_path: Path) -> None:
    file_id = keep(store, b"abc")
    modes = [path.stat().st_mode & 0o077 for path in (tmp_path / "files", tmp_path / "incoming", store.path(file_id))]
    assert modes == [0, 0, 0]


def test_start_clears_what_was_arriving(store: Store, tmp_path: Path) -> None:
    kept = keep(store, b"abc")
    left = store.incoming()
    left.write(b"half")
    left.finish()
    Store(tmp_path).clear_incoming()
    assert names(tmp_path) == {f"files/{kept}"}


def test_sweep_leaves_what_is_referred_to_and_what_is_not_ours(store: Store, tmp_path: Path) -> None:
    kept, forgotten = keep(store, b"abc"), keep(store, b"def")
    (tmp_path / "files" / "notes.txt").write_bytes(b"")
    assert store.sweep({kept}) == 1
    assert names(tmp_path) == {f"files/{kept}", "files/notes.txt"}
    assert not store.has(forgotten)


class Recording:
    """The system calls of the store, each with the path that it is about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str]] = []
        self._paths: dict[int, str] = {}
        self._real = {name: getattr(os, name) for name in ("open", "write", "fsync", "close", "replace")}
        for name in self._real:
            monkeypatch.setattr(os, name, getattr(self, name))

    def open(self, path: Any, *arguments: Any, **options: Any) -> int:
        handle: int = self._real["open"](path, *arguments, **options)
        self._paths[handle] = str(path)
        return handle

    def write(self, handle: int, piece: Any) -> int:
        # As little at a time as a system may take.
        written: int = self._real["write"](handle, piece[:1000])
        self.calls.append(("write", self._paths[handle]))
        return written

    def fsync(self, handle: int) -> None:
        self._real["fsync"](handle)
        self.calls.append(("fsync", self._paths[handle]))

    def close(self, handle: int) -> None:
        self._real["close"](handle)

    def replace(self, source: Any, target: Any) -> None:
        self._real["replace"](source, target)
        self.calls.append(("rename", f"{source} {target}"))


def check_order(calls: list[tuple[str, str]], folder: Path, ids: list[str]) -> None:
    """A name is given only to bytes that are on disk, and the folder follows once, behind all names."""
    assert calls[-1] == ("fsync", str(folder / "files"))
    assert calls.count(calls[-1]) == 1
    renamed = [(place, target.split()) for place, (call, target) in enumerate(calls) if call == "rename"]
    assert [target for _, (_, target) in renamed] == [str(folder / "files" / one) for one in ids]
    for place, (source, _) in renamed:
        assert source.startswith(str(folder / "incoming"))
        own = [(at, call) for at, (call, path) in enumerate(calls) if path == source]
        assert [call for _, call in own][-2:] == ["write", "fsync"], "bytes were written behind the last fsync"
        assert own[-1][0] < place, "the name came before the bytes"
    assert not any(path.startswith(str(folder / "files" / "sha224")) for call, path in calls if call != "rename")


def test_durability_comes_in_order(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(monkeypatch)
    with store.incoming() as one, store.incoming() as other:
        for incoming, size in ((one, 5000), (other, 10)):
            incoming.write(b"x" * size)
            incoming.write(b"y" * size)
        other.finish()
        store.keep([one, other])
    check_order(recording.calls, tmp_path, [one.file_id(), other.file_id()])
    assert [store.path(incoming.file_id()).stat().st_size for incoming in (one, other)] == [10_000, 20]


def test_known_content_waits_for_the_folder_too(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, b"abc")
    recording = Recording(monkeypatch)
    keep(store, b"abc")
    assert recording.calls[-1] == ("fsync", str(tmp_path / "files"))


SCRIPT = """
import sys
from pathlib import Path
from hemato_lab.twin.store import Store
store = Store(Path(sys.argv[1]))
with store.incoming() as one, store.incoming() as other:
    one.write(b"first"), other.write(b"second"), other.finish()
    store.keep([one, other])
print(one.file_id(), other.file_id())
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_operating_system_is_asked_in_this_order(tmp_path: Path) -> None:
    folder, trace = tmp_path / "twin", tmp_path / "trace"
    Store(folder)
    watched = "trace=write,fsync,fdatasync,rename,renameat,renameat2"
    command = ["strace", "-f", "-y", "-s0", "-e", watched, "-o", str(trace), sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if "ptrace" in done.stderr:
        pytest.skip("this machine forbids to trace")
    calls = []
    for line in trace.read_text().splitlines():
        if on_handle := re.search(r"\b(write|fsync)\(\d+<([^>]+)>", line):
            calls.append((on_handle[1], on_handle[2]))
        elif moved := re.search(r'\brename\w*\(.*?"([^"]+)".*?"([^"]+)"', line):
            calls.append(("rename", f"{moved[1]} {moved[2]}"))
    check_order([call for call in calls if str(folder) in call[1]], folder, done.stdout.split())


def failing(number: int, code: int, real: Any) -> Any:
    """A system call that fails the `number`-th time."""
    left = [number]

    def call(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(code, os.strerror(code))
        return real(*arguments, **options)

    return call


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("fails", [("write", 2), ("fsync", 3), ("replace", 2), ("open", 3)])
def test_failing_calls_leave_whole_files_or_none(
    fails: tuple[str, int], code: int, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, times = fails

    def attempt() -> None:
        with store.incoming() as one, store.incoming() as other:
            one.write(b"first")
            other.write(b"second")
            store.keep([one, other])

    for number in range(1, times + 1):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing(number, code, getattr(os, name)))
            with pytest.raises(OSError, match=re.escape(os.strerror(code))):
                attempt()
        assert not list((tmp_path / "incoming").iterdir())
        for path in (tmp_path / "files").iterdir():
            assert path.name == "sha224-i-" + hashlib.sha224(path.read_bytes()).hexdigest()
            path.unlink()
    attempt()
    assert len(names(tmp_path)) == 2


def test_file_whose_bytes_cannot_be_forced_gets_no_name(store: Store, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "fsync", failing(1, errno.EIO, os.fsync))
    with pytest.raises(OSError, match="Input/output"):
        keep(store, b"abc")
    assert names(tmp_path) == set()


def test_name_of_an_arriving_file_is_never_taken(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        Incoming(path)
    assert path.read_bytes() == b"other"
