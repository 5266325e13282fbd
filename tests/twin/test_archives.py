"""A hundred hostile archives leave nothing anywhere; a thousand harmless ones give every image that they hold."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.formats.stored import file_id_of
from hemato_lab.twin.archives import Limits, unpack
from hemato_lab.twin.receiving import receive
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.store import Store
from tests.formats.test_zip_directory import Member, archive, sound, written
from tests.twin.conftest import image_bytes
from tests.twin.hostile_archives import HOSTILE, MOST_BYTES, MOST_IMAGES, packed_member
from tests.twin.zip_writers import APPLE_DOUBLE, WRITERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PNG = image_bytes(5)
JPEG = image_bytes(6, kind="JPEG")
LIMITS = Limits(most_images=MOST_IMAGES, most_bytes=MOST_BYTES)
_CHANGES = {"os.mkdir", "os.symlink", "os.link", "os.rename", "os.chmod", "os.truncate", "shutil.move"}
_watching: list[set[str]] = []


def _note_changes(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if (writes and isinstance(arguments[0], str | os.PathLike)) or event in _CHANGES:
        _watching[-1].add(str(arguments[1] if event in {"os.symlink", "os.link", "os.rename"} else arguments[0]))


sys.addaudithook(_note_changes)


@pytest.fixture
def written_to() -> Iterator[set[str]]:
    """Every path that Python opens for writing or changes, whoever asks for it."""
    _watching.append(set())
    yield _watching[-1]
    _watching.pop()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store deep in a folder that is also where the process stands, so that every way out of it is seen."""
    here = tmp_path / "a" / "b" / "c"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    return Store(here / "twin")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def refusal_of(content: bytes, store: Store, tmp_path: Path) -> Refusal:
    path = tmp_path / "attack.zip"
    path.write_bytes(content)
    with pytest.raises(Refusal) as caught:
        unpack(path, store, LIMITS)
    path.unlink()
    return caught.value


def test_there_are_enough_attacks() -> None:
    assert len(HOSTILE) >= 100


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_archives_leave_nothing(attack: str, store: Store, tmp_path: Path, written_to: set[str]) -> None:
    reason, build = HOSTILE[attack]
    content = build(PNG)
    before = tree(tmp_path)
    written_to.clear()
    refusal = refusal_of(content, store, tmp_path)
    if refusal.code == "bad_archive":
        assert refusal.debug_info["reason"] == reason
    else:
        assert refusal.code == reason
    assert set(refusal.debug_info) <= {"reason", "member"}
    assert tree(tmp_path) == before
    written_to.discard(str(tmp_path / "attack.zip"))
    inside = str(tmp_path / "a" / "b" / "c" / "twin" / "incoming") + os.sep
    assert [path for path in written_to if not path.startswith(inside)] == []


def test_writing_is_noticed_at_all(store: Store, tmp_path: Path, written_to: set[str]) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(written({"a.png": PNG}))
    (tmp_path / "link").symlink_to("b")
    (member,) = unpack(path, store)
    with member.incoming:
        assert {str(path), str(tmp_path / "link"), str(member.incoming.path)} <= written_to


@pytest.mark.parametrize("attack", ["headers in each other", "another bit", "JPEG bomb", "packs nothing"])
def test_hostile_uploads_leave_nothing(attack: str, store: Store, tmp_path: Path) -> None:
    before = tree(tmp_path)
    with store.incoming() as incoming:
        incoming.write(HOSTILE[attack][1](PNG))
        with pytest.raises(Refusal):
            receive(store, incoming, "zip", "a.zip")
    assert tree(tmp_path) == before


def test_member_that_is_wrong_is_told_by_its_number(store: Store, tmp_path: Path) -> None:
    content = written({"folder/": b"", "a.png": PNG, ".DS_Store": b"x", "Mr Smith.png": b"not an image"})
    refusal = refusal_of(content, store, tmp_path)
    assert refusal.debug_info == {"reason": "not-an-image", "member": 3}
    bomb = written({"a.png": PNG, "b.jpg": JPEG, "c.png": PNG[:30]})
    refusal = refusal_of(bomb, store, tmp_path)
    assert (refusal.code, refusal.debug_info["member"]) == ("bad_image", 3)


def test_limits_are_the_last_that_is_taken(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(written({"a.png": PNG, "b.jpg": JPEG, ".DS_Store": bytes(1000)}))
    sizes = len(PNG) + len(JPEG)
    assert len(finished(unpack(path, store, Limits(most_images=2, most_bytes=sizes)))) == 2
    for limits, reason in (
        (Limits(most_images=1, most_bytes=sizes), "count"),
        (Limits(most_images=2, most_bytes=sizes - 1), "too-large"),
    ):
        with pytest.raises(Refusal) as caught:
            unpack(path, store, limits)
        assert caught.value.debug_info == {"reason": reason}


def test_full_disk_leaves_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(written({"a.png": PNG, "b.jpg": JPEG}))
    before = tree(tmp_path)
    real, left = os.write, [1]

    def write(handle: int, piece: Any) -> int:
        if not left:
            raise OSError(28, "No space left on device")
        left.pop()
        return real(handle, piece)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        unpack(path, store)
    assert tree(tmp_path) == before


# Harmless archives.


def finished(members: list[Any]) -> list[tuple[str, str, str]]:
    """Return (name, kind, id) of what was unpacked, and give its files back."""
    with ExitStack() as opened:
        for member in members:
            opened.enter_context(member.incoming)
        return [(one.name, one.kind, one.incoming.file_id()) for one in members]


IMAGES = [(image_bytes(seed, kind=kind, side=3 + seed), kind) for kind in ("PNG", "JPEG") for seed in range(20)]
FOLDERS = ["", "", "smear/", "smear/left side/", "2024-05-01/Ausstrich \u00e4\u00f6\u00fc/", "\u8840\u6db2/", "a..b/"]
STEMS = [
    "cell",
    "IMG_",
    "(1)",
    "\u0645\u0633\u062d\u0629",
    "e\u0301tude",
    "\u6d82\u7247",
    "...x",
    "CON",
    "%2e%2e",
    "-rf",
]
SUFFIXES = {"PNG": [".png", ".PNG", ""], "JPEG": [".jpg", ".JPG", ".jpeg", ".jpe", ".jfif", ""]}


def random_files(chance: random.Random) -> dict[str, tuple[bytes, str]]:
    files = {}
    for number in range(chance.randint(1, 5)):
        content, kind = chance.choice(IMAGES)
        name = f"{chance.choice(FOLDERS)}{chance.choice(STEMS)}{number}{chance.choice(SUFFIXES[kind])}"
        files[name] = (content, kind.lower())
    return files


@pytest.mark.parametrize("writer", WRITERS)
def test_a_thousand_harmless_archives(writer: str, store: Store, tmp_path: Path) -> None:
    """63 archives of each of 16 writers are 1,008."""
    path = tmp_path / "a.zip"
    for seed in range(63):
        chance = random.Random(f"{writer} {seed}")  # noqa: S311
        files = random_files(chance)
        path.write_bytes(WRITERS[writer]({name: content for name, (content, _) in files.items()}, chance))
        with zipfile.ZipFile(path) as reference:
            assert reference.testzip() is None
        found = finished(unpack(path, store))
        assert found == [(name, kind, file_id_of(content)) for name, (content, kind) in files.items()]
    assert list((tmp_path / "a" / "b" / "c" / "twin" / "incoming").iterdir()) == []


@pytest.mark.skipif(shutil.which("zip") is None, reason="Info-ZIP is not installed")
@pytest.mark.parametrize("options", ["-qr", "-qr0", "-qr9X", "-qrD", "-qr -fz", "-qr -fd"])
def test_archives_of_the_program_itself(options: str, store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "smear \u00e4").mkdir(parents=True)
    for name, content in {"a.png": PNG, "smear \u00e4/b.jpg": JPEG, ".DS_Store": b"x"}.items():
        (source / name).write_bytes(content)
    path = tmp_path / "made.zip"
    subprocess.run(["zip", *options.split(), str(path), "."], cwd=source, check=True)  # noqa: S603, S607
    found = finished(unpack(path, store))
    assert {(kind, file_id) for _, kind, file_id in found} == {("png", file_id_of(PNG)), ("jpeg", file_id_of(JPEG))}


def test_image_is_an_image_wherever_it_is(store: Store, tmp_path: Path) -> None:
    """The client counts members by their first bytes alone; both have to agree."""
    path = tmp_path / "a.zip"
    path.write_bytes(
        written({"__MACOSX/a.png": PNG, "._b.jpg": JPEG, "__MACOSX/._a.png": APPLE_DOUBLE, "__MACOSX/x": b"y"})
    )
    assert [name for name, _, _ in finished(unpack(path, store))] == ["__MACOSX/a.png", "._b.jpg"]


def test_one_image_several_times_is_one_file(store: Store, tmp_path: Path) -> None:
    with store.incoming() as incoming:
        incoming.write(archive(sound(PNG), sound(PNG, "again.png"), Member(b"b.jpg", JPEG, method=8)))
        files = receive(store, incoming, "zip", "a.zip")
    assert [one.kind for one in files] == ["zip", "png", "jpeg"]
    assert {one.file_id for one in files} == {path.name for path in store.path(files[0].file_id).parent.iterdir()}
    assert store.path(files[1].file_id).read_bytes() == PNG


@pytest.mark.parametrize("kind", ["stored", "packed", "packed tightly"])
def test_large_members_pass_through_in_pieces(kind: str, store: Store, tmp_path: Path) -> None:
    """Memory holds neither the archive nor a member; the image is followed by what no one reads."""
    path = tmp_path / "a.zip"
    noise = np.random.default_rng(1)
    tight = b"".join(noise.bytes(300) + bytes(30_000) for _ in range(400))
    content = PNG + (tight if kind == "packed tightly" else noise.bytes(12 << 20))
    path.write_bytes(
        written({"a.png": content}, compression=zipfile.ZIP_STORED if kind == "stored" else zipfile.ZIP_DEFLATED)
    )
    tracemalloc.start()
    found = finished(unpack(path, store))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [("a.png", "png", file_id_of(content))]
    assert peak < 4 << 20


def test_packed_bytes_may_be_used_up_before_all_is_unpacked(store: Store, tmp_path: Path) -> None:
    """A run of zeros crosses the end of a piece, and its last bits share a byte with the end of the packed bytes."""
    path = tmp_path / "a.zip"
    for shift in range(40):
        content = (PNG + bytes(range(200, 200 + shift))).ljust((256 << 10) + 1, b"\0")
        packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_FIXED)
        packed = packer.compress(content) + packer.flush()
        path.write_bytes(archive(packed_member(b"a.png", content, packed)))
        assert finished(unpack(path, store)) == [("a.png", "png", file_id_of(content))]


def test_hundreds_of_members_need_few_open_files(store: Store, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.zip"
    path.write_bytes(written({f"{number}.png": image_bytes(number, side=2) for number in range(300)}))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with path.open("rb") as file:
        highest = file.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 40, limits[1]))
    try:
        with store.incoming() as incoming:
            incoming.write(path.read_bytes())
            assert len(receive(store, incoming, "zip", "a.zip")) == 301
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
